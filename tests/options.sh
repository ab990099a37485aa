#!/usr/bin/env bash
# Every option of `gyve run --help` is in gyve-run(1) and in both completions, and these know no others. Every command of
# `gyve help` is in gyve(1) or gyve-dump(1), and in the completions. GYVE: the program (./gyve).
set -u
gyve=${GYVE:-./gyve} top=${srcdir:-$(cd "$(dirname "$0")/.." && pwd)} failed=0
"$gyve" version >/dev/null 2>&1 || { echo "SKIP: $gyve does not run here" && exit 77; }

complain() {
	echo "$*"
	failed=1
}

help_options() {
	"$gyve" run --help | sed -nE 's/^  (-., |    )--([a-z-]+).*/\2/p' | sort -u
}

[ "$(help_options | wc -l)" -ge 30 ] || complain "no options found in --help"
man_text=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$top/docs/gyve-run.1")
bash_options=$(sed -n '/run:-/,/;;/p' "$top/completions/bash/gyve" | grep -oE -- '--[a-z-]+' | grep -v '^--$' | sed 's/^--//' | sort -u)
zsh_options=$(sed -n '/^run_options/,/^)/p' "$top/completions/zsh/_gyve" | grep -oE -- "('|\\*|,)--[a-z-]+" | sed 's/.*--//; s/-$//' | sort -u)
for option in $(help_options); do
	grep -qE -- "--$option([^a-z-]|$)" <<<"$man_text" || complain "gyve-run(1) lacks --$option"
	grep -qx -- "$option" <<<"$bash_options" || complain "bash completion lacks --$option"
	grep -qx -- "$option" <<<"$zsh_options" || complain "zsh completion lacks --$option"
done
for option in $bash_options $zsh_options; do
	help_options | grep -qx -- "$option" || complain "a completion offers --$option, which there is not"
done
# those of commands over dumps
dump_man=$(sed 's/\\-/-/g; s/\\f[A-Z]//g' "$top/docs/gyve-dump.1")
dump_bash=$(grep -F '*:-*)' "$top/completions/bash/gyve") dump_zsh=$(sed -n '/^dump_options/,/^)/p' "$top/completions/zsh/_gyve")
for option in $("$gyve" bt --help | sed -nE 's/^  --([a-z-]+).*/\1/p'); do
	grep -qE -- "--$option([^a-z-]|$)" <<<"$dump_man" || complain "gyve-dump(1) lacks --$option"
	grep -qE -- "--$option([^a-z-]|$)" <<<"$dump_bash" || complain "bash completion lacks --$option of dumps"
	grep -qE -- "--$option([^a-z-]|$)" <<<"$dump_zsh" || complain "zsh completion lacks --$option of dumps"
done
for command in $("$gyve" help | sed -nE 's/^  gyve ([a-z]+) .*/\1/p'); do
	cat "$top/docs/gyve.1" "$top/docs/gyve-dump.1" | sed 's/\\-/-/g; s/\\f[A-Z]//g' | grep -qE "gyve $command\\b" ||
		complain "gyve(1) and gyve-dump(1) lack gyve $command"
	grep -qE "commands=.*\\b$command\\b" "$top/completions/bash/gyve" || complain "bash completion lacks $command"
	grep -qE "'$command:" "$top/completions/zsh/_gyve" || complain "zsh completion lacks $command"
done

bash -n "$top/completions/bash/gyve" || complain "bash does not read its completion"
offered=$(bash -c ". '$top/completions/bash/gyve'; COMP_WORDS=(gyve run --cpu) COMP_CWORD=2; _gyve; echo \${COMPREPLY[*]}")
[ "$offered" = '--cpu-count --cpu-pm' ] || complain "bash completes --cpu to '$offered'"
if command -v zsh >/dev/null; then
	zsh -n "$top/completions/zsh/_gyve" || complain "zsh does not read its completion"
fi
if command -v groff >/dev/null; then
	for page in gyve gyve-run gyve-probe gyve-dump; do
		errors=$(groff -man -ww -Tutf8 -z "$top/docs/$page.1" 2>&1 | grep -v 'cannot adjust\|can.t break')
		[ -z "$errors" ] || complain "$page.1: $errors"
	done
fi
exit $failed
