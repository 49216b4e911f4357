-- Parallel batches: workers of py_apply and of functions that are called in batches.
CREATE SCHEMA k_workers;
SET search_path = k_workers, public;
SELECT py_exec(py_open('g', memory => '512MB'), $$
import itertools, os, time
home = os.getpid()
counter = 0
def ours():
    """Take so long in the session itself that copies are worth it."""
    if os.getpid() == home:
        time.sleep(0.06)
    return os.getpid()
def frame(df): ours(); return df.assign(v=df.v * 2)
def arrays(i, v): ours(); return {"i": i, "v": v * 2}
def tuples(df): ours(); return [(i, v * 2) for i, v in zip(df.i.tolist(), df.v.tolist())]
def some(df):
    ours()
    for i, v in zip(df.i.tolist(), df.v.tolist()):
        if i % 1000 < 3:
            yield i, v * 2
def texts(df): ours(); return {"i": df.i, "v": [None if i % 7 == 0 else f"é{i}" for i in df.i.tolist()]}
def nested(df): ours(); return {"i": df.i, "v": [{"a": [i, None]} for i in df.i.tolist()]}
def nothing(df): ours()
def pid(df): return [(ours(),)]
def count(df):
    global counter
    counter += 1
    ours()
    return [(counter,)]
def fails(df):
    ours()
    if df.i.max() >= 12000:
        raise ValueError(f"no {df.i.max()}")
    return df
def says(df): ours(); print("a whole line " * 1000); return df
def leaves(df):
    if ours() != home: os._exit(3)
    return df
def dies(df):
    if ours() != home: os.kill(os.getpid(), 9)
    return df
def asks(df):
    if ours() != home: hxpy.sql("SELECT 1")
    return df
def waits(df):
    if ours() != home: time.sleep(60)
    return df
def inverse(df): ours(); return [(1 // int(df.k[0] - 40),)]
def size(df): ours(); return [(df.k[0], len(df), int(df.v.sum()), os.getpid())]
def alone(): return [p for p in os.listdir("/proc") if p.isdigit() and int(p) > home] == []
import hxpy
$$);
SET hxpy.batch_size = 16;
-- the rows are those of one process, in their order
CREATE TABLE many AS SELECT i, i + 0.5::float8 AS v FROM generate_series(1, 20000) AS i;
CREATE FUNCTION same(func text, type text, arrays bool = false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  call text := format('SELECT array_agg(t) FROM py_apply(''g'', %L, ''SELECT * FROM many'', arrays => %L', func, arrays);
  one text; two text;
BEGIN
  EXECUTE format('%s) AS t(i int, v %s)', call, type) INTO one;
  EXECUTE format('%s, workers => 3) AS t(i int, v %s)', call, type) INTO two;
  RETURN md5(one) = md5(two) OR one IS NULL AND two IS NULL;
END $$;
SELECT same('frame', 'float8'), same('arrays', 'float8', true), same('tuples', 'float8'), same('some', 'float8'),
       same('texts', 'text'), same('nested', 'jsonb'), same('nothing', 'int');
SELECT count(DISTINCT p) > 1 AS several FROM py_apply('g', 'pid', 'SELECT * FROM many', workers => 2) AS t(p int);
SELECT count(DISTINCT p) FROM py_apply('g', 'pid', 'SELECT * FROM many') AS t(p int);
SET hxpy.workers = 2;
SELECT count(DISTINCT p) > 1 AS several FROM py_apply('g', 'pid', 'SELECT * FROM many') AS t(p int);
SELECT count(DISTINCT p) FROM py_apply('g', 'pid', 'SELECT * FROM many', workers => 1) AS t(p int);
SELECT count(DISTINCT p) FROM py_apply('g', 'pid', 'SELECT * FROM many', whole => true) AS t(p int);
RESET hxpy.workers;
-- in any order: the same rows
(SELECT * FROM py_apply('g', 'frame', 'SELECT * FROM many', workers => 2, ordered => false) AS t(i int, v float8)
 EXCEPT ALL SELECT i, v * 2 FROM many);
SELECT count(*), sum(i) FROM py_apply('g', 'frame', 'SELECT * FROM many', workers => 4, ordered => false) AS t(i int, v float8);
-- few rows, none
SELECT * FROM py_apply('g', 'frame', 'SELECT 1 AS i, 2 AS v', workers => 2) AS t(i int, v int);
SELECT * FROM py_apply('g', 'frame', 'SELECT 1 AS i, 2 AS v WHERE false', workers => 2) AS t(i int, v int);
-- groups are whole, however they come: sorted, numbered, in any order
CREATE FUNCTION groups(query text, workers int, ordered bool = true) RETURNS TABLE (n bigint, keys bigint, rows numeric, sum numeric, sorted bool, several bool) LANGUAGE sql AS $$
  SELECT count(*), count(DISTINCT k), sum(n), sum(s), bool_and(k >= before), count(DISTINCT p) > 1
    FROM (SELECT *, lag(k, 1, 0) OVER () AS before FROM py_apply('g', 'size', query, by => 'k', workers => workers, ordered => ordered) AS t(k int, n int, s int8, p int)) AS x
$$;
SELECT g.n, keys, rows, sum, sorted, several FROM groups('SELECT i / 500 AS k, i AS v FROM generate_series(1, 30000) AS i', 3) AS g;
SELECT g.n, keys, rows, sum, sorted, several FROM groups('SELECT i / 9000 AS k, i AS v FROM generate_series(1, 60000) AS i', 2) AS g;
SELECT g.n, keys, rows, sum FROM groups('SELECT i % 50 AS k, i AS v FROM generate_series(1, 30000) AS i', 2, false) AS g;
CREATE TABLE sorted AS SELECT i / 500 AS k, i / 9000 AS l, i AS v FROM generate_series(1, 60000) AS i;
CREATE INDEX ON sorted (k, v); CREATE INDEX ON sorted (l, v); ANALYZE sorted;
SET enable_sort = off; SET enable_hashagg = off; SET enable_seqscan = off;
SELECT g.n, keys, rows, sum, sorted, several FROM groups('SELECT k, v FROM sorted ORDER BY k, v', 3) AS g;
SELECT g.n, keys, rows, sum, sorted, several FROM groups('SELECT l AS k, v FROM sorted ORDER BY l, v', 3) AS g;
RESET enable_sort; RESET enable_hashagg; RESET enable_seqscan;
SET work_mem = '64kB'; SET hash_mem_multiplier = 1;
SELECT g.n, keys, rows, sum, sorted, several FROM groups('SELECT i % 3000 AS k, i AS v FROM generate_series(1, 30000) AS i', 2) AS g;
RESET work_mem; RESET hash_mem_multiplier;
SELECT count(*) FROM py_apply('g', 'inverse', 'SELECT i / 500 AS k FROM generate_series(1, 30000) AS i', by => 'k', workers => 2) AS t(n int);
-- what the first calls have changed copies find; what they change themselves is lost
SELECT py_exec('g', 'counter = 100');
SELECT count(*) > 3 AS batches, min(n) FROM py_apply('g', 'count', 'SELECT * FROM many', workers => 2) AS t(n int);
SELECT py_eval('g', 'counter');
-- output comes whole
SET hxpy.output = 'debug';
SELECT count(*) FROM py_apply('g', 'says', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
RESET hxpy.output;
-- an error of one ends all, and is that of the first rows that fail
SELECT count(*) FROM py_apply('g', 'fails', 'SELECT * FROM many', workers => 3) AS t(i int, v float8);
SELECT * FROM py_apply('g', 'fails', 'SELECT * FROM many', workers => 3) AS t(i int, v float8) LIMIT 1;
SELECT count(*) FROM py_apply('g', 'leaves', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
SELECT count(*) FROM py_apply('g', 'dies', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
\set VERBOSITY terse
SELECT count(*) FROM py_apply('g', 'asks', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
SELECT count(*) FROM py_apply('g', 'frame', 'SELECT i, 1 / (15000 - i) AS v FROM many', workers => 2) AS t(i int, v float8);
SELECT count(*) FROM py_apply('g', 'frame', 'SELECT * FROM many', workers => 2) AS t(i bool, v float8);
SET statement_timeout = '1s';
SELECT count(*) FROM py_apply('g', 'waits', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
RESET statement_timeout;
SELECT py_eval('g', 'alone()');
-- LIMIT, and a cursor that is closed
SELECT * FROM py_apply('g', 'frame', 'SELECT i, i AS v FROM (SELECT generate_series(1, 1000000000) AS i) AS x', workers => 2) AS t(i int, v int) OFFSET 50000 LIMIT 2;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM py_apply('g', 'frame', 'SELECT i, i AS v FROM (SELECT generate_series(1, 1000000000) AS i) AS x', workers => 2, ordered => false) AS t(i int, v int);
MOVE 40000 IN c;
CLOSE c;
COMMIT;
SELECT py_eval('g', 'alone()');
-- what cannot be
SELECT count(*) FROM py_apply('g', 'frame', 'SELECT 1', workers => 0) AS t(i int);
SELECT count(*) FROM py_apply('g', 'frame', 'SELECT 1', workers => 100) AS t(i int);
SELECT count(*) FROM py_apply('g', 'frame', 'SELECT 1', workers => 2, whole => true) AS t(i int);
SET hxpy.workers = 0;
SELECT py_exec('g', $$
import threading
stop = threading.Event()
thread = threading.Thread(target=stop.wait)
thread.start()
$$);
\set VERBOSITY default
SELECT * FROM py_apply('g', 'frame', 'SELECT 1 AS i, 2 AS v', workers => 2) AS t(i int, v int);
SELECT py_exec('g', 'stop.set(); thread.join()');
EXPLAIN (VERBOSE, COSTS off) SELECT * FROM py_apply('g', 'frame', 'SELECT * FROM many', workers => 2) AS t(i int, v float8);
SELECT py_close('g');
