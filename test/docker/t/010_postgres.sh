# shellcheck shell=bash
#
# PostgreSQL itself in a container, with the engine's socket and a network that it
# shares with its sessions: the whole main path.

. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

network=hxpytest-pg-$$
server=hxpytest-pg-$$
socket=$(docker context inspect --format '{{.Endpoints.docker.Host}}')
socket=${socket#unix://}

# psql_in OPTION …: psql in the container, with its messages between the rows
psql_in() { docker exec --interactive "$server" sh -c 'exec psql "$@" 2>&1' psql "$@"; }

# sql QUERY …: in one connection; messages of all with SQLSTATE, rows of the last
sql() {
	local last=${*: -1}
	{
		echo '\o /dev/null'
		[ $# -eq 1 ] || printf '%s;\n' "${@:1:$#-1}"
		printf '\\o\n%s;\n' "$last"
	} | psql_in -XAtq -v VERBOSITY=verbose -d hxpy || true
}

# ids of the server's session containers
sessions() { docker ps -aq --filter "label=hxpy.cluster=$cluster"; }
no_session() { [ -z "$(sessions)" ]; }

docker network create --internal "$network" >/dev/null
at_end docker network rm "$network"
docker run --detach --name "$server" --network "$network" --group-add "$(stat -c %g "$socket")" \
	--volume "$socket:/var/run/docker.sock" "hxpy-test-postgres:$HX_VERSION-17" \
	"hxpy.network = '$network'" "hxpy.allowed_networks = '$network'" >/dev/null
at_end docker rm --force --volumes "$server"
if ! wait_for 60 docker exec "$server" pg_isready -q; then
	docker logs "$server" 2>&1 | sed 's/^/# /'
	exit 1
fi

docker exec "$server" createdb hxpy
is "the extension is made in the container's PostgreSQL" "" "$(sql 'CREATE EXTENSION hxpy')"
like "which is not this machine's" '^17\.' "$(sql 'SHOW server_version')"
cluster=$(sql 'SELECT system_identifier FROM pg_control_system()')
at_end eval 'docker ps -aq --filter label=hxpy.cluster='"$cluster"' | xargs -r docker rm --force --volumes'

# ---- the quickstart, as an ordinary role

docker exec "$server" createdb --template hxpy quickstart
psql_in -X -q -d quickstart <"$HX_TOP/examples/setup.sql" >/dev/null
psql_in -X -a -q -U analyst -d quickstart <"$HX_TOP/examples/quickstart.sql" |
	sed 's/ *$//' >"$work/transcript"
ok "examples/quickstart.sql" diff -u "$HX_TOP/examples/quickstart.out" "$work/transcript"

# ---- the main path

open="SELECT py_open('s')"
is "define, exec, eval" 200 "$(sql "SELECT py_eval(py_exec(py_define(py_define(py_timeout(py_open('s'), '10 s'), 'a', 100), 'b', 2),
	'def mult(x, y): return x * y'), 'mult(a, b)')")"
is "typed values" '{1,NULL,3}|2024-02-29|\x0001' "$(sql "$open" "SELECT py_define('s', 'd', date '2024-02-29')" \
	"SELECT py_eval('s', '[1, None, 3]', NULL::int[]), py_eval('s', 'd', NULL::date), py_eval('s', 'bytes([0, 1])', NULL::bytea)")"
like "output" 'NOTICE:  00000: hello' "$(sql "SELECT py_exec('print(\"hello\")')")"
like "errors" 'ERROR:  38000: ZeroDivisionError' "$(sql "SELECT py_eval('1 / 0')")"
is "a table in and out" "100000|5000050000" "$(sql "$open" \
	"SELECT py_define_grid('s', 'g', 'SELECT i, i::text AS t FROM generate_series(1, 100000) i')" \
	"SELECT count(*), sum(i) FROM py_eval_grid('s', 'g') AS r(i int, t text)")"
is "into a table" "100|4950" "$(sql "$open" "SELECT py_exec('s', 'import pandas as pd')" \
	"SELECT py_eval_into('s', 'pd.DataFrame({\"a\": range(100)})', 'made')" "SELECT count(*), sum(a) FROM made")"
is "a stream through Python" "10000100000" "$(sql "$open" \
	"SELECT sum(b) FROM py_apply('s', 'lambda d: d * 2', 'SELECT i AS b FROM generate_series(0, 100000) i') AS r(b bigint)")"
like "a time limit" '57014: canceling Python due to' "$(sql "$open" "SELECT py_timeout('s', '200 ms')" "SELECT py_exec('s', 'while True: pass')")"
is "the session lives on after it" "7" "$(sql "$open" "SELECT py_exec('s', 'x = 7')" "SET statement_timeout = '300ms'" \
	"SELECT py_exec('s', 'while True: pass')" "RESET statement_timeout" "SELECT py_eval('s', 'x')" | tail -n 1)"
like "Python that dies" '08006: session "s" was lost: Python exited with status 3' "$(sql "$open" "SELECT py_exec('s', 'exit(3)')")"
is "two sessions" "1|2" "$(sql "$open" "SELECT py_exec('s', 'x = 1')" "SELECT py_exec(py_open('t'), 'x = 2')" "SELECT py_eval('s', 'x'), py_eval('t', 'x')")"
like "a session without a network, which needs files of the server" 'ERROR:  22023.*bind source path does not exist.*HINT:  .*hxpy\.network' \
	"$(sql "SELECT py_open('s', network => 'none')" | tr '\n' ' ')"
like "another network" '42501: network "bridge" is not allowed' "$(sql "SELECT py_open('s', network => 'bridge')")"
ok "nothing is left of all these connections" wait_for 10 no_session

# ---- the container's end

docker exec --detach "$server" psql -X -d hxpy -c "SELECT py_exec(py_open('long'), 'import time; time.sleep(600)')"
# The worker is there once the server has proved the key; before, the container would wait for that.
ok "a session at work" wait_for 20 eval '[ "$(docker top "$(sessions)" | wc -l)" -ge 3 ]'
volume=$(docker inspect --format '{{(index .Mounts 0).Name}}' "$(sessions)")
docker kill "$server" >/dev/null
ok "it ends when the server's container is killed" wait_for 10 no_session
ok "and leaves no volume" eval "! docker volume inspect $volume"

done_testing
