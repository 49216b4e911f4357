CREATE ROLE sql_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO sql_user;
GRANT CREATE ON SCHEMA public TO sql_user;
-- a superuser is refused
SELECT py_exec('default', 'import hxpy; hxpy.sql("SELECT 1")');
GRANT USAGE ON LANGUAGE hxpy TO sql_user;
SET SESSION AUTHORIZATION sql_user;
CREATE TABLE sql_a (id int PRIMARY KEY, x float8, t text);
INSERT INTO sql_a SELECT i, i / 2.0, 't' || i FROM generate_series(1, 5) AS i;
SELECT py_exec(py_open('p'), $$
import hxpy, plpy, time, datetime as dt
def rows(query, *params):
    return hxpy.sql(query, *params).to_dict('records')
def state(query, *params):
    try:
        return len(hxpy.sql(query, *params))
    except hxpy.SQLError as error:
        return f'{error.sqlstate}: {error}'
$$);
SELECT py_eval('p', 'rows("SELECT * FROM sql_a WHERE id > $1 AND t <> $2 ORDER BY id", 2, "t4")');
SELECT py_eval('p', 'str(hxpy.sql("SELECT id, x, t, now() > ''2020-01-01'' AS b, NULL::int AS n FROM sql_a").dtypes)');
SELECT py_eval('p', 'rows("SELECT $1 + 1 AS a, $2 AS b, $3::date AS c, $4 AS d, $5 IS NULL AS e", 1, "x", dt.date(2024, 1, 2), [1, 2], None)');
SELECT py_eval('p', 'rows("SELECT id FROM sql_a WHERE id = $1 OR id = 1", None)');
SELECT py_eval('p', 'hxpy.sql("SELECT FROM sql_a").shape');
SELECT py_eval('p', 'hxpy.sql("SELECT i, i::text AS t FROM generate_series(1, 300000) AS i").agg({"i": "sum", "t": "count"}).tolist()');
-- statements that return no rows; several of them
SELECT py_eval('p', 'state("CREATE TEMP TABLE sql_b (i int); INSERT INTO sql_b SELECT generate_series(1, 10)")');
SELECT py_eval('p', 'rows("SELECT 1 AS a; SELECT count(*) AS n FROM sql_b")');
SELECT py_eval('p', '[plpy.execute("DELETE FROM sql_b WHERE i > 7").nrows(), plpy.execute("SELECT * FROM sql_b ORDER BY i", 2)[1]["i"]]');
SELECT py_eval('p', 'str(plpy.execute("SELECT i, i * 2 AS j FROM sql_b ORDER BY i", 2))');
SELECT py_eval('p', '(lambda r: [len(r), r.nrows(), r.status(), r.colnames(), r.coltypes(), r.coltypmods()])(plpy.execute("SELECT id, t, x::numeric(5, 2) AS n FROM sql_a"))');
SELECT py_eval('p', '(lambda r: [len(r), r.nrows(), r.status(), r.colnames()])(plpy.execute("UPDATE sql_b SET i = i"))');
-- errors are exceptions, and undo what their query has done
SELECT py_eval('p', 'state("INSERT INTO sql_a VALUES (6, 0, null); SELECT 1 / 0")');
SELECT py_eval('p', 'state("SELECT count(*) FROM sql_a")'), count(*) FROM sql_a;
SELECT py_eval('p', 'state("INSERT INTO sql_a VALUES (1, 0, null)")');
SELECT py_eval('p', 'state("SELEC 1")');
SELECT py_eval('p', 'state("SELECT $1", 1, 2)'), py_eval('p', 'state("SELECT $2", 1)'), py_eval('p', 'state("COMMIT")'), py_eval('p', 'state("COPY sql_a TO STDOUT")');
SELECT py_exec('p', $$
try:
    hxpy.sql('INSERT INTO sql_a VALUES (1, 0, null)')
except hxpy.SQLError as error:
    print(error.sqlstate, error.detail, error.table_name, error.constraint_name, error.schema_name)
$$);
SELECT py_exec('p', $$
try:
    plpy.execute('SELECT 1 / 0')
except plpy.spiexceptions.DivisionByZero as error:
    print(type(error).__name__, error)
$$);
-- one that is not caught is the query's own
SELECT py_exec('p', $$
def fail():
    hxpy.sql('SELECT nosuch FROM sql_a')
fail()
$$);
\echo :LAST_ERROR_SQLSTATE
SELECT py_eval('p', '1');
-- SQL that calls Python again: in this session, in another one
SELECT py_exec('p', 'def down(n): return 0 if n == 0 else 1 + rows(f"SELECT py_eval(''p'', ''down({n - 1})'', NULL::int) AS n")[0]["n"]');
SELECT py_eval('p', 'down(1)'), py_eval('p', 'down(5)');
\set VERBOSITY terse
SELECT py_eval('p', 'down(100)');
\set VERBOSITY default
SELECT py_eval('p', 'down("x")');
SELECT py_exec(py_open('q'), 'y = 7');
SELECT py_eval('p', 'rows("SELECT py_eval(''q'', ''y * 6'') AS a, py_eval(''p'', ''1 + 1'') AS b")');
SELECT py_eval('p', 'rows("SELECT * FROM py_eval_grid(''p'', ''[(i,) for i in range(3)]'') AS t(a int), py_eval(''p'', ''9'') AS b")');
SELECT py_eval('p', 'rows("SELECT sum(a) AS s FROM py_eval_grid(''p'', ''((i,) for i in range(100000))'') AS t(a int)")');
-- in generators, and where rows stream in
SELECT * FROM py_eval_grid('p', '((rows("SELECT $1 * 2 AS a", i)[0]["a"],) for i in range(3))') AS t(a int);
SELECT * FROM py_eval_grid('p', '((rows("SELECT $1 * 2 AS a", i)[0]["a"],) for i in range(1000000))') AS t(a int) LIMIT 2;
SET hxpy.batch_size = 16;
SELECT count(*), sum(n) FROM py_apply('p', 'lambda df: [(len(df), hxpy.sql("SELECT $1 + 1 AS n", int(df.i.max())).n[0])]', 'SELECT i, repeat(''x'', 10) AS t FROM generate_series(1, 30000) AS i') AS t(n int, m int);
RESET hxpy.batch_size;
-- in functions of the language
CREATE FUNCTION sql_insert(id int) RETURNS int LANGUAGE hxpy AS $$ return plpy.execute(f'INSERT INTO sql_a VALUES ({id}, 0, null)').nrows() $$;
SELECT sql_insert(10), sql_insert(11);
ALTER FUNCTION sql_insert STABLE;
SELECT sql_insert(12);
SELECT sql_insert(10);
CREATE FUNCTION sql_fib(n int) RETURNS int LANGUAGE hxpy AS $$
return n if n < 2 else plpy.execute(f'SELECT sql_fib({n - 1}) + sql_fib({n - 2}) AS f')[0]['f']
$$;
SELECT sql_fib(8);
CREATE FUNCTION sql_set(n int) RETURNS SETOF int LANGUAGE hxpy AS $$
for i in range(n):
    yield from (row['i'] for row in plpy.execute(f'SELECT i FROM generate_series(1, {i}) AS i'))
$$;
SELECT count(*), sum(i) FROM sql_set(30) AS i;
CREATE FUNCTION sql_log() RETURNS trigger LANGUAGE hxpy AS $$ plpy.execute('INSERT INTO sql_b VALUES (-1)') $$;
CREATE TRIGGER log AFTER INSERT ON sql_a EXECUTE FUNCTION sql_log();
INSERT INTO sql_a VALUES (20, 0, null);
SELECT count(*) FROM sql_b WHERE i = -1;
ALTER FUNCTION sql_log STABLE;
INSERT INTO sql_a VALUES (21, 0, null);
DROP FUNCTION sql_log CASCADE;
DELETE FROM sql_a WHERE id > 5;
DROP FUNCTION sql_insert, sql_fib, sql_set;
-- time limits and cancel, at any depth
SET statement_timeout = '300ms';
SELECT py_eval('p', 'rows("SELECT pg_sleep(10)")');
SELECT py_eval('p', 'rows("SELECT py_eval(''p'', ''time.sleep(10)'')")');
RESET statement_timeout;
SET hxpy.eval_timeout = '500ms';
SELECT py_eval('p', 'len(rows("SELECT pg_sleep(1)"))');
RESET hxpy.eval_timeout;
SELECT py_eval('p', '1');
-- rights: those of the statement
RESET SESSION AUTHORIZATION;
CREATE TABLE sql_secret (id int, owner text);
INSERT INTO sql_secret VALUES (1, 'sql_user'), (2, 'other');
SET SESSION AUTHORIZATION sql_user;
SELECT py_eval('p', 'state("SELECT * FROM sql_secret")');
RESET SESSION AUTHORIZATION;
ALTER TABLE sql_secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sql_secret USING (owner = current_user);
GRANT SELECT ON sql_secret TO sql_user;
SET SESSION AUTHORIZATION sql_user;
SELECT py_eval('p', 'rows("SELECT * FROM sql_secret")');
SELECT py_eval('p', 'state("SET ROLE postgres")'), py_eval('p', 'state("COPY sql_a TO ''/tmp/x''")[:5]');
BEGIN READ ONLY;
SELECT py_eval('p', 'state("DELETE FROM sql_a")'), py_eval('p', 'state("SELECT 1")');
COMMIT;
SET hxpy.sql = off;
RESET SESSION AUTHORIZATION;
ALTER ROLE sql_user SET hxpy.sql = 'read-only';
SET hxpy.sql = 'read-only';
SET SESSION AUTHORIZATION sql_user;
SELECT py_eval('p', 'state("DELETE FROM sql_a")'), py_eval('p', 'state("SELECT 1")'), py_eval('p', 'state("SELECT set_config(''transaction_read_only'', ''off'', true)")');
RESET SESSION AUTHORIZATION;
SET hxpy.sql = off;
SET SESSION AUTHORIZATION sql_user;
SELECT py_eval('p', 'state("SELECT 1")');
RESET SESSION AUTHORIZATION;
RESET hxpy.sql;
GRANT pg_read_server_files TO sql_user;
SET SESSION AUTHORIZATION sql_user;
SELECT py_eval('p', 'state("SELECT 1")');
RESET SESSION AUTHORIZATION;
REVOKE pg_read_server_files FROM sql_user;
SET hxpy.superuser_sql = on;
SELECT py_exec('import hxpy');
SELECT py_eval('hxpy.sql("SELECT current_user = session_user AS me").me[0]');
RESET hxpy.superuser_sql;
-- only the main thread, while a statement waits
SET SESSION AUTHORIZATION sql_user;
SELECT py_exec('p', $$
import threading
def run():
    try:
        hxpy.sql('SELECT 1')
    except RuntimeError as error:
        print(error)
thread = threading.Thread(target=run)
thread.start()
thread.join()
$$);
SELECT py_eval('p', '[down(3), len(rows("SELECT * FROM sql_a"))]');
-- a session that dies within its own query, whose error is caught there
CREATE FUNCTION sql_die() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM py_exec('p', 'import os; os._exit(1)');
  RETURN 'alive';
EXCEPTION WHEN connection_failure THEN
  RETURN SQLERRM;
END $$;
SELECT py_eval('p', 'rows("SELECT sql_die()")');
SELECT py_exec(py_open('p'), 'import hxpy');
SELECT py_exec('p', 'hxpy.sql("DO $x$ BEGIN PERFORM sql_die(); PERFORM py_open(''p''); END $x$")');
SELECT py_eval('p', '1');
DROP FUNCTION sql_die;
SELECT py_close_all();
DROP TABLE sql_a, sql_b;
RESET SESSION AUTHORIZATION;
DROP TABLE sql_secret;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM sql_user;
REVOKE ALL ON SCHEMA public FROM sql_user;
REVOKE ALL ON LANGUAGE hxpy FROM sql_user;
DROP ROLE sql_user;
