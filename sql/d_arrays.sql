-- Arrays and composite values, both ways.
CREATE FUNCTION trip(value anyelement, OUT python text, OUT back anyelement) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM py_define('s', 'v', value);
  python := py_eval('s', 'describe(v)', NULL::text);
  back := py_eval('s', 'v', value);
END $$;
SELECT py_exec(py_open('s'), $$
import numpy as np, pandas as pd
def describe(v):
    if isinstance(v, np.ndarray):
        return f"ndarray {v.dtype} {v.shape} writeable={v.flags.writeable} {v.tolist()}"
    return f"{type(v).__name__} {v!r}"
$$);
SELECT * FROM trip('{1,2,3}'::int4[]) UNION ALL SELECT * FROM trip('{}'::int4[]) UNION ALL SELECT * FROM trip(NULL::int4[]);
SELECT * FROM trip('{1,NULL,3}'::int8[]); SELECT * FROM trip('{1,2}'::int2[]);
SELECT * FROM trip('{1.5,NULL,NaN}'::float8[]); SELECT * FROM trip('{0.1}'::float4[]);
SELECT * FROM trip('{t,f}'::bool[]); SELECT * FROM trip('{t,NULL}'::bool[]);
SELECT * FROM trip('{{1,2,3},{4,5,6}}'::float8[]); SELECT * FROM trip('{{{1},{2}},{{3},{4}}}'::int4[]);
SELECT * FROM trip('[5:6]={1,2}'::int4[]);
SELECT * FROM trip('{1.5,2}'::numeric[]); SELECT * FROM trip('{1,2}'::numeric[]); SELECT * FROM trip('{1,NULL}'::numeric[]); SELECT * FROM trip('{123456789012345678901}'::numeric[]);
SELECT * FROM trip('{a,NULL,"",ü}'::text[]); SELECT * FROM trip('{{a,b},{c,d}}'::text[]);
SELECT * FROM trip('{2024-01-01,NULL}'::date[]); SELECT * FROM trip('{"\\x00","\\x"}'::bytea[]);
SELECT * FROM trip(ARRAY['{"a": 1}', NULL, 'null']::jsonb[]);
-- vectors: one dimension from 0, no NULLs; what is none is refused, whichever way it comes
SELECT * FROM trip('1 2 3'::int2vector); SELECT * FROM trip(''::int2vector); SELECT * FROM trip('26 4294967295'::oidvector);
CREATE TABLE vectors AS SELECT py_eval('s', '[1, 2]', NULL::int2vector) AS i, py_eval('s', '["7", 8]', NULL::oidvector) AS o, ARRAY[py_eval('s', '[3]', NULL::int2vector)] AS a;
SELECT py_eval_into('s', '[dict(i=[5], o=[6])]', 'vectors', 'append');
SELECT i, array_lower(i, 1) AS low, i = array_to_string(i, ' ')::int2vector AS sound, o, array_lower(o, 1) AS low, o = array_to_string(o, ' ')::oidvector AS sound, a FROM vectors;
SELECT py_eval('s', '[[1, 2], [3, 4]]', NULL::int2vector);
SELECT py_eval('s', '[1, None]', NULL::int2vector);
SELECT py_eval('s', '[[1], [2]]', NULL::oidvector);
SELECT py_eval('s', '[1, None]', NULL::oidvector);
SELECT py_eval('s', '[-5, "x"]', NULL::oidvector);
SELECT py_eval_into('s', '[dict(i=[[5, 6]])]', 'vectors', 'append');
DROP TABLE vectors;
-- composite values
CREATE TYPE point3 AS (x float8, y float8, "Z z" text);
CREATE TABLE item (id int, dropped int, at point3, tags text[]);
ALTER TABLE item DROP COLUMN dropped;
ALTER TABLE item ADD COLUMN more bool;
SELECT * FROM trip(ROW(1, NULL, 'a')::point3) UNION ALL SELECT * FROM trip(NULL::point3);
SELECT * FROM trip(ROW(1, ROW(1, 2, 'b')::point3, '{q}', true)::item);
SELECT * FROM trip(ARRAY[ROW(1, 2, 'a'), NULL, ROW(3, 4, NULL)]::point3[]);
SELECT py_define('s', 'v', ROW(1, 'x', ROW(2))), py_eval('s', 'str(v)', NULL::text);
SELECT py_define('s', 'v', ARRAY[ROW(1, 'x'), ROW(2, NULL)]), py_eval('s', 'str(v)', NULL::text);
-- array-likes
SELECT py_eval('s', '[1, 2, None]', NULL::int4[]), py_eval('s', '(1, 2)', NULL::int4[]), py_eval('s', 'range(3)', NULL::int8[]), py_eval('s', '[]', NULL::text[]), py_eval('s', '[[1, 2], [3, 4]]', NULL::float8[]);
SELECT py_eval('s', 'np.arange(6).reshape(2, 3)[:, ::2]', NULL::int4[]), py_eval('s', 'np.arange(3, dtype=">f4")', NULL::float8[]), py_eval('s', 'np.array([True, False])', NULL::bool[]), py_eval('s', 'np.array(["a", "b"])', NULL::text[]);
SELECT py_eval('s', 'pd.Series([1, None, 3])', NULL::float8[]), py_eval('s', 'pd.Series([1, None], dtype="Int64")', NULL::int4[]), py_eval('s', 'pd.to_datetime(pd.Series(["2024-01-01", None]))', NULL::timestamp[]), py_eval('s', 'pd.Index(["a"])', NULL::text[]);
SELECT py_eval('s', 'np.array([1.0, 2.0])', NULL::int4[]), py_eval('s', 'np.array([np.nan])', NULL::float8[]);
SELECT py_eval('s', '{"x": 1, "y": 2.5, "Z z": None}', NULL::point3), py_eval('s', '(1, 2, "t")', NULL::point3);
SELECT py_exec('s', $$
from dataclasses import dataclass, make_dataclass
from collections import namedtuple
P = make_dataclass('P', ['x', 'y', ('Z z', str)][:2])
N = namedtuple('N', 'id at tags more')
$$);
SELECT py_eval('s', 'N(1, (1, 2, "z"), ["t"], None)', NULL::item);
-- what does not fit, says so
SELECT py_eval('s', '[1, [2]]', NULL::int4[]);
SELECT py_eval('s', '[[1, 2], [3]]', NULL::int4[]);
SELECT py_eval('s', '[1, "x"]', NULL::int4[]);
SELECT py_eval('s', 'np.array([1, 2**40])', NULL::int4[]);
SELECT py_eval('s', 'np.array([1.5])', NULL::int4[]);
SELECT py_eval('s', '"hello"', NULL::text[]);
SELECT py_eval('s', '5', NULL::int4[]);
SELECT py_eval('s', '{1, 2}', NULL::int4[]);
SELECT py_eval('s', 'np.zeros((1,) * 7)', NULL::float8[]);
SELECT py_eval('s', '{"x": 1}', NULL::point3);
SELECT py_eval('s', '{"x": 1, "y": 2, "Z z": "", "w": 1}', NULL::point3);
SELECT py_eval('s', '{"x": [], "y": 2, "Z z": ""}', NULL::point3);
SELECT py_eval('s', '[{"x": 1, "y": 2, "Z z": ""}, {"x": "?", "y": 2, "Z z": ""}]', NULL::point3[]);
SELECT py_eval('s', '(1, 2)', NULL::point3);
SELECT py_eval('s', '1', NULL::point3);
DROP FUNCTION trip; DROP TABLE item;
