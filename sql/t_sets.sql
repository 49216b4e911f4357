-- LANGUAGE hxpy: SETOF and TABLE, streamed in FROM.
CREATE TYPE point2 AS (x int, y float8);
CREATE FUNCTION up_to(n int, how text) RETURNS SETOF int LANGUAGE hxpy AS $$
import numpy, pandas
class Iterable:
    def __iter__(self): return iter(range(n))
return {'list': list(range(n)), 'tuple': tuple(range(n)), 'range': range(n), 'set': set(range(n)),
        'iterator': iter(range(n)), 'generator': (i for i in range(n)), 'object': Iterable(),
        'array': numpy.arange(n), 'series': pandas.Series(range(n)), 'none': None, 'number': 5,
        'frame': pandas.DataFrame({'whatever': range(n)}), 'nulls': [None] * n, 'text': ['a'],
        'big': [1, 2, 1 << 40]}[how]
$$;
SELECT how, (SELECT array_agg(i) FROM up_to(3, how) i)
  FROM unnest('{list,tuple,range,set,iterator,generator,object,array,series,frame,nulls}'::text[]) how;
SELECT up_to(2, 'list'), up_to(3, 'iterator');
SELECT count(*) FROM up_to(0, 'list');
SELECT * FROM up_to(1, 'none');
SELECT * FROM up_to(1, 'number');
SELECT * FROM up_to(1, 'text');
SELECT * FROM up_to(1, 'big');
CREATE FUNCTION squares(n int) RETURNS TABLE (i int, square int) LANGUAGE hxpy AS $$
for i in range(n):
    yield {'i': i, 'square': i * i} if i % 2 else (i, i * i)
$$;
SELECT * FROM squares(4);
SELECT squares(2);
SELECT (squares(2)).square;
SELECT t.n, s.* FROM (VALUES (1), (2), (NULL)) t(n), LATERAL squares(t.n) s WHERE n IS NOT NULL;
CREATE FUNCTION points(n int) RETURNS SETOF point2 LANGUAGE hxpy AS $$
import pandas
return pandas.DataFrame({'y': [i / 2 for i in range(n)], 'x': range(n)})
$$;
SELECT * FROM points(3);
SELECT p FROM points(2) p;
CREATE FUNCTION outs(OUT a int, OUT b text) RETURNS SETOF record LANGUAGE hxpy AS $$
return [(1, 'x'), None, {'a': 2, 'b': None}]
$$;
SELECT * FROM outs();
CREATE FUNCTION anything() RETURNS SETOF record LANGUAGE hxpy AS $$ return [(1, 'x'), (2, 'y')] $$;
SELECT * FROM anything() AS f (n int, t text) WHERE n > 1;
SELECT anything();
CREATE FUNCTION repeat_it(x anyelement, n int) RETURNS SETOF anyelement LANGUAGE hxpy STRICT AS $$
return [x] * n
$$;
SELECT * FROM repeat_it('a'::text, 2);
SELECT * FROM repeat_it(ROW(1, 2)::point2, 2);
SELECT count(*) FROM repeat_it(NULL::int, 2);
-- LIMIT and a cursor's end are the end of Python
CREATE FUNCTION endless() RETURNS SETOF int LANGUAGE hxpy AS $$
try:
    i = 0
    while True:
        yield i
        i += 1
finally:
    GD['ended'] = True
$$;
SELECT * FROM endless() LIMIT 2;
SELECT py_eval('ended');
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM endless();
FETCH 2 FROM c;
CLOSE c;
COMMIT;
-- an error after rows
CREATE FUNCTION fails() RETURNS SETOF int LANGUAGE hxpy AS $$
yield 1
raise ValueError('after one')
$$;
SELECT * FROM fails();
-- two scans of one session, and a call for each row
SELECT a, b FROM up_to(2, 'iterator') a, up_to(2, 'generator') b ORDER BY 1, 2;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE hxpy AS 'return 2 * n';
SELECT twice(i) FROM up_to(3, 'generator') i;
-- with settings of its own, and of its owner: by a tuplestore
CREATE FUNCTION pinned() RETURNS SETOF int LANGUAGE hxpy SET hxpy.numeric = 'decimal' AS 'return [1, 2]';
SELECT * FROM pinned();
CREATE FUNCTION owned() RETURNS SETOF int LANGUAGE hxpy SECURITY DEFINER AS 'return [3, 4]';
SELECT * FROM owned();
SELECT count(*), sum(i) FROM up_to(100000, 'generator') i;
SELECT py_close_all();
DROP FUNCTION up_to, squares, points, outs, anything, repeat_it, endless, fails, twice, pinned, owned;
DROP TYPE point2;
