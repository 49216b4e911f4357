# shellcheck shell=bash
#
# test/docker/engine.sh: a dockerd of a test's own, beside this machine's; to be sourced
# after tap.sh.  It has directories, a bridge, a containerd, a name space and a cgroup of
# its own, does not touch the firewall, and goes at the end, also of a test that fails.
#
#   engine_make            its directory and bridge; sets engine_home, engine_socket, and
#                          engine_network: 10.this is free but for the bridge's 10.this.0
#   engine_start OPTION …  starts it, and waits until it answers
#   engine_started         waits for a start that engine_spawn has begun
#   engine_spawn OPTION …  starts it, and does not wait
#   engine_end SIGNAL      ends it and waits for its end; containers may live on
#   engine_pid             its pid, '' when it does not run
#   there ARGUMENTS …      the docker client there

engine_pid=''

there() { docker --host "unix://$engine_socket" "$@"; }

engine_make() {
	engine_home=$(mktemp -d /var/tmp/hxpy-engine.XXXXXX)
	engine_socket=$engine_home/socket
	engine_bridge=hxpytest$(($$ % 100000))     # at most 15 bytes
	at_end engine_remove
	chmod 711 "$engine_home"
	# One test at a time looks for a network that is free, and takes it.
	exec {engine_lock}>/var/tmp/hxpy-engine.lock
	flock "$engine_lock"
	for engine_network in 251 252 253 254 255; do
		ip route | grep -q "^10\.$engine_network\." || break
	done
	ip link add name "$engine_bridge" type bridge
	ip address add "10.$engine_network.0.1/24" dev "$engine_bridge"
	ip link set "$engine_bridge" up
	exec {engine_lock}>&-
	# A configuration of this machine's engine is not for this one.
	echo '{}' >"$engine_home/daemon.json"
}

engine_spawn() {
	dockerd --config-file "$engine_home/daemon.json" --data-root "$engine_home/data" \
		--exec-root "$engine_home/exec" --pidfile "$engine_home/pid" --bridge "$engine_bridge" \
		--iptables=false --ip-masq=false --ip-forward=false \
		--containerd-namespace hxpytest --containerd-plugins-namespace hxpytest-plugins \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$engine_bridge" \
		--host "unix://$engine_socket" \
		"$@" >>"$engine_home/log" 2>&1 &
	engine_pid=$!
}

engine_started() {
	wait_for 60 there version || {
		tail -n 20 "$engine_home/log" | sed 's/^/# /'
		return 1
	}
}

engine_start() {
	engine_spawn "$@"
	engine_started
}

engine_end() {
	local pid=$engine_pid
	[ -n "$pid" ] || return 0
	engine_pid=''
	kill "-$1" "$pid" || return 0
	wait "$pid" 2>/dev/null || true
}

# A killed engine leaves containerd and shims, which have its directory on their command
# lines, and what runc was just starting, in its cgroup.
engine_remove() {
	local pid
	if [ -n "$engine_pid" ]; then
		there ps -aq | xargs -r docker --host "unix://$engine_socket" rm --force --volumes || true
	fi
	engine_end TERM
	for pid in $(pgrep -f "^[^ ]*containerd[^ ]* .*$engine_home/"); do
		kill -KILL "$pid" || true
	done
	find /sys/fs/cgroup -path "*/$engine_bridge/*" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -u |
		xargs -r kill -KILL || true
	sleep 0.2
	find /sys/fs/cgroup -depth -type d \( -path "*/$engine_bridge/*" -o -path "*/$engine_bridge" \) -exec rmdir {} + || true
	awk -v d="$engine_home/" 'index($2, d) == 1 { print $2 }' /proc/mounts | sort -r |
		while read -r mount; do umount -l "$mount"; done
	ip link delete "$engine_bridge" || true
	rm -rf --one-file-system "$engine_home"
}
