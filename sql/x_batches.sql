-- Calls in batches: the same results and errors as a call a row, and the plans that make them.
-- compare(query): the result with hxpy.batching on, how many nodes make calls, and the result with
-- off where that is another one.
CREATE SCHEMA batches;
SET search_path = batches, public;
CREATE FUNCTION outcome(query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  r record;
  result text[] := '{}';
BEGIN
  FOR r IN EXECUTE query LOOP
    result := result || r::text;
  END LOOP;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN result || format('%s: %s', SQLSTATE, SQLERRM);
END $$;
CREATE FUNCTION nodes(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  line text;
  n int := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    n := n + (line LIKE '%(hxpy calls)%')::int;
  END LOOP;
  RETURN n;
END $$;
CREATE FUNCTION compare(query text, OUT nodes int, OUT result text[], OUT off text[]) LANGUAGE plpgsql AS $$
BEGIN
  nodes := nodes(query);
  result := outcome(query);
  SET hxpy.batching = off;
  IF nodes(query) <> 0 THEN RAISE 'batched in spite of hxpy.batching = off'; END IF;
  off := outcome(query);
  RESET hxpy.batching;
  IF off = result THEN off := NULL; END IF;
END $$;
CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE hxpy IMMUTABLE AS 'return None if a is None else a + (b or 0)';
CREATE FUNCTION g(a int) RETURNS int LANGUAGE hxpy IMMUTABLE STRICT AS 'return a * 2';
CREATE FUNCTION up(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return t and t.upper()';
CREATE FUNCTION fails(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return 12 // (a - 3)';
-- what it was called with
CREATE FUNCTION noted(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
GD.setdefault('seen', []).append(a)
return a
$$;
CREATE FUNCTION seen() RETURNS int[] LANGUAGE hxpy AS $$ return GD.pop('seen', []) $$;
CREATE TABLE r (id int PRIMARY KEY, x int, y int, t text);
INSERT INTO r VALUES (1, 1, 10, 'a'), (2, 2, 20, NULL), (3, NULL, 30, 'c'), (4, 4, NULL, 'ä'), (5, 0, 50, '');
CREATE TABLE s (id int PRIMARY KEY, v int);
INSERT INTO s SELECT i, i * 100 FROM generate_series(1, 5) AS i;
ANALYZE r, s;
SET max_parallel_workers_per_gather = 0;
SELECT f(1, 1), g(1), up('x');
-- 1: target lists; the same call twice is one
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, f(x, y), x + 1, f(x, y) + 1 AS again FROM r;
SELECT * FROM compare('SELECT id, f(x, y), x + 1, f(x, y) + 1 FROM r');
-- 2: calls in calls
EXPLAIN (VERBOSE, COSTS OFF) SELECT f(g(x), g(g(y))), f(g(x) + 1, y) FROM r;
SELECT * FROM compare('SELECT f(g(x), g(g(y))), f(g(x) + 1, y) FROM r');
-- 3: values of all kinds are carried along
CREATE FUNCTION kinds(a int8, b boolean, c float4, d text[], e r, n numeric) RETURNS text LANGUAGE hxpy STABLE
AS 'return repr([a, b, c, d, e, n])';
SELECT * FROM compare($$SELECT r, kinds(id * 10::int8, x > 1, (y / 3.0)::float4, ARRAY[t, 'z'], r, id / 8.0), repeat(t, 3), id::int8, x = 1, ARRAY[x, y] FROM r$$);
CREATE TABLE wide (id int, t text);
INSERT INTO wide SELECT i, string_agg(md5(i || '-' || j), '') FROM generate_series(1, 40) AS i, generate_series(1, 400) AS j GROUP BY i;
SELECT nodes('SELECT t, up(t) FROM wide'), count(*), bool_and(upper(t) = u), sum(length(t)) FROM (SELECT t, up(t) AS u FROM wide OFFSET 0) AS w;
CREATE FUNCTION pair(a int) RETURNS r LANGUAGE hxpy STABLE AS $$ return {'id': a, 'x': a, 'y': None, 't': str(a)} $$;
CREATE FUNCTION outs(a int, OUT b int, OUT c text) LANGUAGE hxpy STABLE AS $$ return (a, str(a)) $$;
SELECT * FROM compare('SELECT pair(id), (pair(x)).t, (outs(id)).c, pair(id) IS NULL FROM r');
-- 4, 5, 6: joins
EXPLAIN (VERBOSE, COSTS OFF) SELECT r.id, f(r.x, s.v) FROM r JOIN s USING (id) WHERE f(r.y, s.v) > 0;
SELECT * FROM compare('SELECT r.id, f(r.x, s.v) FROM r JOIN s USING (id) WHERE f(r.y, s.v) > 0 ORDER BY 1');
SELECT * FROM compare('SELECT r.id, s.id FROM r JOIN s ON r.id >= s.id AND f(r.x, s.v) > 101 ORDER BY 1, 2');
SELECT * FROM compare('SELECT r.id, s.id FROM r LEFT JOIN s ON r.id = s.id AND f(r.x, s.v) > 101 ORDER BY 1, 2');
SELECT * FROM compare('SELECT r.id, s.id FROM r FULL JOIN s ON r.id = s.id AND f(s.v, 0) > 101 ORDER BY 1, 2');
SELECT * FROM compare('SELECT r.id FROM r LEFT JOIN s ON r.id = s.id + 1 WHERE f(s.v, r.x) IS NULL ORDER BY 1');
SELECT * FROM compare('SELECT id FROM r WHERE EXISTS (SELECT FROM s WHERE s.id = r.id AND g(s.v) > 200 AND f(r.x, s.id) > 0) ORDER BY 1');
-- 7, 8: aggregates above and below
EXPLAIN (VERBOSE, COSTS OFF) SELECT g(sum(y)::int), sum(f(x, y)) FROM r GROUP BY x % 2 HAVING f(count(*)::int, 1) > 1;
SELECT * FROM compare('SELECT x % 2, g(sum(y)::int), sum(f(x, y)) FROM r GROUP BY x % 2 HAVING f(count(*)::int, 1) > 1 ORDER BY 1');
SELECT * FROM compare($$SELECT count(DISTINCT g(x)), sum(g(y)) FILTER (WHERE g(x) > 2), string_agg(up(t), ',' ORDER BY g(id) DESC), sum(g(x)) FROM r$$);
SELECT * FROM compare('SELECT sum(fails(x)) FILTER (WHERE x < 3), max(f(x, g(y) + 1)) FROM r');
-- 9: groups
SELECT * FROM compare('SELECT g(x), count(*), grouping(g(x)), sum(g(y)) FROM r GROUP BY ROLLUP (g(x)) ORDER BY 1, 3');
SELECT * FROM compare('SELECT DISTINCT g(x) % 3 FROM r ORDER BY 1');
-- 10, 11: ORDER BY and LIMIT; what Python is asked for
SELECT * FROM compare('SELECT id, g(x) FROM r ORDER BY f(x, y) DESC NULLS LAST, id LIMIT 2');
SELECT seen() IS NOT NULL AS forgotten;
SELECT id, noted(y) FROM r ORDER BY y LIMIT 3;
SELECT seen();
-- from PostgreSQL 18 on rows have decimals
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    RETURN NEXT replace(line, '.00 loops', ' loops');
  END LOOP;
END $$;
SELECT * FROM explained('SELECT noted(id) FROM generate_series(1, 20000) AS id LIMIT 5') AS plan;
DROP FUNCTION explained;
SELECT seen();
PREPARE limited(int, int) AS SELECT noted(id) FROM r ORDER BY id LIMIT $1 OFFSET $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE limited(1, 1);
SELECT seen();
EXECUTE limited(NULL, 3);
SELECT seen();
EXECUTE limited(0, 0);
SELECT seen();
RESET plan_cache_mode;
SELECT * FROM compare('SELECT g(x) FROM r ORDER BY x IS NULL FETCH FIRST 2 ROWS WITH TIES');
SELECT * FROM compare('SELECT s.id, l.* FROM s, LATERAL (SELECT f(r.x, s.v) FROM r WHERE r.id <= s.id ORDER BY r.id DESC LIMIT 2) AS l ORDER BY 1, 2');
-- 12, 13: conditions: cheap ones first, later ones see survivors only, the target list too
SELECT id FROM r WHERE noted(x) > 0 AND noted(y) > 10 AND id > 1 ORDER BY id;
SELECT seen();
EXPLAIN (COSTS OFF) SELECT id FROM r WHERE noted(x) > 0 AND y < 25;
EXPLAIN (COSTS OFF) SELECT id FROM r WHERE y < 25 AND noted(x) > 0;
-- what calls cost is their node's: 5 rows at 100 * cpu_operator_cost
CREATE FUNCTION costs(query text, OUT node numeric, OUT child numeric, OUT off numeric) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  node := plan #>> '{0,Plan,Total Cost}';
  child := plan #>> '{0,Plan,Plans,0,Total Cost}';
  SET hxpy.batching = off;
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  off := plan #>> '{0,Plan,Total Cost}';
  RESET hxpy.batching;
END $$;
SELECT node - child AS calls, node - off AS more FROM costs('SELECT f(x, y), f(x, y) + 1 FROM r');
SELECT node - child AS calls, node - off AS more FROM costs('SELECT f(g(x), y) FROM r WHERE f(x, y) > 0');
SELECT node - child AS calls FROM costs('SELECT sum(f(x, y)) FROM r');
SELECT node - child AS calls, node - off AS more FROM costs('SELECT f(g(s), 1) FROM (SELECT x + 1 AS s FROM r OFFSET 0) AS q');
DROP FUNCTION costs;
SELECT * FROM compare('SELECT 12 / x, g(12 / x) FROM r WHERE f(x, 0) <> 0');
SELECT * FROM compare('SELECT id FROM r WHERE g(g(x) + 1) > 4 AND f(y, 1) > 11');
