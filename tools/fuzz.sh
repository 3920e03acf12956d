#!/bin/bash
# Runs every fuzz target for a while, a few at a time.
#
#   fuzz.sh TIME JOBS COMMAND…    (COMMAND: testsum run with its results directory)
#
# TIME is Go's, such as 20s, for each target, or a number of seconds that they share, so
# that a new target does not make the whole longer.
set -euo pipefail
time=$1 jobs=$2
shift 2

# A target is a function in a test file; its package is the file's directory.
list=$(grep -rHoE --include='*_test.go' --exclude-dir={bin,build,tools} '^func Fuzz[A-Za-z0-9_]*' . |
	sed -E 's|^(.*)/[^/]*:func (Fuzz.*)$|\1 \2|' | sort || true)
[ -n "$list" ] || { echo "fuzz.sh: no fuzz targets found" >&2; exit 1; }
if [[ $time =~ ^[0-9]+$ ]]; then
	each=$((time * jobs / $(echo "$list" | wc -l)))
	time=$((each > 3 ? each : 3))s
fi
echo "$(echo "$list" | wc -l) fuzz targets, $time each, $jobs at a time"
export FUZZ_TIME=$time
# shellcheck disable=SC2016
echo "$list" | xargs -P "$jobs" -L 1 bash -c '
	pkg=${@: -2:1} target=${@: -1}
	set -- "${@:1:$#-2}"
	exec "$@" -json -name "fuzz $pkg $target" go test -vet=off -json -run "^$" -fuzz "^$target\$" -fuzztime "$FUZZ_TIME" -parallel 1 "$pkg"
' fuzz "$@"
