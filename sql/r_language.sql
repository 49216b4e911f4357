-- LANGUAGE hxpy: functions, DO, the validator, composites, arrays, procedures.
SELECT lanname, lanpltrusted FROM pg_language WHERE lanname = 'hxpy';
CREATE FUNCTION add(a int, b int DEFAULT 2) RETURNS int LANGUAGE hxpy AS $$
return a + b
$$;
SELECT add(1), add(2, 3), add(b => 4, a => 5);
SELECT add(1, NULL);
-- arguments without names, args, and what PL/Python calls global
CREATE FUNCTION strip(x text, text) RETURNS text LANGUAGE hxpy AS $$
  global x
  if x is None:
      return None
  x = x.strip() + args[1] + str(len(args))
  def shout():
      global x
      x += '!'
  shout()
  return x
$$;
SELECT strip('  abc ', '-'), strip(NULL, '') IS NULL AS is_null;
-- the validator
CREATE FUNCTION broken() RETURNS int LANGUAGE hxpy AS $$
x = 1
if x
    return 2
$$;
CREATE FUNCTION broken() RETURNS int LANGUAGE hxpy AS 'global x; x = 1; nonlocal x';
SET check_function_bodies = off;
CREATE FUNCTION broken() RETURNS int LANGUAGE hxpy AS 'if';
RESET check_function_bodies;
SELECT broken();
SELECT broken();
CREATE FUNCTION wrong() RETURNS cstring LANGUAGE hxpy AS 'return 1';
CREATE FUNCTION wrong(internal) RETURNS int LANGUAGE hxpy AS 'return 1';
SET hxpy.docker_host = 'unix:///nowhere/docker.sock';
SELECT py_close_all() >= 0 AS closed;
SET hxpy.session = 'unreachable';
CREATE FUNCTION unseen() RETURNS int LANGUAGE hxpy AS 'if';
RESET hxpy.docker_host;
RESET hxpy.session;
-- errors name the function and the line of its body
CREATE FUNCTION divide(a int) RETURNS int LANGUAGE hxpy AS $$
def inner(value):
    return 1 / value

return inner(a)
$$;
SELECT divide(0);
SELECT divide(1);
SELECT divide(2);
CREATE FUNCTION nothing() RETURNS void LANGUAGE hxpy AS 'pass';
CREATE FUNCTION something() RETURNS void LANGUAGE hxpy AS 'return 1';
SELECT nothing(), nothing() IS NULL AS is_null;
SELECT something();
-- replaced, renamed, dropped in mid session; SD lasts as long as the function
CREATE FUNCTION bump() RETURNS int LANGUAGE hxpy AS $$
SD['n'] = SD.get('n', 0) + 1
return SD['n']
$$;
SELECT bump(), bump(), bump();
ALTER FUNCTION bump() RENAME TO tally_up;
SELECT tally_up();
CREATE OR REPLACE FUNCTION tally_up() RETURNS int LANGUAGE hxpy AS $$
SD['n'] = SD.get('n', 0) - 1
return SD['n']
$$;
SELECT tally_up(), tally_up();
DROP FUNCTION tally_up();
SELECT tally_up();
-- GD is the session's namespace
SELECT py_exec('model = 42');
CREATE FUNCTION score() RETURNS int LANGUAGE hxpy AS $$
GD['scored'] = True
return GD['model']
$$;
SELECT score(), py_eval('scored');
CREATE FUNCTION elsewhere() RETURNS text LANGUAGE hxpy SET hxpy.session = 'other' AS $$
return str('model' in GD)
$$;
SELECT elsewhere(), (SELECT string_agg(session, ' ' ORDER BY session) FROM py_sessions());
CREATE FUNCTION pinned() RETURNS int LANGUAGE hxpy SET hxpy.image = 'hxpy:9.9' AS 'return 1';
SELECT pinned();
DO LANGUAGE hxpy $$
GD['done'] = 1
print('printed')
return
GD['done'] = 2
$$;
SELECT py_eval('done');
DO LANGUAGE hxpy 'raise ValueError("no")';
-- what PL/Python has otherwise: GD is a module's namespace, arguments are no globals
CREATE FUNCTION names(a int) RETURNS text LANGUAGE hxpy AS $$
return f"{'__name__' in GD} {sorted(name for name in globals() if name[0] != '_')} {args}"
$$;
SELECT names(1);
-- no call in a parallel worker, whatever the function says
CREATE FUNCTION apart(a int) RETURNS int PARALLEL SAFE LANGUAGE hxpy AS 'return a';
SET parallel_leader_participation = off;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT sum(apart(oid::int)) > 0 FROM pg_class;
RESET parallel_leader_participation;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP FUNCTION names, apart;
-- recursion, and a session that is busy
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE hxpy AS 'return 2 * n';
SELECT twice(twice(twice(1)));
-- numpy may be imported meanwhile, which no interrupt ends: on a busy machine that takes long
SET hxpy.cancel_grace = '1min';
SELECT py_define_grid('default', 'g', 'SELECT twice(1)');
RESET hxpy.cancel_grace;
SELECT twice(1);
BEGIN;
SAVEPOINT a;
SELECT divide(0);
ROLLBACK TO a;
SELECT twice(4);
COMMIT;
DO $$
BEGIN
  PERFORM divide(0);
EXCEPTION WHEN external_routine_exception THEN
  RAISE NOTICE 'caught: %', SQLERRM;
END $$;
-- who may
CREATE ROLE hxpy_regress_caller;
SET ROLE hxpy_regress_caller;
CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE hxpy AS 'return 1';
SELECT score();
RESET ROLE;
CREATE FUNCTION of_owner() RETURNS int LANGUAGE hxpy SECURITY DEFINER AS $$return GD['model']$$;
SET ROLE hxpy_regress_caller;
SELECT of_owner();
RESET ROLE;
DROP ROLE hxpy_regress_caller;
-- who creates one that is called row by row is told so, unless it may have to be
CREATE SCHEMA advice;
SET search_path = advice, public;
CREATE FUNCTION told(a int) RETURNS int LANGUAGE hxpy AS 'return a';
CREATE OR REPLACE FUNCTION told(a int) RETURNS int LANGUAGE hxpy_batch VOLATILE AS 'return a';
CREATE OR REPLACE FUNCTION told(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return a';
CREATE FUNCTION runs_sql(a int) RETURNS int LANGUAGE hxpy AS $$ return plpy.execute('SELECT 1').nrows() $$;
CREATE FUNCTION runs_more(a int) RETURNS int LANGUAGE hxpy AS $$ from hxpy import sql; return len(sql('SELECT 1')) $$;
CREATE FUNCTION without_arguments() RETURNS int LANGUAGE hxpy AS 'return 1';
CREATE FUNCTION gives_nothing(a int) RETURNS void LANGUAGE hxpy AS 'pass';
CREATE FUNCTION gives_rows(a int) RETURNS SETOF int LANGUAGE hxpy AS 'return [a]';
CREATE FUNCTION is_trigger() RETURNS trigger LANGUAGE hxpy AS 'return None';
CREATE PROCEDURE is_called(INOUT a int) LANGUAGE hxpy AS 'return a,';
SET check_function_bodies = off;
CREATE FUNCTION restored(a int) RETURNS int LANGUAGE hxpy AS 'return a';
RESET check_function_bodies;
SET hxpy.batch_volatile = on;
CREATE FUNCTION batched(a int) RETURNS int LANGUAGE hxpy AS 'return a';
RESET hxpy.batch_volatile;
SET hxpy.batching = off;
CREATE FUNCTION unbatched(a int) RETURNS int LANGUAGE hxpy AS 'return a';
RESET hxpy.batching;
RESET search_path;
\set VERBOSITY terse
DROP SCHEMA advice CASCADE;
\set VERBOSITY default
SELECT py_close_all();
DROP FUNCTION add, strip(text, text), broken, unseen, divide, nothing, something, score, elsewhere, pinned,
  twice, of_owner;
