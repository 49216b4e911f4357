-- py_call: callables of sessions with SQL values, in batches and not.  After x_batches, whose
-- tables and functions it uses.
LOAD 'hxpy';
SET search_path = batches, public;
SET max_parallel_workers_per_gather = 0;
SET DateStyle = 'ISO, MDY';
SELECT py_exec(py_open('c'), $$
import hxpy
seen = []
def show(*values): return repr(values)
def add(x, y): return None if x is None else x + (y or 0)
def pair(a): return {'id': a, 'x': None, 'y': -a, 't': str(a)}
def note(x):
    seen.append(x)
    return x
def taken():
    taken = seen[:]
    seen.clear()
    return taken
def fails(x): return 12 // (x - 3)
@hxpy.batch
def scale(x, y): return x * 10 + y
@hxpy.batch
def kinds(*columns): return [' '.join(type(column).__name__ for column in columns)] * len(columns[0])
$$);
-- forms
SELECT py_call('c', 'show'), pg_typeof(py_call('c', 'show')), py_call('c', 'taken', NULL::int[]), py_call('c', 'lambda: 1 + 1', NULL::float4);
SELECT py_call('c', 'show', NULL::text, 1, 'abc', NULL, 1.50, true, '2024-01-01'::date, ARRAY[1, NULL], ROW(1, 'x'), '{"a": [1]}'::jsonb);
SELECT py_call('c', 'add', NULL::jsonb, 1, 2), py_call('c', 'add', NULL::numeric, 0.5, 1), py_call('c', 'add', NULL::float8, NULL::int, 1);
SELECT py_call('c', 'pair', NULL::r, 3), (py_call('c', 'pair', NULL::r, 4)).t, py_call('c', 'lambda x: x["t"] * 2', NULL::text, r) FROM r WHERE id = 3;
SELECT py_call('c', 'lambda x: x', NULL::hs_ref, 'a-1');
SELECT py_call('c', 'lambda x: x', NULL::hs_ref, 'a 1');
SELECT py_call('c', 'show', NULL::text, VARIADIC ARRAY['a', NULL]), py_call('c', 'show', NULL::text, VARIADIC '{}'::int[]), py_call('c', 'show', NULL::text, VARIADIC NULL::int[]);
SELECT py_call('c', 'show', NULL::text, VARIADIC array_agg(i)) FROM generate_series(1, 101) AS i;
-- without a session
SELECT py_exec('def twice(x): return x * 2');
SELECT py_call('twice', NULL::int, 4), py_call('list'), py_call('dict', NULL::jsonb);
SET hxpy.session = 'c';
SELECT py_call('add', NULL::int, 4, 5), py_call('add', NULL::jsonb, id, x) FROM r;
RESET hxpy.session;
SELECT py_call('twice', NULL::text, 'x');
SELECT py_call('default', 'twice', NULL::text, 'x');
-- what is wrong
SELECT py_call('c', 'add', 1, 2);
SELECT py_call('c', 'add', id, 2) FROM r;
SELECT py_call('c', NULL, NULL::int, 1);
SELECT py_call(NULL::text, 'add', NULL::int, 1);
SELECT py_call('c', 'nosuch', NULL::int, 1);
SELECT py_call('c', 'nosuch', NULL::int, id) FROM r;
SELECT py_call('c', 'seen', NULL::int, id) FROM r;
SELECT py_call('nosuch', 'add', NULL::int, id) FROM r;
SELECT py_call('c', 'show', NULL::int, 1);
SELECT py_call('c', 'fails', NULL::int, id) FROM r;
SELECT * FROM compare($$SELECT py_call('c', 'nosuch', NULL::int, id) FROM r$$);
SELECT * FROM compare($$SELECT CASE WHEN x > 9 THEN py_call('c', 'nosuch', NULL::int, id) ELSE id END FROM r$$);
-- in batches
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, py_call('c', 'add', NULL::int, x, 'y') FROM r WHERE py_call('c', 'add', NULL::int, y, 1) > 11 AND id < 5;
SELECT * FROM compare($$SELECT id, py_call('c', 'add', NULL::int, x, y), py_call('c', 'show', NULL::text, id, t, 'abc', NULL, r, ARRAY[id, 2]) FROM r$$);
SELECT * FROM compare($$SELECT id FROM r WHERE py_call('c', 'add', NULL::int, x, y) > 11 AND py_call('c', 'fails', NULL::int, id + 3) > 2$$);
SELECT * FROM compare($$SELECT sum(py_call('c', 'add', NULL::int, x, y)), max(py_call('c', 'show', NULL::text, t)) FILTER (WHERE py_call('c', 'add', NULL::int, y, 0) > 10) FROM r$$);
SELECT * FROM compare($$SELECT py_call('c', 'pair', NULL::r, id), (py_call('c', 'pair', NULL::r, id)).t, py_call('c', 'str', NULL::hs_ref, id) FROM r$$);
SELECT * FROM compare($$SELECT CASE WHEN id = 3 THEN 0 ELSE py_call('c', 'fails', NULL::int, id) END, coalesce(y, py_call('c', 'add', NULL::int, 1, id)) FROM r ORDER BY py_call('c', 'add', NULL::int, y, 0) DESC$$);
SELECT * FROM compare($$SELECT py_call('c', 'fails', NULL::int, id) FROM r$$);
SELECT * FROM compare($$SELECT py_call('c', 'scale', NULL::float8, id, x), py_call('c', 'kinds', NULL::text, id, 'a', r, t::bytea, id > 1) FROM r$$);
-- calls in calls; functions of the language, and other sessions, have nodes of their own
EXPLAIN (VERBOSE, COSTS OFF) SELECT py_call('c', 'add', NULL::int, py_call('c', 'scale', NULL::int, x, 1), g(y)), py_call('twice', NULL::int, y) FROM r;
SELECT * FROM compare($$SELECT py_call('c', 'add', NULL::int, py_call('c', 'add', NULL::int, x, 1), g(y)), py_call('lambda x: x and x * 2', NULL::int, y), g(py_call('c', 'add', NULL::int, x, 0)) FROM r$$);
-- each is made as often as the query says; a LIMIT asks for its rows alone
SELECT py_call('c', 'taken') IS NOT NULL AS forgotten;
SELECT py_call('c', 'note', NULL::int, 1), py_call('c', 'note', NULL::int, 1) FROM r;
SELECT py_call('c', 'taken');
SELECT py_call('c', 'note', NULL::int, y) FROM r ORDER BY y LIMIT 2;
SELECT py_call('c', 'taken');
SELECT id FROM r WHERE py_call('c', 'note', NULL::int, x) >= 1 AND id > 1;
SELECT py_call('c', 'taken');
-- session and callable may be parameters; where they differ a row is a call
CREATE FUNCTION calls(s text, f text, OUT nodes int, OUT total bigint) LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  nodes := 0;
  FOR line IN EXPLAIN (COSTS OFF) SELECT sum(py_call(s, f, NULL::int, id, 1)) FROM r LOOP
    nodes := nodes + (line LIKE '%(hxpy calls)%')::int;
  END LOOP;
  SELECT sum(py_call(s, f, NULL::int, id, 1)) FROM r INTO total;
END $$;
SET plan_cache_mode = force_generic_plan;
SELECT calls('c', 'add'), calls('c', 'max'), calls('default', 'min');
PREPARE named(text, int) AS SELECT py_call($1, 'add', NULL::int, id, $2) FROM r;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE named('c', 1);
EXECUTE named('c', 1);
EXECUTE named(NULL, 1);
RESET plan_cache_mode;
SELECT * FROM compare($$SELECT py_call('c', CASE WHEN id % 2 = 0 THEN 'min' ELSE 'max' END, NULL::int, id, 3), py_call('c', 'show', NULL::text, VARIADIC ARRAY[x, y]) FROM r$$);
SELECT * FROM compare($$SELECT py_call(CASE WHEN id > 1 THEN 'c' END, 'min', NULL::int, id, 3) FROM r ORDER BY id DESC$$);
-- a new definition counts at once
SELECT py_exec('c', 'def add(x, y): return -1');
EXECUTE named('c', 1);
SELECT id, py_call('c', 'add', NULL::int, id, 1) FROM r WHERE id < 3;
-- hxpy.types is about functions of the language
SET hxpy.types = 'plpython';
SELECT py_call('c', 'show', NULL::text, 1.5, id, ARRAY[1.5], '2024-01-01'::date), up(t) FROM r WHERE id = 1;
RESET hxpy.types;
-- other roles
CREATE ROLE call_user;
GRANT USAGE ON SCHEMA batches TO call_user;
GRANT SELECT ON r TO call_user;
SET ROLE call_user;
SELECT py_call('c', 'show', NULL::text, id) FROM r;
EXPLAIN (COSTS OFF) SELECT py_call('c', 'show', NULL::text, 1);
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO call_user;
SET ROLE call_user;
SELECT py_call('c', 'show', NULL::text, id) FROM r;
-- SQL that it runs may write, in the order of the rows
CREATE TEMP TABLE log (id serial, x int);
SELECT py_exec(py_open('c'), $$
import plpy
def write(x):
    plpy.execute(f'INSERT INTO log (x) VALUES ({x})')
    return plpy.execute('SELECT count(*) AS n FROM log')[0]['n']
$$);
SELECT id, py_call('c', 'write', NULL::int, id * 2) FROM r WHERE id < 4;
SELECT * FROM log;
RESET ROLE;
SELECT proname, count(*), bool_and(provolatile = 'v' AND proparallel = 'u' AND obj_description(oid, 'pg_proc') IS NOT NULL) FROM pg_proc WHERE proname = 'py_call' GROUP BY 1;
-- cancel, and a session that is lost
SELECT py_exec('c', 'import time, os');
SET statement_timeout = '300ms';
SELECT py_call('c', 'lambda x: time.sleep(x)', NULL::int, id * 10) FROM r;
RESET statement_timeout;
SELECT count(py_call('c', 'show', NULL::text, id)) FROM r;
SELECT py_call('c', 'lambda x: os._exit(x)', NULL::int, id) FROM r;
SELECT py_call('c', 'show', NULL::text, id) FROM r;
SELECT py_close('c');
DROP FUNCTION calls;
DROP OWNED BY call_user;
DROP ROLE call_user;
