-- The examples of hxPy's own documentation, in SQL.
-- mult: define, exec, eval in a pipeline
SELECT py_eval(py_exec(py_define(py_define(py_open('m'), 'a', 100), 'b', 2),
               'def mult(x, y): return x * y'), 'mult(a, b)') AS mult;
-- sq: a function defined once, called with a value that changes
SELECT v, py_eval(py_define(py_init(py_open('sq'), $$
print('defined once')
def sq(x):
    return x * x
$$), 'v', v), 'sq(v)') AS sq
  FROM generate_series(1, 5) AS v;
-- the type of a matrix' data
SELECT py_eval(py_define(py_open('m'), 'data', '{{1,2},{3,4}}'::float8[]), 'str(type(data))') AS type,
       py_eval('m', 'data.T @ data', NULL::float8[]) AS product;
-- a model of scikit-learn
SELECT py_exec(py_define(py_define(py_open('m'), 'x', ARRAY[[1],[2],[3]]::float8[]), 'y', ARRAY[2,4,6]::float8[]), $$
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit(x, y)
$$);
SELECT round(py_eval('m', 'model.predict([[10]])[0]', NULL::float8)::numeric, 6) AS prediction;
SELECT py_close_all();
DROP EXTENSION hxpy;
DROP TYPE mood; DROP DOMAIN percent; DROP TYPE point3;
