# shellcheck shell=bash
#
# test/docker/tap.sh: what the tests of test/docker/t share; they are run by
# test/run-docker.
#
#   ok NAME COMMAND …            a check that a command succeeds
#   is NAME EXPECTED GOT         … that two texts are alike
#   like NAME PATTERN GOT        … that a text matches (an extended regular expression)
#   wait_for SECONDS COMMAND …   until it succeeds; fails when it does not in time
#   at_end COMMAND …             is run at the end, the last one first
#   done_testing

set -euo pipefail
# shellcheck source=script/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"

number=0 failed=0 ends=()

report() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=$((failed + 1))
	fi
}

ok() {
	local name=$1 status=0
	shift
	"$@" >"$work/output" 2>&1 || status=$?
	report "$status" "$name"
	[ "$status" -eq 0 ] || sed 's/^/# /' "$work/output"
}

is() {
	if [ "$2" = "$3" ]; then
		report 0 "$1"
	else
		report 1 "$1"
		diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") | sed 's/^/# /' || true
	fi
}

like() {
	if [[ $3 =~ $2 ]]; then
		report 0 "$1"
	else
		report 1 "$1"
		printf 'not like %s:\n%s\n' "$2" "$3" | sed 's/^/# /'
	fi
}

wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.1
	done
}

at_end() { ends=("$(printf '%q ' "$@")" "${ends[@]}"); }

finish() {
	local result=$? end
	trap - EXIT
	for end in "${ends[@]}"; do
		eval "$end" >>"$work/end" 2>&1 || true
	done
	rm -rf --one-file-system "$work"
	exit "$result"
}

done_testing() {
	echo "1..$number"
	[ "$failed" -eq 0 ]
}

work=$(mktemp -d "${TMPDIR:-/tmp}/hxpy-docker.XXXXXX")
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
