-- Streams at their edges: errors, savepoints, cursors, triggers, re-entry.
\set VERBOSITY terse
SELECT py_exec(py_open(s), $$
import pandas as pd
df = pd.DataFrame({'id': [1, 2, 3], 's': ['a', None, 'c']})
once = iter([(1,), (2,), (3,)])
def many(n=20000):
    for i in range(n):
        yield {'id': i, 's': 'row%d' % i}
$$) FROM (VALUES ('g'), ('h')) AS v(s);
CREATE TYPE edge_row AS (id int, s text);
CREATE TABLE edge_big AS SELECT i AS id, repeat('x', 100) AS s FROM generate_series(1, 50000) AS i;
CREATE TABLE edge_target (id int, s text);
-- whole rows, in conditions, below outer joins and in UNION ALL
SELECT t.id FROM py_eval_grid('g', 'df', NULL::edge_row) AS t WHERE t IS NOT NULL;
SELECT v.a, q.x FROM (VALUES (1), (9)) AS v(a)
  LEFT JOIN (SELECT coalesce(t::text, '') AS x, id FROM py_eval_grid('g', 'df', NULL::edge_row) AS t) AS q ON q.id = v.a;
SELECT t FROM (SELECT t FROM py_eval_grid('g', 'df', NULL::edge_row) AS t
               UNION ALL SELECT t FROM py_eval_grid('g', 'df', NULL::edge_row) AS t) AS q;
-- a row that was given out stays while the rest is put aside
SELECT id, s, py_eval('g', '1') FROM py_eval_grid('g', 'many(200000)') AS t(id int, s text) LIMIT 2;
-- read again, but evaluated once
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT v.a, t.a FROM (VALUES (1), (2)) AS v(a), py_eval_grid('g', 'once') AS t(a int) WHERE v.a < t.a ORDER BY 1, 2;
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT 1 OFFSET 0) AS v, py_eval_grid('g', 'once') AS t(a int);
EXPLAIN (COSTS OFF) SELECT a + 1 FROM py_eval_grid('g', 'once') AS t(a int);
RESET enable_hashjoin;
RESET enable_mergejoin;
-- arguments that use or close the session
SELECT * FROM py_eval_grid('g', (SELECT '[(' || id || ',)]' FROM py_eval_grid('g', 'many()') AS x(id int, s text) LIMIT 1)) AS t(a int);
SELECT * FROM py_eval_grid('h', CASE WHEN py_close('h') THEN 'df' END) AS t(a int);
CREATE FUNCTION edge_close() RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN PERFORM py_open('h'); PERFORM py_close('h'); RETURN 1; END $$;
SELECT py_open('h');
SELECT py_define_grid('h', 'x', 'SELECT edge_close()');
SELECT py_open('h');
SELECT * FROM py_apply('h', 'lambda df: df', 'SELECT edge_close() AS a') AS t(a int);
-- an error elsewhere in the query while a batch is half sent
SELECT count(1 / (1000 - id)) FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text);
SELECT py_eval('g', '"free"');
-- cursors over py_apply: COMMIT, CLOSE ALL, WITH HOLD, savepoints
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text);
FETCH 1 FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text);
FETCH 1 FROM c;
CLOSE ALL;
DECLARE d CURSOR WITH HOLD FOR SELECT id FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text);
FETCH 1 FROM d;
COMMIT;
FETCH 1 FROM d;
CLOSE d;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text);
SAVEPOINT p;
FETCH 1 FROM c;
ROLLBACK TO p;
MOVE 40000 FROM c;
FETCH 1 FROM c;
COMMIT;
-- a cursor that has failed gives its session free
SET work_mem = 64;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM py_eval_grid('g', 'many(100000)') AS t(id int, s text) WHERE 1 / (1000 - id) > -5;
SAVEPOINT p;
MOVE 5000 FROM c;
ROLLBACK TO p;
SELECT py_eval('g', '"free"');
FETCH 1 FROM c;
ROLLBACK;
RESET work_mem;
-- queries that change data run once, as a whole
SELECT * FROM py_apply('g', 'lambda df: df', 'INSERT INTO edge_target VALUES (1, ''a''), (2, ''b'') RETURNING *') AS t(id int, s text);
SELECT count(*) FROM edge_target;
-- a transaction's end in a loop over rows
DO $$
DECLARE r record; n int := 0;
BEGIN
  FOR r IN SELECT * FROM py_apply('g', 'lambda df: df', 'SELECT * FROM edge_big') AS t(id int, s text) LOOP
    n := n + 1;
    IF n = 1500 THEN COMMIT; END IF;
  END LOOP;
  RAISE NOTICE '%', n;
END $$;
-- domains whose checks call Python
CREATE FUNCTION edge_check(text) RETURNS boolean LANGUAGE sql AS $$ SELECT py_eval('g', 'True')::boolean $$;
CREATE DOMAIN edge_domain AS text CHECK (edge_check(VALUE));
SELECT array_length(py_eval('g', '["x" * 2000000 for i in range(3)]', NULL::edge_domain[]), 1);
SELECT count(*) FROM py_eval_grid('g', 'many(3)') AS t(id int, s edge_domain);
SELECT py_eval('g', '"free"');
-- triggers of py_eval_into's table: another table, and the session's end
CREATE FUNCTION edge_nested() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM py_eval_into('h', '{"id": [1]}', 'edge_log', 'append'); RETURN NEW; END $$;
CREATE FUNCTION edge_end() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM py_close('g'); RETURN NULL; END $$;
CREATE TABLE edge_log (id int);
CREATE TRIGGER nested BEFORE INSERT ON edge_target FOR EACH ROW EXECUTE FUNCTION edge_nested();
SELECT py_open('h');
SELECT py_eval_into('g', 'df', 'edge_target', 'append');
SELECT count(*) FROM edge_log;
DROP TRIGGER nested ON edge_target;
CREATE TRIGGER ends AFTER INSERT ON edge_target FOR EACH STATEMENT EXECUTE FUNCTION edge_end();
SELECT py_eval_into('g', 'df', 'edge_target', 'append');
SELECT py_eval('g', '1');
-- a temporary table is replaced by one
CREATE TEMP TABLE edge_temp (id int);
SELECT py_eval_into(py_open('g'), '[{"id": 1}]', 'edge_temp', 'replace');
SELECT relpersistence FROM pg_class WHERE relname = 'edge_temp';
-- Python ends in the middle of a stream
SELECT py_exec(py_open('g'), 'def dies():' || E'\n' || '    yield from ((i,) for i in range(20000))' || E'\n' || '    __import__("os")._exit(3)');
SELECT count(*) FROM py_eval_grid('g', 'dies()') AS t(a int);
SELECT py_open('g');
-- records of different fields; times are rounded to their columns' digits
SELECT py_define('g', 'x', ARRAY[ROW(1, 2), ROW(1)]);
SELECT * FROM py_eval_grid('g', '[(__import__("datetime").datetime(2024, 1, 1, 0, 0, 0, 600000),)]') AS t(at timestamp(0));
\set VERBOSITY default
SELECT py_close_all();
DROP TABLE edge_big, edge_target, edge_log;
DROP FUNCTION edge_close, edge_nested, edge_end;
DROP DOMAIN edge_domain;
DROP FUNCTION edge_check;
DROP TYPE edge_row;
