# shellcheck shell=bash
die "the x86_64 machine is not made yet"
