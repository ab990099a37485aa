#!/usr/bin/env bash
# The official cases of toml-test for TOML 1.0 through our reader: toml-test.sh --program PATH [--cases DIR]
# PATH is tests/support/toml_json (made by: make tests/support/toml_json). DIR is the directory "tests" of github.com/toml-lang/toml-test, which
# is not ours to carry; without it: TOML_TEST_CASES, or toml-test beside the tree. Status 77 if there are none, 1 if one fails.
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=$here/support/toml_json cases=${TOML_TEST_CASES:-$here/../../toml-test/tests}
while [ $# -gt 0 ]; do
	case $1 in
	--program) program=$2 && shift ;;
	--cases) cases=$2 && shift ;;
	*) echo "usage: toml-test.sh [--program PATH] [--cases DIR]" >&2 && exit 2 ;;
	esac
	shift
done
[ -r "$cases/files-toml-1.0.0" ] || { echo "SKIP toml-test: no cases in $cases; give --cases" && exit 77; }
[ -x "$program" ] || { echo "toml-test.sh: --program must name toml_json" >&2 && exit 2; }
exec python3 - "$program" "$cases" <<'PY'
import datetime, json, subprocess, sys

program, cases = sys.argv[1:]
names = [n for n in open(cases + "/files-toml-1.0.0").read().split() if n.endswith(".toml")]


def stamp(kind, text):
    text = text.upper().replace("T", " ").replace("Z", "+00:00")
    if "." in text:  # to microseconds
        head, rest = text.split(".", 1)
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = head + "." + digits[:6].ljust(6, "0") + rest[len(digits):]
    if kind == "time-local":
        return datetime.time.fromisoformat(text)
    if kind == "date-local":
        return datetime.date.fromisoformat(text)
    return datetime.datetime.fromisoformat(text)


def same(a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        if set(a) == set(b) == {"type", "value"} and isinstance(b["value"], str) and isinstance(a["value"], str):
            kind, x, y = a["type"], a["value"], b["value"]
            if kind != b["type"]:
                return False
            if kind == "float":
                return (x == "nan" and y == "nan") or (x != "nan" and y != "nan" and float(x) == float(y))
            if kind.startswith(("date", "time")):
                return stamp(kind, x) == stamp(kind, y)
            return x == y
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return False


failed = 0
for name in names:
    path = cases + "/" + name
    run = subprocess.run([program], stdin=open(path, "rb"), capture_output=True, timeout=10)
    if name.startswith("invalid/"):
        ok, why = run.returncode == 1, "accepted" if run.returncode == 0 else "status %d" % run.returncode
    else:
        ok, why = run.returncode == 0, run.stderr.decode(errors="replace").strip()
        if ok:
            want, got = json.load(open(path[:-5] + ".json")), json.loads(run.stdout)
            ok, why = same(got, want), "other values: %s" % json.dumps(got)[:200]
    if not ok:
        failed += 1
        print("FAIL %s: %s" % (name, why))
print("%d cases, %d failed" % (len(names), failed))
sys.exit(failed > 0)
PY
