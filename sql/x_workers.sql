-- Parallel batches of functions: hxpy.workers.
CREATE SCHEMA x_workers;
SET search_path = x_workers, public;
SET hxpy.session = 'w';
SELECT py_exec(py_open('w', memory => '512MB'), $$
import os, time
home = os.getpid()
def alone(): return [p for p in os.listdir("/proc") if p.isdigit() and int(p) > home] == []
$$);
CREATE FUNCTION twice(i int) RETURNS int IMMUTABLE LANGUAGE hxpy AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.001)
  return i * 2
$$;
CREATE FUNCTION at(i int) RETURNS int IMMUTABLE LANGUAGE hxpy AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.001)
  return os.getpid()
$$;
CREATE FUNCTION named(i int) RETURNS text IMMUTABLE LANGUAGE hxpy AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.001)
  return None if i % 5 == 0 else "é" * (i % 300)
$$;
CREATE FUNCTION inverse(i int) RETURNS float8 IMMUTABLE LANGUAGE hxpy AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.001)
  return 1 / (5000 - i)
$$;
CREATE FUNCTION whole(i float8) RETURNS float8 IMMUTABLE LANGUAGE hxpy_batch AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.06)
  return i * 2
$$;
CREATE FUNCTION asks(i int) RETURNS int STABLE LANGUAGE hxpy AS $$
  return plpy.execute(f"SELECT {i} + 1 AS n")[0]["n"]
$$;
CREATE FUNCTION asks_late(i int) RETURNS int STABLE LANGUAGE hxpy AS $$
  import time
  if i > 3000:
      return plpy.execute(f"SELECT {i} + 1 AS n")[0]["n"]
  time.sleep(0.001)
  return i
$$;
CREATE FUNCTION seen(i int) RETURNS int STABLE LANGUAGE hxpy AS $$
  import os, time, __main__
  if os.getpid() == __main__.home:
      time.sleep(0.001)
  GD["n"] = GD.get("n", 0) + 1
  return GD["n"]
$$;
SET hxpy.workers = 3;
SELECT count(*), sum(v), bool_and(v = i * 2) FROM (SELECT i, twice(i) AS v FROM generate_series(1, 20000) AS i) AS t;
SELECT count(DISTINCT p) > 1 AS several FROM (SELECT at(i) AS p FROM generate_series(1, 20000) AS i) AS t;
SELECT count(DISTINCT p) FROM (SELECT at(i) AS p FROM generate_series(1, 5) AS i) AS t;
SELECT bool_and(v IS NOT DISTINCT FROM CASE WHEN i % 5 <> 0 THEN repeat('é', i % 300) END) FROM (SELECT i, named(i) AS v FROM generate_series(1, 20000) AS i) AS t;
SELECT count(*), bool_and(v = i * 2) FROM (SELECT i, whole(i) AS v FROM generate_series(1, 30000) AS i) AS t;
SELECT sum(twice(twice(i))) FROM generate_series(1, 10000) AS i;
SELECT count(*) FROM generate_series(1, 10000) AS i WHERE twice(i) > 10000 AND named(i) IS NULL;
-- two nodes, a filter below
SELECT count(*) FROM (SELECT i, twice(i) AS v FROM generate_series(1, 5000) AS i OFFSET 0) AS a JOIN (SELECT twice(i) AS v FROM generate_series(1, 5000) AS i OFFSET 0) AS b USING (v);
-- the error is that of its row, and a LIMIT does not reach it
SELECT count(inverse(i)) FROM generate_series(1, 20000) AS i;
SELECT count(*) FROM (SELECT inverse(i) AS v FROM generate_series(1, 20000) AS i LIMIT 4999) AS t WHERE v > 0;
-- groups of py_agg, and callables
SELECT py_exec('def total(v):
    if os.getpid() == home: time.sleep(0.002)
    return int(v.sum())');
SELECT count(*), sum(s) FROM (SELECT i / 10, py_agg('total', i) AS s FROM generate_series(1, 20000) AS i GROUP BY 1) AS t(k, j), LATERAL (SELECT (j#>>'{}')::int AS s) AS x;
-- what runs SQL does so in the session, as long as that is seen in time
SET hxpy.superuser_sql = on;
SELECT sum(asks(i)) FROM generate_series(1, 1000) AS i;
\set VERBOSITY terse
SELECT sum(asks_late(i)) FROM generate_series(1, 20000) AS i;
\set VERBOSITY default
-- what copies change is lost, and they are gone with the next request
SELECT max(seen(i)) < 20000 AS lost FROM generate_series(1, 20000) AS i;
SELECT py_eval('alone()');
-- a function's own setting
SET hxpy.workers = 1;
SELECT count(DISTINCT p) FROM (SELECT at(i) AS p FROM generate_series(1, 500) AS i) AS t;
ALTER FUNCTION at SET hxpy.workers = 2;
SELECT count(DISTINCT p) > 1 AS several FROM (SELECT at(i) AS p FROM generate_series(1, 20000) AS i) AS t;
EXPLAIN (VERBOSE, COSTS off) SELECT at(i) FROM generate_series(1, 20000) AS i;
SELECT py_close('w');
SET client_min_messages = warning;
DROP SCHEMA x_workers CASCADE;
