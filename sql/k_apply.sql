-- Set-based calls: py_apply, py_agg.
SELECT py_exec(py_open('g'), $$
import numpy as np
calls = []
def score(df):
    calls.append(len(df))
    return df.assign(score=df.x * 2 + 1)[['id', 'score']]
def fail_late(df):
    if df.id.max() > 50000:
        raise ValueError('too far')
    return df
$$);
SELECT * FROM py_apply('g', 'score', 'SELECT i AS id, i / 2.0::float8 AS x FROM generate_series(1, 4) AS i') AS t(id int, score float8);
SELECT py_exec('g', 'calls.clear()');
SELECT count(*), sum(score) FROM py_apply('g', 'score', 'SELECT i AS id, i::float8 AS x FROM generate_series(1, 200000) AS i') AS t(id int, score float8);
SELECT py_eval('g', '[len(calls) > 1, sum(calls)]');
SET hxpy.batch_size = 16;
SELECT py_exec('g', 'calls.clear()');
SELECT count(*), sum(score) FROM py_apply('g', 'score', 'SELECT i AS id, i::float8 AS x FROM generate_series(1, 200000) AS i') AS t(id int, score float8);
SELECT py_eval('g', '[len(calls) > 100, sum(calls)]');
RESET hxpy.batch_size;
-- as arrays; other numbers of rows; none at all
SELECT * FROM py_apply('g', 'lambda a, b: a + b', 'SELECT i AS a, 10 * i AS b FROM generate_series(1, 3) AS i', true) AS t(c int);
SELECT * FROM py_apply('g', 'lambda df: df[df.a > 2]', 'SELECT i AS a FROM generate_series(1, 3) AS i') AS t(a int);
SELECT * FROM py_apply('g', 'lambda df: ((n,) for n in df.a for _ in range(n))', 'SELECT i AS a FROM generate_series(1, 3) AS i') AS t(a int);
SELECT * FROM py_apply('g', 'lambda df: None', 'SELECT 1 AS a') AS t(a int);
SELECT * FROM py_apply('g', 'lambda df: df', 'SELECT 1 AS a WHERE false') AS t(a int);
-- errors, on either side, leave the session usable
\set VERBOSITY terse
SELECT count(*) FROM py_apply('g', 'fail_late', 'SELECT i AS id FROM generate_series(1, 300000) AS i') AS t(id int);
SELECT count(*) FROM py_apply('g', 'score', 'SELECT 1 / (i - 90000) AS id, 1::float8 AS x FROM generate_series(1, 100000) AS i') AS t(id int, score float8);
SELECT * FROM py_apply('g', '5', 'SELECT 1 AS a') AS t(a int);
SELECT * FROM py_apply('g', 'nosuch', 'SELECT 1 AS a') AS t(a int);
SELECT * FROM py_apply('g', 'lambda df: df', 'SELECT ''x'' AS a') AS t(a int);
SELECT * FROM py_apply('g', 'lambda df: df', 'DROP TABLE nosuch') AS t(a int);
SELECT py_eval('g', '1');
\set VERBOSITY default
-- py_agg
SELECT i % 3 AS grp, py_agg('g', 'lambda x, y: [len(x), float((x * y).sum())]', i, i * 0.5::float8 ORDER BY i) FROM generate_series(1, 10) AS i GROUP BY 1 ORDER BY 1;
SELECT py_agg('g', 'lambda t: "-".join(t)', t) FROM (VALUES ('a'), ('b')) AS v(t);
SELECT py_agg('g', 'lambda x: str(x.dtype) + str(len(x))', x) FROM (VALUES (1.5), (NULL)) AS v(x);
SELECT py_agg('g', 'lambda x: 1', x) FROM (SELECT 1 AS x WHERE false) AS v;
SELECT py_agg('g', 'lambda x: 1 / 0', x) FROM (SELECT 1 AS x) AS v;
SELECT count(r) FROM (SELECT py_agg('g', 'len', i) AS r FROM generate_series(1, 3000) AS i GROUP BY i % 1000) AS q;
-- pgwire's way back: everything closes
SELECT py_close_all();
DROP TYPE three; DROP TABLE reading;
DROP OWNED BY hxpy_regress_user; DROP ROLE hxpy_regress_user;
