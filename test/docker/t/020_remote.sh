# shellcheck shell=bash
#
# An engine on another machine: a second dockerd on this one, which listens on TCP with
# TLS and client certificates, has directories and a bridge of its own, and whose
# containers are reached by ports published on its address.

. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

. "$(dirname "${BASH_SOURCE[0]}")/../engine.sh"

port=$((20000 + $$ % 20000))

# Its networks are bridges of this machine.
remove_networks() {
	there ps -aq | xargs -r docker --host "unix://$engine_socket" rm --force --volumes || true
	there network ls -q --filter label=hxpytest | xargs -r docker --host "unix://$engine_socket" network rm || true
}

engine_make
certs=$engine_home/certs
cluster=$engine_home/cluster
at_end remove_networks
at_end hx_cluster_remove "$cluster"

# ---- certificates: an authority, the engine's and a client's; and strangers

mkdir -m 755 "$certs"

# authority NAME
authority() {
	mkdir "$certs/$1"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=hxpytest $1" \
		-keyout "$certs/$1/ca-key.pem" -out "$certs/$1/ca.pem" 2>/dev/null
}
# certificate AUTHORITY DIRECTORY USAGE: cert.pem and key.pem, signed by the authority
certificate() {
	openssl req -newkey rsa:2048 -nodes -subj "/CN=hxpytest" -keyout "$2/key.pem" -out "$2/request.pem" 2>/dev/null
	openssl x509 -req -in "$2/request.pem" -days 2 -CA "$certs/$1/ca.pem" -CAkey "$certs/$1/ca-key.pem" -CAcreateserial \
		-extfile <(printf 'extendedKeyUsage = %s\nsubjectAltName = IP:127.0.0.1\n' "$3") -out "$2/cert.pem" 2>/dev/null
}
authority ours
authority theirs
mkdir "$certs"/{engine,client,stranger,deceived,open}
certificate ours "$certs/engine" serverAuth
certificate ours "$certs/client" clientAuth
certificate theirs "$certs/stranger" clientAuth
cp "$certs/client"/{cert,key}.pem "$certs/deceived"
cp "$certs/client"/{cert,key}.pem "$certs/open"
cp "$certs/ours/ca.pem" "$certs/client"
cp "$certs/ours/ca.pem" "$certs/stranger"
cp "$certs/ours/ca.pem" "$certs/open"
cp "$certs/theirs/ca.pem" "$certs/deceived"
hx_pg_user
chown "$HX_PG_USER" "$certs"/{client,stranger,deceived,open}/key.pem
chmod 600 "$certs"/*/key.pem
chmod 640 "$certs/open/key.pem"

# ---- the engine

engine_start --host "tcp://127.0.0.1:$port" --tlsverify --tlscacert "$certs/ours/ca.pem" \
	--tlscert "$certs/engine/cert.pem" --tlskey "$certs/engine/key.pem"
docker save "hxpy:$HX_VERSION" | there load >/dev/null
there network create --label hxpytest --subnet "10.$engine_network.1.0/24" sessions >/dev/null
there network create --label hxpytest --subnet "10.$engine_network.2.0/24" --internal inside >/dev/null

# ---- the server

mkdir -m 755 "$cluster"
hx_cluster_create "$cluster" "fsync = off" "hxpy.docker_host = 'tcp://127.0.0.1:$port'" \
	"hxpy.docker_cert_path = '$certs/client'" "hxpy.publish_address = '127.0.0.1'" \
	"hxpy.network = 'sessions'" "hxpy.allowed_networks = 'sessions, inside'"
hx_cluster_start "$cluster"

# sql QUERY …: in one connection; messages of all with SQLSTATE, rows of the last
sql() {
	local last=${*: -1}
	{
		echo '\o /dev/null'
		[ $# -eq 1 ] || printf '%s;\n' "${@:1:$#-1}"
		printf '\\o\n%s;\n' "$last"
	} | hx_psql "$cluster" -XAtq -v VERBOSITY=verbose 2>&1 || true
}
sql "CREATE EXTENSION hxpy" >/dev/null
id=$(sql 'SELECT system_identifier FROM pg_control_system()')
sessions() { there ps -aq --filter "label=hxpy.cluster=$id"; }
no_session() { [ -z "$(sessions)" ]; }

# ---- the main path

open="SELECT py_open('s')"
is "define, exec, eval" 200 "$(sql "SELECT py_eval(py_exec(py_define(py_define(py_timeout(py_open('s'), '10 s'), 'a', 100), 'b', 2),
	'def mult(x, y): return x * y'), 'mult(a, b)')")"
is "a table in and out" "100000|5000050000" "$(sql "$open" \
	"SELECT py_define_grid('s', 'g', 'SELECT i, i::text AS t FROM generate_series(1, 100000) i')" \
	"SELECT count(*), sum(i) FROM py_eval_grid('s', 'g') AS r(i int, t text)")"
like "a time limit" '57014: canceling Python due to' "$(sql "$open" "SELECT py_timeout('s', '200 ms')" "SELECT py_exec('s', 'while True: pass')")"
like "Python that dies" '08006: session "s" was lost: Python exited with status 3' "$(sql "$open" "SELECT py_exec('s', 'exit(3)')")"
like "an internal network has no published ports" '22023: .*internal network "inside"' "$(sql "SELECT py_open('s', network => 'inside')" | tr '\n' ' ')"
ok "nothing is left of all these connections" wait_for 10 no_session
hx_psql "$cluster" -Xqc "SELECT py_exec(py_open('long'), 'import time; time.sleep(600)')" >/dev/null 2>&1 &
client=$!
at_end kill "$client"
ok "a session at work" wait_for 20 eval '[ "$(there top "$(sessions)" | wc -l)" -ge 3 ]'
is "it is not on this machine's engine" "" "$(docker ps -aq --filter "label=hxpy.cluster=$id")"
like "its port is published on the address asked for" '^127\.0\.0\.1:[0-9]+$' "$(there port "$(sessions)" 7868)"
like "and it says the same of itself" '"7868/tcp":\[\{"HostIp":"127\.0\.0\.1"' "$(there inspect --format '{{json .HostConfig.PortBindings}}' "$(sessions)")"
hx_as_pg "$HX_PG_BIN/pg_ctl" -D "$cluster/data" -m immediate -s stop
ok "it ends with the server" wait_for 10 no_session
hx_cluster_start "$cluster" 2>/dev/null
is "no volume is left" "" "$(there volume ls -q)"

# ---- who may not

refused() { # NAME PATTERN SETTING …
	local settings=() setting name=$1 pattern=$2
	shift 2
	for setting in "$@"; do
		settings+=("SET $setting")
	done
	like "$name" "$pattern" "$(sql "${settings[@]}" "SELECT py_open()" | tr '\n' ' ')"
}
refused "a client certificate of another authority" '08[0-9]{3}: .*(secure connection|broke off).*HINT' "hxpy.docker_cert_path = '$certs/stranger'"
refused "an engine of another authority" '08001: could not make a secure connection.*DETAIL.*HINT' "hxpy.docker_cert_path = '$certs/deceived'"
refused "a name that is not in the engine's certificate" '08001: could not make a secure connection' "hxpy.docker_host = 'tcp://localhost:$port'"
refused "a key that others may read" '42501: private key file .*HINT.*chmod 0600' "hxpy.docker_cert_path = '$certs/open'"
refused "no certificates" '(42501|58P01): could not access certificate file' "hxpy.docker_cert_path = '$engine_home/nothing'"
refused "no TLS" '42501: refusing to use the Docker engine.* without TLS' "hxpy.docker_cert_path = ''"
refused "no TLS, although allowed, on a port that wants it" '(08|58|22|42)...: ' "hxpy.docker_cert_path = ''" "hxpy.docker_insecure = on"
is "with the right ones all is well again" 42 "$(sql "SELECT py_eval('6 * 7')")"
ok "nothing is left" wait_for 10 no_session

# ---- two engines, one of which goes away and comes back

# The other one is this machine's own, whose sessions publish their ports, too.
network=hxpytest-remote-$$
docker network create "$network" >/dev/null
at_end docker network rm "$network"
there network create --label hxpytest --subnet "10.$engine_network.3.0/24" "$network" >/dev/null
hx_cluster_conf "$cluster" "shared_preload_libraries = 'hxpy'" \
	"hxpy.docker_host = 'tcp://127.0.0.1:$port, unix:///var/run/docker.sock'" \
	"hxpy.publish_address = '127.0.0.1, 127.0.0.1'" "hxpy.network = '$network'" "hxpy.allowed_networks = '$network'"
hx_cluster_stop "$cluster" immediate
hx_cluster_start "$cluster"
where() { sql "$open" "SELECT address || ' ' || py_eval('s', '1 + 1') FROM py_engine()"; }
here() { docker ps -aq --filter "label=hxpy.cluster=$id"; }
nothing_here() { [ -z "$(here)" ]; }
is "the first that answers has the session" "tcp://127.0.0.1:$port 2" "$(where)"
ok "... the launcher removes it there" wait_for 20 no_session
is "... and the other one has nothing" "" "$(here)"
kill -STOP "$engine_pid"
is "one that hangs is left out" "unix:///var/run/docker.sock 2" "$(where)"
ok "... the launcher removes it here" wait_for 20 nothing_here
kill -CONT "$engine_pid"
is "... and comes back" "tcp://127.0.0.1:$port 2" "$(where)"
is "several engines have no pool" 0 "$(sql 'SELECT count(*) FROM hxpy_stat_pool')"
like "as many addresses as engines" '22023: hxpy.publish_address has 1 addresses for 2 engines.*HINT' \
	"$(sql "SET hxpy.publish_address = '127.0.0.1'" "$open" | tr '\n' ' ')"
like "none of two answers" '08001: none of the 2 Docker engines answers.*nowhere.*nobody.*HINT' \
	"$(sql "SET hxpy.docker_host = 'unix:///nowhere, unix:///nobody'" "SELECT py_open()" | tr '\n' ' ')"
ok "nothing is left" wait_for 20 no_session

remove_networks >/dev/null 2>&1
engine_end TERM
is "one that is gone is left out, too" "unix:///var/run/docker.sock 2" "$(where)"
ok "nothing is left of it" wait_for 20 nothing_here

# ---- the only engine goes away

like "an engine that is gone" 'ERROR:  08001: could not connect to the Docker engine' \
	"$(sql "SET hxpy.docker_host = 'tcp://127.0.0.1:$port'" "SET hxpy.publish_address = '127.0.0.1'" "SELECT py_open()" | tr '\n' ' ')"

done_testing
