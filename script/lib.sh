# shellcheck shell=bash
# shellcheck disable=SC2034  # variables for the callers
#
# script/lib.sh: functions shared by the scripts of this repository.
#
# To be sourced, by scripts that have set -euo pipefail:
#
#     . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
#
# All names begin with hx_ (functions) or HX_ (variables).  A function that
# fails says why and returns 1, or ends the script through hx_die.
#
#   HX_TOP       the repository
#   HX_RUN       its .run directory (not in git): what is running, and logs
#   HX_VERSION   the extension's version, of hxpy.control
#
#   hx_say TEXT, hx_die TEXT, hx_help          messages; the caller's comment block
#   hx_root COMMAND …                          as root, through sudo where needed
#   hx_pg_config                               sets HX_PG_CONFIG, HX_PG_BIN, HX_PG_MAJOR
#   hx_pg_user                                 sets HX_PG_USER: who runs servers
#   hx_as_pg COMMAND …                         as that user, with all of its groups
#   hx_docker_ok                               does an engine answer?
#   hx_docker_start, hx_stop_docker_if_ours    an engine of this machine
#   hx_docker_group                            lets HX_PG_USER reach the engine
#   hx_cluster_dir NAME                        sets HX_DIR, its directory; 1 if not made
#   hx_cluster_create NAME [SETTING …]         initdb, once; settings as in postgresql.conf
#   hx_cluster_conf NAME SETTING …             adds settings (for the next start)
#   hx_cluster_start, hx_cluster_running NAME
#   hx_cluster_renew NAME DATABASE             starts it with what is installed now: anew where the
#                                              library has changed, without the database where the
#                                              script has by which its extension was made
#   hx_cluster_stop NAME [MODE]                fast (default), smart or immediate
#   hx_cluster_remove NAME                     stops it and removes all of it
#   hx_cluster_env NAME                        exports PGHOST, PGPORT, PGUSER for it
#   hx_psql NAME ARGUMENTS …                   psql there, as its superuser
#
# A cluster is private: it listens on a Unix socket in its own directory only,
# and has no password, because only its OS user and root can enter there.
# NAME stands for .run/NAME; a NAME with a slash is a directory of your choice.

HX_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
HX_RUN=$HX_TOP/.run
HX_VERSION=$(sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" "$HX_TOP/hxpy.control")

# ---- messages ---------------------------------------------------------------

hx_say() { echo "${0##*/}: $*"; }

hx_die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# prints the comment block on top of the calling script
hx_help() { sed -n '2,/^[^#]*$/s/^# \{0,1\}//p' "$0"; }

hx_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		hx_die "this needs root, and there is no sudo: $*"
	fi
}

# the .run directory: everyone may pass, so that the server's user can reach
# its own cluster inside
hx_run_dir() {
	[ -d "$HX_RUN" ] || mkdir -m 755 "$HX_RUN"
}

# hx_proc_start PID: when that process began, in clock ticks; nothing if it is gone.
# With the pid it names one process for ever.
hx_proc_start() {
	local stat
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
	# the name, in parentheses, may hold anything
	local field
	read -ra field <<<"${stat##*) }"
	echo "${field[19]}"
}

# ---- PostgreSQL -------------------------------------------------------------

# Takes PG_CONFIG of the environment, else the newest of Debian's that has the
# headers, else the newest of Debian's, else the one on the PATH.
hx_pg_config() {
	[ -z "${HX_PG_CONFIG-}" ] || return 0
	local c found=
	if [ -n "${PG_CONFIG-}" ]; then
		found=$PG_CONFIG
	else
		for c in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -Vr); do
			[ -x "$c" ] || continue
			found=${found:-$c}
			if [ -e "$("$c" --includedir-server)/postgres.h" ]; then
				found=$c
				break
			fi
		done
		found=${found:-$(command -v pg_config || true)}
	fi
	if [ -z "$found" ] || ! HX_PG_BIN=$("$found" --bindir); then
		hx_die "no pg_config: script/bootstrap --packages installs PostgreSQL, or set PG_CONFIG"
	fi
	HX_PG_CONFIG=$found
	HX_PG_MAJOR=$("$found" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
}

# PostgreSQL refuses to run as root; Debian's package makes the user postgres.
hx_pg_user() {
	[ -z "${HX_PG_USER-}" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		HX_PG_USER=$(id -un)
	else
		HX_PG_USER=${HXPY_PG_USER:-postgres}
		id "$HX_PG_USER" >/dev/null 2>&1 ||
			hx_die "no OS user \"$HX_PG_USER\": script/bootstrap --packages installs PostgreSQL, which makes it"
	fi
}

# A new process takes its groups from the system's tables, so a user just put
# into the group docker has it here.
hx_as_pg() {
	hx_pg_user
	if [ "$(id -un)" = "$HX_PG_USER" ]; then
		(cd / && exec "$@")
	else
		local home
		home=$(getent passwd "$HX_PG_USER" | cut -d: -f6)
		(cd / && HOME=$home USER=$HX_PG_USER LOGNAME=$HX_PG_USER exec setpriv \
			--reuid "$HX_PG_USER" --regid "$(id -g "$HX_PG_USER")" --init-groups "$@")
	fi
}

# ---- Docker -----------------------------------------------------------------

hx_docker_ok() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# Starts an engine if none answers: by systemd where that runs the machine, else
# dockerd itself, in a session of its own.  .run/dockerd.ours then holds its pid and
# start time.  HXPY_DOCKERD_OPTIONS adds options (separated by blanks),
# HXPY_DOCKERD_PIDFILE is for a second engine on one machine.
hx_docker_start() {
	if hx_docker_ok; then
		return 0
	fi
	command -v docker >/dev/null || hx_die "no docker client: script/bootstrap --packages installs it"
	local pidfile=${HXPY_DOCKERD_PIDFILE:-/var/run/docker.pid}
	local log=$HX_RUN/dockerd.log pid n run=()
	if [ -n "${DOCKER_HOST-}" ] && [[ $DOCKER_HOST != unix://* ]]; then
		hx_die "the Docker engine at DOCKER_HOST=$DOCKER_HOST does not answer"
	fi
	hx_run_dir
	if [ -d /run/systemd/system ] && [ -z "${HXPY_DOCKERD_PIDFILE-}" ]; then
		hx_root systemctl start docker || hx_die "systemctl start docker failed (see journalctl -u docker)"
		hx_docker_ok || hx_die "the Docker engine runs but does not answer you: $(docker version 2>&1 | tail -n 1)"
		return 0
	fi
	command -v dockerd >/dev/null || [ -x /usr/sbin/dockerd ] ||
		hx_die "no dockerd: script/bootstrap --packages installs it"
	pid=$(cat "$pidfile" 2>/dev/null || true)
	if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null || true)" = dockerd ]; then
		hx_die "dockerd runs (pid $pid) but does not answer you: $(docker version 2>&1 | tail -n 1)"
	fi
	# machines whose init leaves this to the service that needs it
	if ! grep -q ' /sys/fs/cgroup' /proc/mounts; then
		hx_root mount -t cgroup2 cgroup2 /sys/fs/cgroup
	fi
	[ "$(id -u)" = 0 ] || run=(sudo)
	# shellcheck disable=SC2206  # options are separated by blanks
	run+=(env PATH="$PATH:/usr/sbin:/sbin" setsid dockerd --pidfile "$pidfile" ${HXPY_DOCKERD_OPTIONS-})
	"${run[@]}" </dev/null >"$log" 2>&1 &
	for ((n = 0; n < 300; n++)); do
		if hx_docker_ok; then
			pid=$(cat "$pidfile")
			echo "$pid $(hx_proc_start "$pid")" >"$HX_RUN/dockerd.ours"
			hx_say "started dockerd (pid $pid, log ${log#"$HX_TOP/"})"
			disown $! 2>/dev/null || true
			return 0
		fi
		[ -e "/proc/$!" ] || break
		sleep 0.1
	done
	tail -n 20 "$log" >&2
	# one that hangs must not stay behind
	kill $! 2>/dev/null || true
	hx_die "dockerd did not come up (log: $log)"
}

# Ends the dockerd that hx_docker_start started, and only that process.
hx_stop_docker_if_ours() {
	local pid='' start='' n
	[ -e "$HX_RUN/dockerd.ours" ] || return 0
	read -r pid start <"$HX_RUN/dockerd.ours" || true
	if [ -n "$pid" ] && [ -n "$start" ] && [ "$(hx_proc_start "$pid")" = "$start" ]; then
		hx_root kill "$pid"
		for ((n = 0; n < 200; n++)); do
			[ "$(hx_proc_start "$pid")" = "$start" ] || break
			sleep 0.1
		done
		if [ "$(hx_proc_start "$pid")" = "$start" ]; then
			hx_say "dockerd (pid $pid) does not stop" >&2
			return 1
		fi
		hx_say "stopped dockerd (pid $pid)"
	fi
	rm -f "$HX_RUN/dockerd.ours"
}

# The engine's socket belongs to a group; whoever runs PostgreSQL must be in it.
# That is as good as root on this machine: docs/security.md.
hx_docker_group() {
	local socket=/var/run/docker.sock group
	hx_pg_user
	case ${DOCKER_HOST-} in
		unix://*) socket=${DOCKER_HOST#unix://} ;;
		?*) return 0 ;;
	esac
	if hx_as_pg test -w "$socket"; then
		return 0
	fi
	group=$(stat -c %G "$socket")
	case $group in
		root|UNKNOWN) hx_die "$socket belongs to the group $group: give it to the group docker (chgrp docker $socket)" ;;
	esac
	if [ "$(id -u)" != 0 ]; then
		hx_die "you may not use $socket: sudo usermod -aG $group $HX_PG_USER, then log in again"
	fi
	usermod -aG "$group" "$HX_PG_USER"
	hx_say "put the user $HX_PG_USER into the group $group"
	hx_as_pg test -w "$socket" || hx_die "the user $HX_PG_USER still may not use $socket"
}

# ---- private clusters -------------------------------------------------------

# Sets HX_DIR: the real directory, behind the link where there is one.
hx_cluster_dir() {
	case $1 in
		*/*) HX_DIR=$1 ;;
		*) HX_DIR=$HX_RUN/$1 ;;
	esac
	if [ -e "$HX_DIR" ]; then
		HX_DIR=$(cd "$HX_DIR" && pwd -P)
	fi
	[ -s "$HX_DIR/data/PG_VERSION" ]
}

hx_cluster_create() {
	local name=$1 link dir
	shift
	hx_pg_config
	hx_pg_user
	if hx_cluster_dir "$name"; then
		if [ "$(cat "$HX_DIR/data/PG_VERSION")" != "$HX_PG_MAJOR" ]; then
			hx_die "the cluster in $HX_DIR is of PostgreSQL $(cat "$HX_DIR/data/PG_VERSION"), not $HX_PG_MAJOR: remove it (script/stop --remove)"
		fi
		return 0
	fi
	hx_run_dir
	link=$HX_DIR
	if [ -L "$link" ] && [ ! -e "$link" ]; then
		rm "$link"              # its target was cleaned away
	fi
	[ -e "$link" ] || mkdir -m 700 "$link"
	chown "$HX_PG_USER:" "$link"
	if ! hx_as_pg test -w "$link"; then
		# the repository is where only root can go: keep the cluster elsewhere
		rmdir "$link"
		dir=$(mktemp -d /var/tmp/hxpy.XXXXXX)
		chown "$HX_PG_USER:" "$dir"
		ln -s "$dir" "$link"
	fi
	hx_cluster_dir "$name" || true
	dir=$HX_DIR
	[ ! -e "$dir/data" ] || hx_die "$dir/data is no cluster"
	rm -rf --one-file-system "$dir/data.new"        # of a run that was broken off
	if ! hx_as_pg "$HX_PG_BIN/initdb" -D "$dir/data.new" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
		--no-instructions --no-sync >"$dir/initdb.log" 2>&1; then
		cat "$dir/initdb.log" >&2
		rm -rf "$dir/data.new"
		hx_die "initdb failed"
	fi
	chown "$HX_PG_USER:" "$dir/initdb.log"
	# Names of sockets are limited to 107 bytes.
	if [ ${#dir} -le 80 ]; then
		hx_as_pg mkdir -p -m 700 "$dir/socket"
	elif [ ! -e "$dir/socket" ]; then
		hx_as_pg ln -sfn "$(hx_as_pg mktemp -d /tmp/hxpy.XXXXXX)" "$dir/socket"
	fi
	{
		echo "# added by script/lib.sh"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$(hx_as_pg readlink -f "$dir/socket")'"
		echo "port = 5432"
		echo "log_line_prefix = '%m [%p] %q%u@%d '"
		printf '%s\n' "$@"
	} >>"$dir/data.new/postgresql.conf"
	mv "$dir/data.new" "$dir/data"
}

hx_cluster_conf() {
	local name=$1
	shift
	hx_cluster_dir "$name" || hx_die "no cluster \"$name\""
	printf '%s\n' "$@" >>"$HX_DIR/data/postgresql.conf"
}

hx_cluster_running() {
	hx_pg_config
	hx_cluster_dir "$1" && hx_as_pg "$HX_PG_BIN/pg_ctl" -D "$HX_DIR/data" status >/dev/null 2>&1
}

hx_cluster_start() {
	local socket
	hx_pg_config
	hx_cluster_dir "$1" || hx_die "no cluster \"$1\" to start"
	if hx_cluster_running "$1"; then
		return 0
	fi
	# /tmp may have been emptied since
	socket=$(readlink -f "$HX_DIR/socket")
	[ -d "$socket" ] || hx_as_pg mkdir -m 700 "$socket"
	if ! hx_as_pg "$HX_PG_BIN/pg_ctl" -D "$HX_DIR/data" -l "$HX_DIR/log" -w -t 60 -s start </dev/null >&2; then
		tail -n 20 "$HX_DIR/log" >&2
		hx_die "PostgreSQL did not start (log: $HX_DIR/log)"
	fi
}

# What was installed at the last time stands in a file beside the data; a cluster without one
# is of a time before that.
hx_cluster_renew() {
	local library script had_library='' had_script=''
	hx_pg_config
	hx_cluster_dir "$1" || hx_die "no cluster \"$1\" to start"
	library=$(sha256sum <"$("$HX_PG_CONFIG" --pkglibdir)/hxpy.so")
	script=$(sha256sum <"$("$HX_PG_CONFIG" --sharedir)/extension/hxpy--$HX_VERSION.sql")
	{ read -r had_library && read -r had_script; } 2>/dev/null <"$HX_DIR/installed" || true
	if [ "$library" != "$had_library" ]; then
		hx_cluster_stop "$1"
	fi
	hx_cluster_start "$1"
	if [ "$script" != "$had_script" ] &&
		[ -n "$(hx_psql "$1" -d postgres -Atc "SELECT 1 FROM pg_database WHERE datname = '$2'")" ]; then
		hx_say "makes the database \"$2\" anew: its extension is of another version of hxpy--$HX_VERSION.sql"
		hx_psql "$1" -q -d postgres -c "DROP DATABASE \"$2\" WITH (FORCE)"
	fi
	printf '%s\n' "$library" "$script" >"$HX_DIR/installed"
}

hx_cluster_stop() {
	hx_cluster_running "$1" || return 0
	hx_as_pg "$HX_PG_BIN/pg_ctl" -D "$HX_DIR/data" -m "${2:-fast}" -w -t 60 -s stop
}

hx_cluster_remove() {
	local link
	hx_cluster_dir "$1" || [ -e "$HX_DIR" ] || return 0
	# fast, so that its containers go as well
	hx_cluster_stop "$1" || hx_cluster_stop "$1" immediate
	case $1 in */*) link=$1 ;; *) link=$HX_RUN/$1 ;; esac
	if [ -L "$HX_DIR/socket" ]; then
		rm -rf --one-file-system "$(readlink -f "$HX_DIR/socket")"
	fi
	rm -rf --one-file-system "$HX_DIR"/{data,data.new,socket,log,initdb.log,installed}
	rmdir --ignore-fail-on-non-empty "$HX_DIR"
	if [ -L "$link" ]; then
		rm "$link"
	fi
}

# For psql, pg_regress and everything else that uses libpq.
hx_cluster_env() {
	hx_cluster_dir "$1" || hx_die "no cluster \"$1\""
	unset PGDATABASE PGSERVICE PGHOSTADDR PGPASSWORD PGOPTIONS PGSSLMODE
	PGHOST=$(readlink -f "$HX_DIR/socket")
	PGPORT=5432
	PGUSER=postgres
	export PGHOST PGPORT PGUSER
}

hx_psql() {
	local name=$1
	shift
	hx_pg_config
	(hx_cluster_env "$name" && exec "$HX_PG_BIN/psql" -X "$@")
}
