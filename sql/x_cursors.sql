-- plpy.cursor and hxpy.sql_batches
CREATE ROLE cursor_user;
GRANT CREATE ON SCHEMA public TO cursor_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO cursor_user;
GRANT USAGE ON LANGUAGE hxpy TO cursor_user;
SET SESSION AUTHORIZATION cursor_user;
CREATE TABLE cur_a (id int, t text);
INSERT INTO cur_a SELECT i, 't' || i FROM generate_series(1, 5) AS i;
SELECT py_exec(py_open('p'), $$
import plpy, hxpy
def tell(call):
    try:
        return str(call())
    except Exception as error:
        return f'{type(error).__name__}: {error}'
plan = plpy.prepare('SELECT id FROM cur_a WHERE id > $1 ORDER BY id', ['int'])
def rows(*args):
    return plpy.cursor('SELECT * FROM cur_a ORDER BY id')
$$);
SELECT py_eval('p', '[row["t"] for row in rows()]');
SELECT py_eval('p', '[[r["id"] for r in plpy.cursor(plan, [2])], [r["id"] for r in plan.cursor([4])]]');
SELECT py_exec('p', $$
cur = rows()
print(next(cur), cur.fetch(2), len(cur.fetch(0 + 1)), next(cur))
print(cur.fetch(10), cur.fetch(10).nrows(), cur.fetch(1).colnames(), cur.fetch(1).status())
print(tell(lambda: next(cur)), [tell(lambda: cur.fetch('x'))])
cur.close()
cur.close()
print(tell(lambda: next(cur)), tell(lambda: cur.fetch(1)))
cur = rows()
print(cur.fetch(2), cur.fetch(-1), tell(lambda: (next(cur), cur.fetch(-1))))
$$);
-- errors, as of PL/Python
SELECT unnest(ARRAY[py_eval('p', 'tell(lambda: plpy.cursor(5))'), py_eval('p', 'tell(lambda: plpy.cursor(plan))'), py_eval('p', 'tell(lambda: plpy.cursor(plan, "1"))'),
  py_eval('p', 'tell(lambda: plpy.cursor("SELECT 1", []))'), py_eval('p', 'tell(lambda: plpy.cursor("DELETE FROM cur_a"))'),
  py_eval('p', 'tell(lambda: plpy.cursor("SELECT 1; SELECT 2"))'), py_eval('p', 'tell(lambda: plpy.cursor("SELECT nosuch"))'),
  py_eval('p', 'tell(lambda: list(plpy.cursor("SELECT 1 / (3 - id) FROM cur_a")))'), py_eval('p', 'tell(lambda: cur.fetch())')]);
-- it ends with its transaction, and with the subtransaction that has opened it
SELECT py_exec('p', 'cur = rows(); first = next(cur)');
SELECT py_eval('p', '[tell(lambda: next(cur)), tell(lambda: cur.fetch(1)), tell(lambda: cur.close())]');
BEGIN;
SELECT py_exec('p', 'cur = rows(); first = next(cur)');
SELECT py_eval('p', '[tell(lambda: next(cur)), tell(lambda: cur.fetch(1))]');
SELECT count(*) FROM pg_cursors;
CLOSE ALL;
SELECT py_eval('p', '[tell(lambda: next(cur)), tell(lambda: cur.fetch(1))]');
COMMIT;
SELECT py_exec('p', $$
outer = rows()
next(outer)
try:
    with plpy.subtransaction():
        inner = rows()
        next(inner), next(outer)
        plpy.execute('SELECT 1 / 0')
except plpy.spiexceptions.DivisionByZero:
    pass
print(tell(lambda: next(inner)), tell(lambda: inner.fetch(1)), tell(lambda: inner.close()), next(outer))
with plpy.subtransaction():
    inner = rows()
print(next(inner))
$$);
-- changes meanwhile are not seen; rows are read ahead only where nobody can tell
SELECT py_exec('p', $$
for row in rows():
    plpy.execute(f'UPDATE cur_a SET t = t || {row["id"]}')
print([row['t'] for row in rows()])
$$);
CREATE FUNCTION cur_say(i int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', i; RETURN i; END';
SELECT py_exec('p', $$
for row in plpy.cursor('SELECT cur_say(id) AS i FROM cur_a ORDER BY id LIMIT 3'):
    print('got', row['i'])
for row in plpy.cursor('SELECT id FROM cur_a ORDER BY id FOR UPDATE'):
    print(plpy.execute(f'DELETE FROM cur_a WHERE id = {row["id"]} + 1').nrows())
$$);
SELECT py_exec('p', $$
print(plpy.cursor('UPDATE cur_a SET t = null RETURNING id').fetch(5).nrows(), plpy.cursor('EXPLAIN (COSTS off) SELECT 1').fetch(1))
del cur, outer, inner
plpy.execute('DROP TABLE cur_a')
$$);
-- within a cursor's query, Python again
SELECT py_eval('p', 'sum(r["v"] for r in plpy.cursor("SELECT py_eval(''p'', ''1 + 1'', NULL::int) AS v FROM generate_series(1, 5)"))');
SELECT py_eval('p', 'sum(r["i"] for r in plpy.cursor("SELECT * FROM py_eval_grid(''p'', ''((i,) for i in range(100))'') AS t(i int)"))');
CREATE FUNCTION cur_set(n int) RETURNS SETOF int LANGUAGE hxpy AS $$
for row in plpy.cursor(f'SELECT i FROM generate_series(1, {n}) AS i'):
    yield row['i']
$$;
SELECT sum(i), count(*) FROM cur_set(10000) AS i;
SELECT i FROM cur_set(1000000) AS i LIMIT 2;
-- nothing is left open by calls, and dropped ones are closed
CREATE FUNCTION cur_leave() RETURNS int LANGUAGE hxpy AS $$
return next(plpy.cursor('SELECT 5 AS a'))['a']
$$;
SELECT sum(cur_leave()), (SELECT count(*) FROM pg_cursors) AS open FROM generate_series(1, 2000);
SELECT py_exec('p', 'many = [plpy.cursor("SELECT 1") for i in range(2000)]');
-- a STABLE function changes nothing
CREATE FUNCTION cur_write() RETURNS int STABLE LANGUAGE hxpy AS $$
return plpy.cursor(plpy.prepare('INSERT INTO cur_b VALUES (1) RETURNING i')).fetch(1)[0]['i']
$$;
CREATE TABLE cur_b (i int);
SELECT cur_write();
CREATE FUNCTION cur_read() RETURNS int STABLE LANGUAGE hxpy AS $$ return GD['cur'].fetch(1)[0]['i'] $$;
BEGIN;
SELECT py_exec('default', 'import plpy; cur = plpy.cursor("INSERT INTO cur_b VALUES (1) RETURNING i")');
SAVEPOINT a;
SELECT cur_read();
ROLLBACK TO a;
ALTER FUNCTION cur_read VOLATILE;
SELECT cur_read();
ROLLBACK;
-- over transition tables, until their trigger ends; plans name them, too
CREATE FUNCTION cur_trigger() RETURNS trigger LANGUAGE hxpy AS $$
if 'plan' not in SD:
    SD['plan'] = plpy.prepare('SELECT sum(i) AS s FROM added WHERE i > $1', ['int'])
GD['cur'] = plpy.cursor('SELECT * FROM added')
GD['other'] = plpy.cursor('SELECT generate_series(1, 3) AS i')
plpy.notice([row['i'] for row in plpy.cursor('SELECT * FROM added')], GD['cur'].fetch(1)[0], SD['plan'].execute([0])[0], SD['plan'].cursor([1]).fetch(1)[0])
$$;
CREATE TRIGGER cur_trigger AFTER INSERT ON cur_b REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION cur_trigger();
BEGIN;
INSERT INTO cur_b VALUES (1), (2);
INSERT INTO cur_b VALUES (3);
CREATE FUNCTION cur_after(name text) RETURNS text LANGUAGE hxpy AS $$
try:
    return str(GD[name].fetch(1)[0])
except ValueError as error:
    return str(error)
$$;
SELECT cur_after('cur'), cur_after('other');
ROLLBACK;
CREATE FUNCTION cur_streamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM * FROM py_eval_grid('p', '((r["i"],) for r in plpy.cursor("SELECT * FROM added"))') AS t(a int);
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER cur_trigger AFTER INSERT ON cur_b REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION cur_streamed();
\set VERBOSITY terse
INSERT INTO cur_b VALUES (1), (2);
\set VERBOSITY default
DROP TRIGGER cur_trigger ON cur_b;
-- tables of any size, as DataFrames
SELECT py_eval('p', '[len(df) for df in hxpy.sql_batches("SELECT i, i::text AS t FROM generate_series(1, 250000) AS i")]');
SELECT py_eval('p', '[(df.i.sum(), str(df.dtypes.tolist())) for df in hxpy.sql_batches("SELECT i, 0.5::float8 AS f FROM generate_series(1, $1) AS i WHERE i <> $2", 5, 2, rows=2)]');
SELECT py_eval('p', '[list(df.columns) for df in hxpy.sql_batches("SELECT 1 AS a WHERE false")]');
SELECT unnest(ARRAY[py_eval('p', 'tell(lambda: hxpy.sql_batches("SELEC"))'), py_eval('p', 'tell(lambda: hxpy.sql_batches("SELECT 1", rows=0))'), py_eval('p', 'tell(lambda: hxpy.sql_batches("SELECT 1", rows="x"))'), py_eval('p', 'tell(lambda: hxpy.sql_batches(5))')]);
SELECT py_eval('p', '(lambda b: [len(next(b)), b.close(), tell(lambda: next(b))])(hxpy.sql_batches("SELECT generate_series(1, 10)", rows=4))');
SELECT py_exec('p', 'b = hxpy.sql_batches("SELECT 1", rows=1)');
SELECT py_eval('p', 'tell(lambda: next(b))');
SELECT sum(n) FROM py_apply('p', 'lambda df: [(sum(len(f) for f in hxpy.sql_batches("SELECT generate_series(1, 1000)", rows=300)) * len(df),)]', 'SELECT generate_series(1, 10) AS i') AS t(n int);
SELECT py_close_all();
DROP FUNCTION cur_say, cur_set, cur_leave, cur_write, cur_read, cur_trigger, cur_streamed;
DROP TABLE cur_b;
RESET SESSION AUTHORIZATION;
DROP OWNED BY cursor_user;
DROP ROLE cursor_user;
