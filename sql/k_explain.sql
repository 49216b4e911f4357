-- What EXPLAIN shows of scans of Python in FROM, and when the query of py_apply is parallel.
SELECT py_open('g');
CREATE TABLE reading AS SELECT i % 10 AS k, i AS v FROM generate_series(1, 10000) AS i;
ANALYZE reading;
-- numbers that differ from run to run are n
CREATE FUNCTION plan_of(query text, options text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF, ' || options || ') ' || query LOOP
    CONTINUE WHEN line ~ '^ *(Planning|Execution|Buffers|Storage)';
    RETURN NEXT regexp_replace(regexp_replace(line, '(Sent|Received|Waited for Python|Time in Python): \d+[.\d]*', '\1: n'), '\(actual .*\)', '(actual)');
  END LOOP;
END $$;
SELECT plan_of($$SELECT * FROM py_apply('g', 'lambda df: df[:1]', 'TABLE reading', by => 'k') AS t(k int, v int) WHERE v < 5$$, 'VERBOSE');
SELECT plan_of($$SELECT * FROM py_apply('g', 'lambda df: df[:1]', 'TABLE reading', by => 'k') AS t(k int, v int) WHERE v < 5$$, 'ANALYZE, VERBOSE, TIMING OFF, SUMMARY OFF');
SELECT plan_of($$SELECT * FROM py_eval_grid('((i,) for i in range(100000))') AS t(k int) LIMIT 5$$, 'ANALYZE, VERBOSE, SUMMARY OFF');
SELECT plan_of($$SELECT * FROM (VALUES (1), (2)) AS x(n), LATERAL py_eval_rows('g', '[' || n || ']') AS y$$, 'ANALYZE, VERBOSE, SUMMARY OFF');
SELECT plan_of($$SELECT * FROM py_eval_rows('g', '[1]') AS y$$, 'ANALYZE, SUMMARY OFF');
CREATE FUNCTION several(n int) RETURNS SETOF int LANGUAGE hxpy AS 'return range(n)';
SELECT plan_of('SELECT * FROM several(3)', 'ANALYZE, VERBOSE, SUMMARY OFF');
SELECT jsonb_path_query(string_agg(line, '')::jsonb, '$[0].Plan."Rows in Batches"') FROM plan_of('SELECT * FROM several(4)', 'ANALYZE, VERBOSE, FORMAT JSON') AS line;
-- what Python waits for is not its time
CREATE FUNCTION worked(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) ' || query INTO plan;
  RETURN jsonb_path_query(plan, '$[0].Plan."Time in Python"');
END $$;
SELECT worked($$SELECT * FROM py_apply('g', 'lambda df: df', 'SELECT i, CASE i WHEN 20000 THEN pg_sleep(2)::text END FROM generate_series(1, 30000) AS i') AS t(a int, b text)$$) BETWEEN 0.001 AND 2000;
SELECT worked($$SELECT * FROM py_apply('g', 'lambda df: __import__("time").sleep(0.2)', 'SELECT 1 AS a', by => 'a') AS t(a int)$$) > 200;
SELECT worked($$SELECT * FROM py_eval_grid('g', '[(__import__("time").sleep(0.2),)]') AS t(a int)$$) > 200;
-- the query runs in parallel workers where all rows are wanted, else in steps
CREATE FUNCTION process() RETURNS int LANGUAGE internal PARALLEL SAFE AS 'pg_backend_pid';
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT count(*), bool_and(p <> pg_backend_pid()) AS elsewhere FROM py_apply('g', 'lambda df: df', 'SELECT process() AS p FROM reading') AS t(p int);
SELECT count(*), bool_and(p <> pg_backend_pid()) AS elsewhere FROM py_apply('g', 'lambda df: df[:1]', 'SELECT k, process() AS p FROM reading', by => 'k') AS t(k int, p int);
SELECT p <> pg_backend_pid() AS elsewhere FROM py_apply('g', 'lambda df: df', 'SELECT process() AS p FROM reading') AS t(p int) LIMIT 1;
BEGIN;
DECLARE c CURSOR FOR SELECT p <> pg_backend_pid() AS elsewhere FROM py_apply('g', 'lambda df: df', 'SELECT process() AS p FROM reading') AS t(p int);
FETCH c;
COMMIT;
-- and what Python asks for meanwhile is answered
CREATE ROLE hxpy_regress_explain;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_regress_explain;
GRANT SELECT ON reading TO hxpy_regress_explain;
SET ROLE hxpy_regress_explain;
SELECT py_exec('import hxpy');
SELECT count(*), bool_and(p <> pg_backend_pid()) AS elsewhere FROM py_apply('lambda df: df.assign(n=hxpy.sql("SELECT 1 AS n").n[0])', 'SELECT process() AS p FROM reading') AS t(p int, n int);
RESET ROLE;
SELECT py_close_all();
DROP TABLE reading;
DROP FUNCTION plan_of, several, process, worked;
DROP OWNED BY hxpy_regress_explain;
DROP ROLE hxpy_regress_explain;
