-- Tables out: py_eval_grid, py_eval_rows.
-- streams from the first query of a connection on
SELECT * FROM py_eval_grid('default', 'iter(int, 1)') AS t(a int) LIMIT 1;
SELECT py_exec(py_open('g'), $$
import numpy as np, pandas as pd, datetime as dt
from dataclasses import make_dataclass
from hxpy.haystack import Grid, GridBuilder, Marker, Ref, Number
df = pd.DataFrame({'id': [1, 2, 3], 'x': [1.5, np.nan, 3.5], 's': ['a', None, 'c']})
$$);
SELECT * FROM py_eval_grid('g', 'df') AS t(id int8, x float8, s text);
-- by name in any order and some of them, else by position
SELECT * FROM py_eval_grid('g', 'df') AS t(s text, id int2);
SELECT * FROM py_eval_grid('g', 'df') AS t(a int, b numeric, c varchar);
CREATE TYPE three AS (id int, x float4, s text);
SELECT * FROM py_eval_grid('g', 'df', NULL::three);
SELECT (r).id, r FROM (SELECT py_eval_grid('g', 'df', NULL::three) AS r) AS q;
SELECT * FROM py_eval_grid('g', '[1, 2]', NULL::int);
-- sources
SELECT * FROM py_eval_grid('g', 'df.x') AS t(x float8);
SELECT * FROM py_eval_grid('g', 'np.arange(3)') AS t(x int);
SELECT * FROM py_eval_grid('g', 'np.arange(4).reshape(2, 2)') AS t(a int, b int);
SELECT * FROM py_eval_grid('g', 'np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])') AS t(b float8, a int);
SELECT * FROM py_eval_grid('g', '{"a": [1, 2], "b": np.array([True, False])}') AS t(a int, b bool);
SELECT * FROM py_eval_grid('g', '[{"a": 1, "b": "x"}, {"a": 2}]') AS t(a int, b text);
SELECT * FROM py_eval_grid('g', '[(1, "x"), (2, "y")]') AS t(a int, b text);
SELECT * FROM py_eval_grid('g', '((i, i * i) for i in range(3))') AS t(a int, b int);
SELECT * FROM py_eval_grid('g', '(df for _ in range(2))') AS t(id int, x float8, s text);
SELECT * FROM py_eval_grid('g', '[make_dataclass("P", ["a", "b"])(1, 2)]') AS t(a int, b int);
SELECT * FROM py_eval_grid('g', 'GridBuilder().add_col_names(["id", "m"]).add_row([Ref("r1"), Marker()]).to_grid()') AS t(id text, m jsonb);
SELECT * FROM py_eval_grid('g', 'df.iloc[:0]') AS t(id int, x float8, s text);
SELECT * FROM py_eval_grid('g', 'iter([])') AS t(a int);
SELECT * FROM py_eval_grid('g', 'df.set_index("s")') AS t(s text, id int, x float8);
SELECT * FROM py_eval_grid('g', 'df.assign(g=["p", "p", "q"]).groupby("g").agg({"id": ["min", "max"]})') AS t(g text, id_min int, id_max int);
-- an index without a name, rows that are Series, matrices
SELECT * FROM py_eval_grid('g', 'df[["x"]].describe()') AS t(x float8, index text) LIMIT 2;
SELECT * FROM py_eval_grid('g', 'df[df.id > 1]') AS t(a int, b float8, c text);
SELECT * FROM py_eval_grid('g', '[r for _, r in df.iterrows()]') AS t(id int, x float8, s text);
SELECT * FROM py_eval_rows('g', 'df[["x"]].corr()');
SELECT * FROM py_eval_rows('g', 'pd.DataFrame(np.arange(2).reshape(1, 2))');
SELECT * FROM py_eval_grid('g', 'np.matrix([[1, 2]])') AS t(v1 int, v0 int);
SELECT * FROM py_eval_grid('g', 'pd.period_range("2024", periods=1, freq="M")') AS t(a text);
-- pandas' dtypes
SELECT py_exec('g', $$
types = pd.DataFrame({
    'cat': pd.Categorical(['a', None, 'a']), 'str': pd.array(['x', pd.NA, 'z'], dtype='string'),
    'i64': pd.array([1, None, 3], dtype='Int64'), 'boo': pd.array([True, None, False], dtype='boolean'),
    'tdl': pd.to_timedelta(['1 day', None, '1 h']), 'tz': pd.to_datetime(['2024-01-01', None, '2024-07-01'], utc=True),
    'ts': pd.to_datetime(['2024-01-01', None, '2024-07-01']), 'obj': [1, 'two', None],
    'day': [dt.date(2024, 1, 1), None, dt.date(2024, 1, 3)], 'arr': [np.array([1, 2]), None, np.array([])]})
$$);
SELECT cat, str, i64, boo, tdl FROM py_eval_grid('g', 'types') AS t(cat text, str text, i64 int8, boo bool, tdl interval);
SELECT * FROM py_eval_grid('g', 'types') AS t(tz timestamptz, ts timestamp, obj jsonb, day date, arr int[]);
-- one dict a row
SELECT * FROM py_eval_rows('g', 'df');
SELECT r ->> 's' FROM py_eval_rows('g', 'df') AS r WHERE r ? 'x';
-- errors name column and row
SELECT * FROM py_eval_grid('g', 'df') AS t(id int, x int, s text);
SELECT * FROM py_eval_grid('g', '({"a": 2 ** i} for i in range(100))') AS t(a int);
SELECT * FROM py_eval_grid('g', 'df') AS t(id int, x float8, s date);
SELECT * FROM py_eval_grid('g', 'df') AS t(a int, b int);
SELECT * FROM py_eval_grid('g', 'df') AS t(a int, b int, c int, d int);
SELECT * FROM py_eval_grid('g', 'pd.concat([df, df], axis=1)') AS t(id int, x float8, s text);
SELECT * FROM py_eval_grid('g', '{"a": [1], "b": [1, 2]}') AS t(a int, b int);
SELECT * FROM py_eval_grid('g', '"text"') AS t(a text);
SELECT * FROM py_eval_grid('g', 'nosuch') AS t(a text);
SELECT py_eval_grid('g', 'df');
-- an error in the middle of a stream, and LIMIT, leave the session usable
SELECT py_exec('g', $$
state = 'new'
def endless():
    global state
    state = 'open'
    try:
        i = 0
        while True:
            yield (i, 1 / (500000 - i))
            i += 1
    finally:
        state = 'closed'
$$);
SELECT * FROM py_eval_grid('g', 'endless()') AS t(a int, b float8) LIMIT 2;
SELECT py_eval('g', 'state');
SELECT count(*) FROM py_eval_grid('g', 'endless()') AS t(a int, b float8);
SELECT py_eval('g', 'state');
SELECT count(*) FROM py_eval_grid('g', 'endless()') AS t(a int, b float8) WHERE 1 / (100 - a) > 5;
SELECT py_eval('g', 'state');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM py_eval_grid('g', 'endless()') AS t(a int, b float8);
FETCH 1 FROM c;
SAVEPOINT s;
SELECT py_close('g');
ROLLBACK TO s;
MOVE 30000 FROM c;
FETCH 1 FROM c;
CLOSE c;
SELECT py_eval('g', 'state');
ROLLBACK;
-- slow rows come soon, and LIMIT pays for few of them
SELECT py_exec('g', $$
import time
drawn = 0
def draw(row):
    global drawn
    for drawn in range(10000):
        time.sleep(0.01)
        yield row
$$);
SELECT * FROM py_eval_grid('g', 'draw((1, "x"))') AS t(a int, b text) LIMIT 1;
SELECT py_eval('g', 'drawn < 2000');
SELECT * FROM py_eval_grid('g', 'draw({"b": "x", "a": 1})') AS t(a int, b text) LIMIT 1;
SELECT py_eval('g', 'drawn < 2000');
SELECT * FROM py_eval_rows('g', 'draw({"b": "x", "a": 1})') LIMIT 1;
SELECT py_eval('g', 'drawn < 2000');
-- the session can be used while its rows are read
SELECT a.id, b.s, py_eval('g', 'len(df)') AS n
  FROM py_eval_grid('g', 'df', NULL::three) AS a JOIN py_eval_grid('g', 'df', NULL::three) AS b USING (id);
SELECT v, t.* FROM generate_series(1, 2) AS v, LATERAL py_eval_grid('g', 'df.head(' || v || ')') AS t(id int, x float8, s text);
-- text of every kind, and large
SELECT count(*), sum(length(s)), min(s), max(s) FROM py_eval_grid('g', '((str(i) + "é",) for i in range(100000))') AS t(s text);
SELECT length(s) FROM py_eval_grid('g', '(("x" * 30000000,) for i in range(3))') AS t(s text);
SELECT * FROM py_eval_grid('g', '[("a\0b",)]') AS t(s text);
