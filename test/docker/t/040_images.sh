# shellcheck shell=bash
#
# An image of one's own by docker/build --add: a package of Debian's and a wheel are
# in its sessions.

. "$(dirname "${BASH_SOURCE[0]}")/../tap.sh"

image=hxpytest-add-$$
cluster=$work/cluster
at_end docker image rm --force "$image:1"
at_end hx_cluster_remove "$cluster"

mkdir -p "$work/wheel/greeting" "$work/wheel/greeting-1.0.dist-info"
echo 'def hello(): return "from a wheel"' >"$work/wheel/greeting/__init__.py"
printf 'Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n' >"$work/wheel/greeting-1.0.dist-info/METADATA"
wheel=$work/greeting-1.0-py3-none-any.whl
(cd "$work/wheel" && python3 -m zipfile -c "$wheel" greeting greeting-1.0.dist-info)

ok "docker/build --add" "$HX_TOP/docker/build" --add "python3-inflection,$wheel" --tag "$image:1"
like "what cannot be had is told" 'Unable to locate package' \
	"$("$HX_TOP/docker/build" --add nosuch-package --tag "$image:2" --quiet 2>&1 || true)"
is "and leaves no container" "" "$(docker ps -aq --filter label=hxpy.version --filter exited=100)"
like "a name is wanted" '--add wants --tag' "$("$HX_TOP/docker/build" --add python3-inflection 2>&1 || true)"

chmod 755 "$work"
mkdir -m 755 "$cluster"
hx_cluster_create "$cluster" "fsync = off" "hxpy.allowed_images = 'hxpy:$HX_VERSION, $image:*'"
hx_cluster_start "$cluster"
sql() { hx_psql "$cluster" -XAtqc "$1" 2>&1 || true; }
sql "CREATE EXTENSION hxpy"
is "a session of it has both" 'from a wheel, employees' \
	"$(sql "SELECT py_eval(py_open('s', image => '$image:1'),
		'\", \".join([__import__(\"greeting\").hello(), __import__(\"inflection\").pluralize(\"employee\")])', NULL::text)")"
is "py_packages has both" 'greeting 1.0, inflection' \
	"$(sql "SELECT py_open('default', image => '$image:1');
		SELECT string_agg(CASE name WHEN 'greeting' THEN name || ' ' || version ELSE name END, ', ' ORDER BY name)
			FROM py_packages() WHERE name IN ('greeting', 'inflection')" | tail -n 1)"
is "one of hxpy's own has not" 'ModuleNotFoundError' \
	"$(sql "SELECT py_exec('import greeting')" | grep -o ModuleNotFoundError | head -n 1)"

done_testing
