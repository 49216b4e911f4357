# shellcheck shell=bash
#
# The engine is killed, ended, or stands still while twenty sessions work, with
# live-restore and without: ten seconds after it is back there is no container that
# nobody owns, no directory that nobody holds, the pool is full, and sessions open.
# The engine is a second dockerd; this machine's own is not touched.

. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../engine.sh"

size=4
engine_make
engine_start || exit 1
docker save "hxpy:$HX_VERSION" | there load >/dev/null
cluster=$engine_home/cluster
at_end hx_cluster_remove "$cluster"
mkdir -m 755 "$cluster"
hx_cluster_create "$cluster" "fsync = off" "hxpy.docker_host = 'unix://$engine_socket'" \
	"shared_preload_libraries = 'hxpy'" "hxpy.pool_size = $size" "hxpy.pool_starts = 8"
hx_cluster_start "$cluster"

sql() { hx_psql "$cluster" -XAtqc "$1" 2>&1 || true; }
sql "CREATE EXTENSION hxpy"
id=$(sql 'SELECT system_identifier FROM pg_control_system()')
directories=$cluster/data/pgsql_tmp_hxpy

# ---- twenty sessions

clients=()
# client SQL …: a psql in the background
client() {
	local arguments=() statement
	for statement in "$@"; do
		arguments+=(-c "$statement")
	done
	hx_psql "$cluster" -Xqt "${arguments[@]}" >/dev/null 2>&1 &
	clients+=($!)
}
end_clients() {
	[ ${#clients[@]} -eq 0 ] || kill "${clients[@]}" 2>/dev/null || true
	# The server does not notice what ends in the midst of a statement.
	sql "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()" >/dev/null
	[ ${#clients[@]} -eq 0 ] || wait "${clients[@]}" 2>/dev/null || true
	clients=()
}
at_end end_clients
working() { [ "$(sql "SELECT count(*) FROM hxpy_stat_sessions WHERE state = 'active' OR session = 'idle'")" -ge 19 ]; }
twenty_sessions() {
	local n
	for n in 1 2 3 4 5; do
		client "SELECT py_open('idle')" "SELECT pg_sleep(600)"
		client "SELECT py_timeout(py_open('loop'), '1 h')" "SELECT py_exec('loop', E'n = 0\nwhile True:\n    n += 1')"
		client "SELECT py_timeout(py_open('code'), '1 h')" "SELECT py_exec('code', 'sum(range(10**12))')"
	done
	for n in 1 2 3 4; do
		client "SELECT py_timeout(py_open('stream'), '1 h')" "SELECT count(*) FROM py_apply('stream', 'lambda df: df',
			'SELECT generate_series(1, 2000000000) AS i') AS r(i int)"
	done
	wait_for 60 working
	# and some that are just being opened
	for n in 1 2 3; do
		client "SELECT py_open('late')" "SELECT pg_sleep(600)"
	done
}

# The twentieth answers questions.
ask() {
	local line
	answer=
	printf '%s;\n\\echo .\n' "$1" >&"${keep[1]}"
	while IFS= read -r -t 15 line <&"${keep[0]}" && [ "$line" != . ]; do
		answer+=${answer:+ }$line
	done
}
open_keep() {
	coproc keep { hx_psql "$cluster" -XAtq 2>&1; }
	keep_process=$keep_PID
	ask "SELECT py_exec(py_open('keep'), 'x = 41')"
}
close_keep() {
	echo '\q' >&"${keep[1]}"
	wait "$keep_process" 2>/dev/null || true
}

# ---- what is there

containers() { there ps -a --filter "label=hxpy.cluster=$id" --format '{{.ID}}'; }
owned() { sql "SELECT left(container, 12) FROM hxpy_stat_sessions WHERE state <> 'lost'"; }
ready() { sql "SELECT coalesce(sum(ready), 0) FROM hxpy_stat_pool"; }
starting() { sql "SELECT coalesce(sum(starting), 0) FROM hxpy_stat_pool"; }
# those that are neither a session's nor the pool's
ownerless() {
	local mine
	mine=$(owned)
	echo $(($(containers | grep -cvxF -e "${mine:-none}" || true) - $(ready) - $(starting)))
}
stray() {
	local directory count=0
	for directory in "$directories"/*/; do
		if [ -d "$directory" ] && flock -n "$directory" true; then
			count=$((count + 1))
		fi
	done
	echo "$count"
}
owned_all() { [ "$(ownerless)" = 0 ] && [ "$(stray)" = 0 ]; }
in_order() { [ "$(ready) $(starting)" = "$size 0" ] && owned_all; }
counts() {
	echo "$(containers | wc -l) containers ($(ready) ready, $(ownerless) without an owner), $(owned | grep -c . || true) sessions," \
		"$(find "$directories" -mindepth 1 -maxdepth 1 | wc -l) directories ($(stray) stray)"
}

# Ten seconds where the processors are not wanted by many others, too.
patience() { awk -v cpus="$(nproc)" '{ n = int(10 * $1 / cpus); print (n < 10 ? 10 : (n > 60 ? 60 : n)) }' /proc/loadavg; }

# settle NAME: checks that all is in order in time, and prints the counts
settle() {
	local start=$EPOCHREALTIME patience
	patience=$(patience)
	ok "$1: within $patience s all that is there has an owner" wait_for "$patience" owned_all
	ok "$1: ... and the pool is full" wait_for "$patience" in_order
	echo "# $1: after $(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s: $(counts)"
}

ok "the pool fills" wait_for 60 in_order
for live in false true; do
	engine_end TERM
	engine_start --live-restore="$live" || exit 1
	settle "live-restore $live, before"
	for signal in KILL TERM; do
		name="SIG$signal, live-restore $live"
		open_keep
		ok "$name: twenty sessions work" twenty_sessions
		echo "# $name: before: $(counts)"
		engine_end "$signal"
		sleep 1
		ask "SELECT py_eval('keep', 'x + 1')"
		echo "# $name: a session while there is no engine: $answer"
		sleep 1
		engine_start --live-restore="$live" || exit 1
		settle "$name"
		ask "SELECT py_eval('keep', 'x + 1')"
		if [ "$live" = true ]; then
			is "$name: the sessions live on" 42 "$answer"
		else
			like "$name: the sessions are lost, and say so" '08006|was lost' "$answer"
		fi
		is "$name: new sessions work" 42 "$(sql "SELECT py_eval('6 * 7')")"
		end_clients
		close_keep
		settle "$name, sessions closed"
		is "$name: only the pool is left" "$size" "$(containers | wc -l)"
	done
done

open_keep
ok "SIGSTOP: twenty sessions work" twenty_sessions
kill -STOP "$engine_pid"
sleep 5
ask "SELECT py_eval('keep', 'x + 1')"
is "SIGSTOP: sessions go on while the engine stands still" 42 "$answer"
sleep 5
kill -CONT "$engine_pid"
settle "SIGSTOP for 10 s"
is "SIGSTOP: new sessions work" 42 "$(sql "SELECT py_eval('6 * 7')")"
end_clients
close_keep
settle "SIGSTOP, sessions closed"
is "SIGSTOP: only the pool is left" "$size" "$(containers | wc -l)"
hx_cluster_stop "$cluster"
is "the server's stop removes the pool" "" "$(containers)"
is "... and its directories" "" "$(find "$directories" -mindepth 1)"

done_testing
