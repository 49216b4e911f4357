-- Settings and privileges; needs no Docker engine.
\set VERBOSITY terse
CREATE EXTENSION hxpy;
-- in all tests each print is a message: how many come within a time is chance
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET hxpy.output_delay = 0', current_database()); END $$;
-- what the settings are, and who may change them
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'hxpy.%' ORDER BY name;
SET hxpy.no_such_setting = 1;
SET hxpy.output = 'loud';
SET hxpy.numeric = 'roman';
-- every function is documented; those that use a session are closed to PUBLIC, volatile and
-- parallel unsafe, all others are open, parallel safe and not volatile; those behind the views of
-- statistics are open, too, but must run where the backend's own memory is
SELECT p.oid::regprocedure, session FROM pg_proc p
  JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'hxpy',
  LATERAL (SELECT p.proname ~ '^(hxpy_(?!transform)|py_(?!stat_)|hs_(to|from)_|hs_grid)') AS s(session),
  LATERAL (SELECT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
             WHERE a.grantee = 0)) AS o(open)
 WHERE obj_description(p.oid, 'pg_proc') IS NULL OR p.prosecdef OR open = session
    OR (p.proparallel <> CASE WHEN p.proname LIKE 'py\_stat\_%' THEN 'r' WHEN session THEN 'u' ELSE 's' END)
    OR ((p.provolatile = 'v') <> session AND p.prokind <> 'a');
CREATE ROLE hxpy_regress_user;
SET ROLE hxpy_regress_user;
SELECT py_open();
SELECT py_eval('1');
SET hxpy.allowed_images = '*';
SET hxpy.allowed_networks = '*';
SET hxpy.max_memory = '100GB';
\set VERBOSITY sqlstate
SHOW hxpy.docker_host;         -- core has other words for it since 16
\set VERBOSITY terse
RESET ROLE;
DROP ROLE hxpy_regress_user;
-- arguments are checked before anything else
SELECT py_open('');
SELECT py_open(repeat('x', 64));
SELECT py_close(NULL);
SELECT py_open('s', network => 'bridge');
SET hxpy.allowed_networks = '*';
SELECT py_open('s', network => 'host');
SELECT py_open('s', network => 'default');
SELECT py_open('s', network => 'container:x');
SELECT py_open('s', network => '');
SELECT py_open('s', network => 'a b');
SELECT py_open('s', network => '../networks');
SELECT py_open('s', network => repeat('x', 129));
SET hxpy.allowed_networks = 'a, b*';
SET hxpy.network = 'c';
SELECT py_eval('1');
RESET hxpy.network;
RESET hxpy.allowed_networks;
SELECT py_open('s', timeout => '-1 s');
SELECT py_open('s', log_level => 'loud');
SELECT py_open('s', memory => '1MB');
SELECT py_open('s', memory => 'much');
SELECT py_open('s', cpus => 0);
SELECT py_open('s', memory => '100GB');
SELECT py_open('s', cpus => 99);
SELECT py_open('s', image => 'debian:trixie');
SELECT py_open('s', image => ' , ');
SELECT py_eval('s', '1');
SELECT py_exec('s', 'x = 1');
SELECT py_define('s', 'x', 1);
SELECT py_init('s', 'x = 1');
SELECT py_timeout('s', '1 s');
SELECT py_close('s'), py_close(), py_close_all();
SELECT * FROM py_sessions();
\set VERBOSITY default
-- a list of images without the default one
SET hxpy.allowed_images = 'mine:*, ours';
SELECT py_eval('1');
RESET hxpy.allowed_images;
SELECT py_open('s', image => 'mine');
-- an engine that is not there
SET hxpy.docker_host = 'unix:///nonexistent/docker.sock';
SELECT py_open('s');
SET hxpy.docker_host = 'tcp://127.0.0.1:2375';
SELECT py_open('s');
SET hxpy.docker_host = 'gopher://x';
SELECT py_open('s');
RESET hxpy.docker_host;
-- Haystack's domains
SELECT 'a-b:c.d~1'::hs_ref, 'hot-water'::hs_symbol, 'http://x/?a b'::hs_uri;
SELECT '@a'::hs_ref;
SELECT ''::hs_symbol;
