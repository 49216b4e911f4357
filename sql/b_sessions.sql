-- Sessions: open, define, exec, eval, init, nesting, close.
\set VERBOSITY terse
SELECT py_eval(py_exec(py_define(py_define(py_timeout(py_open('s'), '10 s'), 'a', 100), 'b', 2),
               'def mult(x, y): return x * y'), 'mult(a, b)');
-- opened once; options that differ are an error
SELECT py_open('s'), py_open('s', timeout => '10 s');
SELECT py_open('s', timeout => '11 s');
SELECT py_open('s', memory => '512MB');
SELECT py_open('s', persistent => false);
-- another session has its own variables
SELECT py_open('t');
SELECT py_eval('t', 'a');
SELECT py_eval('s', 'a');
SELECT session, role = current_user AS own, length(container) AS id, image, state,
       opened <= last_used AS used, timeout
  FROM py_sessions() ORDER BY session;
-- the default session opens on first use
SELECT py_eval('1 + 1');
SELECT py_define('x', 20), py_exec('y = x * 2'), py_eval('y');
SELECT py_timeout('1 min'), py_init('z = 1'), py_eval('z');
SELECT py_close(), py_close();
SELECT py_eval('"x" in globals()');
-- init runs once in a session's life, and again in the next life
SELECT py_init('t', 'count = globals().get("count", 0) + 1') FROM generate_series(1, 3);
SELECT py_eval('t', 'count');
SELECT py_init('t', 'count = 100');
SELECT py_eval('t', 'count'), py_close('t');
-- values once, each name for itself, whether code ran or not; what fails has not been defined
SELECT py_open('v'), py_init('v', 'a', n), py_init('v', 'b', ARRAY[n]), py_init('v', 'c', NULL::text) FROM generate_series(1, 2) AS n;
SELECT py_eval('v', '[a, b, c]'), py_exec('v', 'a = 7; del b'), py_init('v', 'a', 1), py_init('v', 'b', 1);
SELECT py_init('v', 'd = a'), py_eval('v', '[a, d, "b" in globals()]');
SELECT py_init('v', 'e', 'infinity'::date);
SELECT py_init('v', 'e', '2024-02-29'::date), py_eval('v', 'e');
SELECT py_init('v', 'no name', 1);
SELECT py_init('v', NULL, 1);
SELECT py_init('nosuch', 'a', 1);
SELECT py_close('v'), py_init(py_open('v'), 'a', 2), py_eval('v', 'a'), py_close('v');
-- packages of the image
SELECT count(*) > 10 AS many, count(*) = count(DISTINCT name) AS once, bool_and(version ~ '^[0-9]') AS versions,
       count(*) FILTER (WHERE name IN ('numpy', 'pandas', 'scipy', 'scikit-learn', 'matplotlib')) AS ours FROM py_packages();
SELECT version = py_eval('p', '__import__("numpy").__version__', NULL::text) AS numpy FROM py_packages(py_open('p')) WHERE name = 'numpy';
SELECT py_close('p');
SELECT * FROM py_packages('p');
SELECT py_init(py_open('t'), 'import nosuchmodule');
SELECT py_init('t', 'count = 1');
SELECT py_eval('t', 'count');
-- state survives errors and ROLLBACK
BEGIN;
SELECT py_define('t', 'kept', 7);
SELECT 1 / 0;
ROLLBACK;
SELECT py_eval('t', 'kept');
DO $$
BEGIN
  PERFORM py_exec('t', 'kept = 8; 1 / 0');
EXCEPTION WHEN external_routine_exception THEN
  RAISE NOTICE 'caught: %', sqlerrm;
END $$;
SELECT py_eval('t', 'kept');
-- output
SELECT py_exec('t', $$
    import os, sys
    print('one'); print('two', end=''); print()
    print('three', file=sys.stderr)
    _ = os.system('echo four')
    print('five')
$$);
SET hxpy.output = 'none';
SELECT py_exec('t', 'print("unseen")');
SET hxpy.output = 'warning';
SELECT py_eval('t', 'print("seen")');
RESET hxpy.output;
-- not persistent: closed after the first eval
SELECT py_open('once', persistent => false), py_define('once', 'a', 1), py_eval('once', 'a');
SELECT py_eval('once', 'a');
SELECT py_open('once', persistent => false), py_eval('once', '1 / 0');
SELECT py_eval('once', 'a');
-- ... whoever is the current role when it fails; not while its rows are read
CREATE FUNCTION refuse(v int) RETURNS boolean SECURITY DEFINER LANGUAGE plpgsql AS $$BEGIN IF v > 0 THEN RAISE 'refused'; END IF; RETURN true; END$$;
CREATE DOMAIN refused AS int CHECK (refuse(VALUE));
CREATE FUNCTION again(v int) RETURNS boolean LANGUAGE sql AS $$SELECT py_eval('once', '1') IS NOT NULL$$;
CREATE DOMAIN evaluated AS int CHECK (again(VALUE));
CREATE ROLE regress_once;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO regress_once;
SELECT py_open('once', persistent => false);
SET ROLE regress_once;
SELECT py_open('once', persistent => false), py_eval('once', '1', NULL::refused);
SELECT count(*) FROM py_sessions();
RESET ROLE;
\set VERBOSITY default
SELECT v FROM py_eval_grid('once', '[[1]]') AS t(v evaluated);
\set VERBOSITY terse
SELECT py_eval('once', '2');
SELECT py_eval('once', '3');
DROP DOMAIN refused, evaluated;
DROP FUNCTION refuse, again;
DROP OWNED BY regress_once;
DROP ROLE regress_once;
-- names
SELECT py_define('t', 'not valid', 1);
SELECT py_define('t', 'class', 1);
SELECT py_define('t', 'größe', 1), py_eval('t', 'größe');
SELECT py_define('t', NULL, 1);
SELECT py_eval('t', NULL);
SELECT py_open(E'red\033[31m');
SELECT py_open(E'line\n');
SELECT py_open(E'del\177');
SELECT py_open(U&'c1\009b31m');
SELECT py_open('Ünïcode "quoted" name'), py_eval('Ünïcode "quoted" name', '1');
-- a process that the code forks ends where the code does
SELECT py_exec('t', 'import os; print("once", end=""); pid = os.fork()');
SELECT py_eval('t', 'os.waitpid(pid, 0)[1]');
SELECT py_exec('t', 'pid = os.fork(); 0 if pid else exit(3)');
SELECT py_eval('t', 'os.waitpid(pid, 0)[1] >> 8');
SELECT py_exec('t', $$
    def forking(frame=None):
        global pid
        pid = os.fork()
        yield 1
    def applied(frame):
        return next(forking()) * frame
$$);
SELECT * FROM py_eval_grid('t', '({"n": n} for n in forking())') AS t(n int);
SELECT py_eval('t', 'os.waitpid(pid, 0)[1]');
SELECT * FROM py_apply('t', 'applied', 'SELECT 5 AS n') AS t(n int);
SELECT py_eval('t', 'os.waitpid(pid, 0)[1]');
-- DISCARD ALL closes everything
SELECT count(*) FROM py_sessions();
DISCARD ALL;
SELECT count(*) FROM py_sessions();
SELECT py_open('s'), py_open('t'), py_close_all(), py_close_all();
