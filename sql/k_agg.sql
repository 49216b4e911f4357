-- py_agg of many groups, which travel together; as a window function.
SELECT py_exec(py_open('g'), $$
calls = []
def total(x):
    calls.append(len(x))
    return float(x.sum())
def seven(x):
    calls.append(int(x[0]))
    if x[0] == 7:
        raise ValueError('seven')
    return int(x[0])
def unfit(x):
    return object() if x[0] == 7 else int(x[0])
$$);
CREATE TABLE tallied AS SELECT i % 1000 AS k, i AS v FROM generate_series(1, 10000) AS i;
ANALYZE tallied;
-- the same hashed and sorted
EXPLAIN (COSTS OFF) SELECT k, py_agg('g', 'total', v) FROM tallied GROUP BY k;
CREATE TABLE hashed AS SELECT k, py_agg('g', 'total', v)::int8 AS s FROM tallied GROUP BY k;
SELECT py_eval('g', '[len(calls), sum(calls)]');
SET enable_hashagg = off;
SET enable_sort = on;
CREATE TABLE sorted AS SELECT k, py_agg('g', 'total', v)::int8 AS s FROM tallied GROUP BY k;
RESET enable_hashagg;
SELECT (SELECT count(*) FROM hashed), (SELECT count(*) FROM (TABLE hashed EXCEPT TABLE sorted) AS d) AS differ,
       (SELECT count(*) FROM hashed JOIN (SELECT k, sum(v) AS s FROM tallied GROUP BY k) AS r USING (k, s)) AS right;
EXPLAIN (VERBOSE, COSTS OFF) SELECT k + 1, py_agg('g', 'total', v) FROM tallied GROUP BY k HAVING py_agg('g', 'len', v) > '3' AND count(*) > 2;
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ 'Batches|Session|Calls' AND line !~ 'Memory' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;
SELECT explained($$SELECT k, py_agg('g', 'total', v) FROM tallied GROUP BY k$$);
-- with and without batches, hashed and sorted: the same
CREATE FUNCTION compared(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE kind text; found jsonb; first jsonb; batched int := 0; differ int := 0; line text;
BEGIN
  FOREACH kind IN ARRAY ARRAY['on on', 'on off', 'off on', 'off off'] LOOP
    PERFORM set_config('enable_hashagg', split_part(kind, ' ', 1), true);
    PERFORM set_config('hxpy.batching', split_part(kind, ' ', 2), true);
    EXECUTE 'SELECT jsonb_agg(q ORDER BY q::text) FROM (' || query || ') AS q' INTO found;
    first := coalesce(first, found);
    differ := differ + (found IS DISTINCT FROM first)::int;
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
      batched := batched + (line LIKE '%(hxpy calls)%')::int;
    END LOOP;
  END LOOP;
  RETURN format('%s rows, %s batched, %s differ', jsonb_array_length(first), batched, differ);
END $$;
CREATE FUNCTION doubled(x jsonb) RETURNS float8 LANGUAGE hxpy IMMUTABLE AS 'return x * 2';
CREATE TABLE few AS SELECT * FROM tallied WHERE k < 30;
ANALYZE few;
SELECT query, compared(query) FROM unnest(ARRAY[
  $$SELECT k, py_agg('g', 'total', v) FROM few GROUP BY k$$,
  $$SELECT py_agg('g', 'lambda *x: [len(x), len(x[0])]', v, k, 'ä' || v, NULL::int, ARRAY[v, NULL]) FROM few GROUP BY k % 20$$,
  $$SELECT k % 9 AS g, py_agg('g', 'lambda x: x.tolist()', v ORDER BY -v) AS a, py_agg(DISTINCT 'g', 'lambda x: sorted(x.tolist())', v % 7) AS b, count(*) FROM few GROUP BY 1$$,
  $$SELECT k % 9 AS g, py_agg('g', 'lambda x: sorted(x.tolist())', v) FILTER (WHERE v % 4 = k % 9) AS a FROM few GROUP BY 1$$,
  $$SELECT k % 9, k % 3, py_agg('g', 'len', v), GROUPING(k % 9, k % 3) FROM few GROUP BY GROUPING SETS ((k % 9, k % 3), (k % 3), ())$$,
  $$SELECT k FROM few GROUP BY k HAVING py_agg('g', 'total', v) > '45200' AND py_agg('g', 'len', v) = '10' AND max(v) > 9015$$,
  $$SELECT CASE py_agg('g', 'len', v) WHEN '10' THEN 1 ELSE coalesce(k, 0) END, coalesce(py_agg('g', 'total', v), '0') FROM few GROUP BY k % 5, k$$,
  $$SELECT doubled(py_agg('g', 'total', v)), py_agg('g', 'total', v) FROM few GROUP BY k HAVING doubled(py_agg('g', 'len', v)) > 3$$,
  $$SELECT k, (SELECT max(a::int) FROM (SELECT py_agg('g', 'lambda x: len(x)', v) AS a FROM few AS t WHERE t.k % 9 = s.k GROUP BY t.k) AS q) FROM generate_series(1, 3) AS s(k)$$,
  $$SELECT sum(a::float8), count(DISTINCT b) FROM (SELECT py_agg('g', 'total', v) AS a, py_agg('g', 'lambda t: "".join(t)', repeat('x', v % 10)) AS b FROM few GROUP BY k) AS q$$,
  $$SELECT k, rank() OVER (ORDER BY py_agg('g', 'total', v)) FROM few GROUP BY k$$,
  $$SELECT k, py_agg('g', 'total', v) FROM few GROUP BY k ORDER BY 2, 1 LIMIT 5$$,
  $$SELECT k, py_agg('g', 'lambda r: r[0]["f1"]', (k, v)) FROM few GROUP BY k$$,
  $$SELECT k % 9, py_agg('g', CASE WHEN k % 9 < 5 THEN 'len' ELSE 'total' END, v) FROM few GROUP BY 1$$]) AS query;
-- a statement that is planned once, cursors, and an error that was caught
SET plan_cache_mode = force_generic_plan;
PREPARE tally(text, text) AS SELECT k, py_agg($1, $2, v) FROM tallied WHERE k < 3 GROUP BY k ORDER BY k;
EXECUTE tally('g', 'len');
EXECUTE tally('g', 'total');
EXECUTE tally('g', NULL);
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE tally('g', 'len');
RESET plan_cache_mode;
BEGIN;
SELECT py_eval('g', 'calls.clear()');
DECLARE c CURSOR FOR SELECT k < 1000, py_agg('g', 'seven', k) <> '7' FROM tallied WHERE k > 7 GROUP BY k;
FETCH 2 FROM c;
SELECT py_eval('g', 'len(calls) <= 16');
SAVEPOINT s;
\set VERBOSITY terse
SELECT py_agg('g', 'seven', k) FROM tallied WHERE k BETWEEN 6 AND 8 GROUP BY k;
\set VERBOSITY default
ROLLBACK TO s;
MOVE 90 FROM c;
FETCH 1 FROM c;
COMMIT;
-- in parts, where not all groups fit in memory
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT count(*), sum((py_agg)::int8) FROM (SELECT k, py_agg('g', 'total', v) FROM tallied GROUP BY k) AS q;
SELECT count(*), sum(length(py_agg #>> '{}')) FROM (SELECT k, py_agg('g', 'lambda t: "".join(t)', v::text) FROM tallied GROUP BY k) AS q;
RESET work_mem;
RESET hash_mem_multiplier;
-- values of all kinds, NULLs, several arguments, callables and sessions
SELECT k, py_agg('g', 'lambda t, n, a, j, d, b: [t.tolist(), [None if x is None or x != x else float(x) for x in n.tolist()], [None if x is None else list(map(int, x)) for x in a], j.tolist(), [str(x) for x in d], [len(x) for x in b]]',
                      t, n, a, j, d, b)
  FROM (SELECT i % 3 AS k, CASE WHEN i % 4 > 0 THEN 'ä' || i END AS t, CASE WHEN i <> 2 THEN i / 2.0 END AS n, CASE WHEN i <> 5 THEN ARRAY[i, i] END AS a,
               jsonb_build_object('i', i) AS j, date '2024-02-29' + i AS d, repeat('x', i)::bytea AS b FROM generate_series(1, 7) AS i) AS s GROUP BY k ORDER BY k;
SELECT k, py_agg('g', 'lambda r: [x["f2"] for x in r]', (k, v)), py_agg('g', 'lambda x, y: [len(x), int(y.sum())]', v, k) FROM tallied WHERE v < 5 GROUP BY k ORDER BY k;
SELECT py_exec(py_open('h'), 'total = len');
SELECT k, py_agg(CASE WHEN k < 2 THEN 'g' ELSE 'h' END, CASE WHEN k % 2 = 0 THEN 'total' ELSE 'len' END, v) FROM tallied WHERE k < 4 GROUP BY k ORDER BY k;
SELECT k, l, py_agg('g', 'len', v), py_agg('g', 'len', v) FILTER (WHERE v > 6) AS some FROM (SELECT v % 2 AS k, v % 3 AS l, v FROM tallied WHERE v <= 12) AS s GROUP BY CUBE (k, l) ORDER BY k, l;
SELECT k, py_agg('g', 'total', v) FROM tallied WHERE k < 4 GROUP BY k HAVING (py_agg('g', 'total', v))::float8 > 45020 ORDER BY k;
SELECT k, p FROM (VALUES (1), (2)) AS x(n), LATERAL (SELECT k, py_agg('g', 'total', v + n) AS p FROM tallied WHERE k < 2 GROUP BY k) AS y ORDER BY n, k;
SET hxpy.unsupported = 'null';
SELECT k, py_agg('g', 'lambda v: [None if x is None else x.days for x in v.tolist()]', iv) FROM (VALUES (1, interval '1 day'), (1, '1 month'), (2, '3 days')) AS v(k, iv) GROUP BY k ORDER BY k;
RESET hxpy.unsupported;
-- an error waits for its group, and is one of it
SELECT py_exec('g', 'calls.clear()');
SELECT k < 1000 AS reached FROM (SELECT k, py_agg('g', 'seven', k) FROM tallied WHERE k < 100 GROUP BY k) AS q LIMIT 1;
SELECT py_eval('g', 'len(calls) <= 16');
SELECT k, py_agg('g', 'seven', k) FROM tallied WHERE k IN (7, 8) GROUP BY k HAVING py_agg('g', 'len', v) IS NOT NULL;
SELECT count(py_agg) FROM (SELECT py_agg('g', 'unfit', k) FROM tallied WHERE k < 100 GROUP BY k) AS q;
SELECT count(py_agg) FROM (SELECT py_agg('g', 'nosuch', k) FROM tallied WHERE k < 100 GROUP BY k) AS q;
SELECT count(py_agg) FROM (SELECT py_agg('nosuch', 'len', k) FROM tallied WHERE k < 100 GROUP BY k) AS q;
SELECT py_eval('g', '1');
-- in a window: the rows of the frame
SELECT i, py_agg('g', 'lambda v: v.tolist()', i) OVER (ORDER BY i ROWS 2 PRECEDING) AS last,
  py_agg('g', 'lambda v: v.tolist()', i) OVER (PARTITION BY i % 2 ORDER BY i) AS running,
  py_agg('g', 'lambda v: v.tolist()', i) FILTER (WHERE i <> 3) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) AS around,
  py_agg('g', 'len', i) OVER (ORDER BY i ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING) AS ahead, py_agg('g', 'len', i) OVER () AS every
  FROM generate_series(1, 6) AS i ORDER BY i;
SELECT k, py_agg('g', 'len', v), py_agg('g', 'lambda x: x.tolist()', k) OVER (ORDER BY k) FROM tallied WHERE k < 3 GROUP BY k;
SELECT i, py_agg('g', 'seven', i) OVER (ORDER BY i ROWS CURRENT ROW) FROM generate_series(6, 8) AS i;
-- SQL for some of them, and an error of it
CREATE ROLE hxpy_regress_agg;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_regress_agg;
GRANT SELECT ON tallied TO hxpy_regress_agg;
SET ROLE hxpy_regress_agg;
SELECT py_exec('import hxpy');
SELECT k, py_agg('lambda x: int(hxpy.sql("SELECT 10 / $1 AS n", int(x[0])).n[0])', k) FROM tallied WHERE k IN (1, 2, 5) GROUP BY k ORDER BY k;
\set VERBOSITY terse
SELECT k, py_agg('lambda x: int(hxpy.sql("SELECT 10 / $1 AS n", int(x[0])).n[0])', k) FROM tallied WHERE k < 6 GROUP BY k ORDER BY k;
SELECT py_eval('1');
RESET ROLE;
SELECT py_close_all();
DROP TABLE tallied, few, hashed, sorted;
DROP FUNCTION explained, compared, doubled;
DROP OWNED BY hxpy_regress_agg;
DROP ROLE hxpy_regress_agg;
