-- plpy.subtransaction
CREATE ROLE sub_user;
GRANT CREATE ON SCHEMA public TO sub_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO sub_user;
GRANT USAGE ON LANGUAGE hxpy TO sub_user;
SET SESSION AUTHORIZATION sub_user;
CREATE TABLE sub_a (i int PRIMARY KEY);
CREATE FUNCTION sub_run(code text) RETURNS text LANGUAGE hxpy AS $$
def insert(i):
    plpy.execute(f'INSERT INTO sub_a VALUES ({i})')
try:
    exec(code)
except Exception as error:
    return f'{type(error).__name__}: {error}'
return 'done'
$$;
CREATE FUNCTION sub_rows() RETURNS text LANGUAGE sql AS $$ WITH d AS (SELECT array_agg(i ORDER BY i) AS a FROM sub_a) SELECT a::text FROM d $$;
SELECT sub_run('with plpy.subtransaction(): insert(1); insert(2)'), sub_rows();
SELECT sub_run('with plpy.subtransaction(): insert(3); insert(1)'), sub_rows();
SELECT sub_run('with plpy.subtransaction(): insert(3); raise ValueError("of Python")'), sub_rows();
-- nested
SELECT sub_run($$
with plpy.subtransaction() as s:
    insert(10)
    try:
        with plpy.subtransaction():
            insert(11)
            insert(11)
    except plpy.spiexceptions.UniqueViolation as error:
        plpy.notice(type(error).__name__, error.table_name)
    with plpy.subtransaction():
        insert(12)
    plpy.notice(type(s).__name__)
$$), sub_rows();
SELECT sub_run($$
try:
    with plpy.subtransaction():
        with plpy.subtransaction():
            insert(20)
        insert(21)
        raise KeyError('outer')
except KeyError:
    insert(22)
$$), sub_rows();
-- by hand
SELECT sub_run('s = plpy.subtransaction(); s.enter(); insert(30); s.exit(None, None, None)'), sub_rows();
SELECT sub_run('s = plpy.subtransaction(); s.__enter__(); insert(31); s.__exit__(ValueError, None, None)'), sub_rows();
SELECT c, sub_run(c) FROM unnest(ARRAY['plpy.subtransaction().exit(None, None, None)', 's = plpy.subtransaction(); s.enter(); s.enter()',
  's = plpy.subtransaction(); s.enter(); s.exit(None, None, None); s.exit(None, None, None)', 's = plpy.subtransaction(); s.enter(); s.exit(None, None, None); s.enter()',
  's = plpy.subtransaction(); s.enter(); insert(40)', 'with plpy.subtransaction() as s: s.exit(None, None, None); insert(41)',
  'with plpy.subtransaction() as s: s.__exit__(ValueError, None, None); insert(42)']) AS c;
SELECT sub_rows();
-- an error that is not caught ends all; also what was left open
CREATE FUNCTION sub_fail() RETURNS void LANGUAGE hxpy AS $$
plpy.subtransaction().enter()
plpy.execute('INSERT INTO sub_a VALUES (50)')
with plpy.subtransaction():
    plpy.execute('SELECT 1 / 0')
$$;
SELECT sub_fail();
DO $$ BEGIN PERFORM sub_fail(); EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught %', sub_rows(); END $$;
-- an inner call ends nothing of an outer one's
CREATE FUNCTION sub_inner(how text) RETURNS text LANGUAGE hxpy AS $$
try:
    if how == 'exit':
        GD['s'].exit(None, None, None)
    if how == 'enter':
        plpy.subtransaction().enter()
    with plpy.subtransaction():
        plpy.execute('INSERT INTO sub_a VALUES (61)')
except ValueError as error:
    return str(error)
$$;
SELECT sub_run($$
with plpy.subtransaction() as GD['s']:
    insert(60)
    for how in ('exit', 'enter', 'with'):
        plpy.notice(plpy.execute(f"SELECT sub_inner('{how}') AS a, sub_rows() AS b")[0])
    insert(62)
    raise ValueError
$$), sub_rows();
-- what runs in it when the call is canceled, or the session dies
SET statement_timeout = '300ms';
SELECT sub_run(E'import time\nwith plpy.subtransaction(): insert(70); time.sleep(10)');
SELECT sub_run(E'with plpy.subtransaction(): insert(70); plpy.execute("SELECT pg_sleep(10)")');
RESET statement_timeout;
DO $$ BEGIN PERFORM sub_run(E'import os\nwith plpy.subtransaction(): insert(71); os._exit(1)'); EXCEPTION WHEN connection_failure THEN RAISE NOTICE 'lost: %', sub_rows(); END $$;
SELECT py_close();
SELECT sub_run('insert(72)'), sub_rows();
-- where rows are given out there is none; in py_apply it ends before the next batch comes
CREATE FUNCTION sub_yield() RETURNS SETOF int LANGUAGE hxpy AS $$
yield 1
with plpy.subtransaction():
    plpy.execute('INSERT INTO sub_a VALUES (80)')
try:
    with plpy.subtransaction():
        plpy.execute('INSERT INTO sub_a VALUES (81)')
        yield 2
except ValueError as error:
    plpy.notice(str(error))
yield 3
$$;
SELECT * FROM sub_yield();
SELECT sub_yield();
DELETE FROM sub_a WHERE i >= 80;
SELECT * FROM sub_yield() LIMIT 1;
SELECT sub_rows();
DELETE FROM sub_a;
SET hxpy.batch_size = 16;
SELECT py_exec('default', $$
import plpy
def each(df):
    for i in df.i:
        if i % 3000 == 0:
            try:
                with plpy.subtransaction():
                    plpy.execute(f'INSERT INTO sub_a VALUES ({i})')
                    if i % 2000:
                        raise ValueError
            except ValueError:
                pass
    if df.i.max() > 19000:
        plpy.subtransaction().enter()
    return [(len(df),)]
$$);
SELECT sum(n) FROM py_apply('default', 'each', 'SELECT i, repeat(''x'', 10) AS t FROM generate_series(1, 20000) AS i') AS t(n int);
SELECT sub_rows();
RESET hxpy.batch_size;
SELECT py_eval_into('default', '((plpy.subtransaction().enter() and i,) for i in range(3))', 'sub_b', 'fail');
-- STABLE functions and limits
ALTER FUNCTION sub_run STABLE;
SELECT sub_run('with plpy.subtransaction(): insert(90)');
ALTER FUNCTION sub_run VOLATILE;
SET client_min_messages = error;
SELECT sub_run(E'for i in range(2000): plpy.subtransaction().enter()'), sub_run(E'for i in range(2000):\n with plpy.subtransaction(): pass');
SELECT sub_run(E'for i in range(300): plpy.subtransaction().enter()\nraise ValueError(i)');
RESET client_min_messages;
SELECT sub_run('insert(99)'), sub_rows();
SELECT py_close_all();
DROP FUNCTION sub_run, sub_rows, sub_fail, sub_inner, sub_yield;
DROP TABLE sub_b;
RESET SESSION AUTHORIZATION;
DROP OWNED BY sub_user;
DROP ROLE sub_user;
