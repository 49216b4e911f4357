-- HINTs where people stumble.
SELECT py_exec(py_open('s'), 'import pandas as pd, numpy as np
class Thing: pass
def f(): pass');
-- a statement is no expression
SELECT py_eval('s', 'x = 1');
SELECT py_eval('s', 'import math');
SELECT py_eval('s', 'for i in range(3): print(i)');
SELECT * FROM py_eval_rows('s', 'x = 1') AS t;
SELECT py_show('s', 'x = 1');
SELECT py_eval('s', '1 +');
SELECT py_eval('s', '');
SELECT py_eval('s', 'eval("x = 1")');
-- what is no value
SELECT py_eval('s', 'Thing');
SELECT py_eval('s', '[int]');
SELECT py_eval('s', 'f');
SELECT py_eval('s', 'pd.DataFrame().head');
SELECT py_eval('s', 'len', NULL::int);
SELECT py_eval('s', 'np.dtype("int64")');
SELECT py_eval('s', 'Thing()');
SELECT * FROM py_eval_grid('s', 'Thing') AS t(a int);
SELECT py_eval('s', 'pd.Period("2024-01")');
SELECT py_eval_into('s', 'pd.DataFrame({"p": pd.period_range("2024-01", periods=2, freq="M")})', 'v_hints_new');
SELECT py_eval('s', 'pd.Interval(0, 1)');
-- what Python cannot hold, with column and row
SELECT py_define_grid('s', 'g', 'SELECT i AS id, i * interval ''1 mon'' AS span FROM generate_series(0, 3) AS i');
SELECT py_define_grid('s', 'g', 'SELECT 1 AS id, ''infinity''::date AS day');
-- a module that is not in the image
SELECT py_exec('s', 'import torch');
SELECT py_exec('s', 'import torch.nn');
SELECT py_exec('s', 'from math import nothing');
-- /io that is off
SELECT py_exec('s', 'open("/io/example.txt")');
SELECT py_exec('s', 'open("/io/example.txt", "w")');
SELECT py_exec('s', 'open("/iowa")');
-- /tmp full
SELECT py_exec('s', 'open("/tmp/full", "wb").truncate(1 << 40)');
-- a record without columns
SELECT py_eval_grid('s', '[1]');
SELECT * FROM py_eval_grid('s', '[1]');
SELECT py_close('s');
