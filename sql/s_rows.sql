-- LANGUAGE hxpy: composites, arrays, domains, polymorphic types, OUT, INOUT, VARIADIC, procedures.
CREATE TYPE point2 AS (x int, y float8);
CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0);
CREATE FUNCTION move(p point2, by int) RETURNS point2 LANGUAGE hxpy AS $$
p['x'] += by
return p
$$;
SELECT move(ROW(1, 2), 3);
SELECT move(NULL, 3);
CREATE FUNCTION make(how text) RETURNS point2 LANGUAGE hxpy AS $$
class Point:
    x, y = 5, 6.5
class Half:
    x = 1
from collections import namedtuple
return {'dict': {'x': 1, 'y': 2.5, 'more': 3}, 'tuple': (2, 3.5), 'list': [3, None],
        'object': Point(), 'named': namedtuple('P', 'y x')(7.5, 8), 'other': namedtuple('Q', 'a b')(9, 9.5), 'none': None,
        'long': (1, 2, 3), 'short': {'x': 1}, 'half': Half(), 'text': '(1,2)'}[how]
$$;
SELECT how, (make(how)).* FROM unnest('{dict,tuple,list,object,named,other,none}'::text[]) how;
SELECT make('long');
SELECT make('short');
SELECT make('half');
SELECT make('text');
CREATE FUNCTION pairs(n int, OUT a int, OUT b text) LANGUAGE hxpy AS $$ return n, 'b' * n $$;
SELECT pairs(2), (SELECT b FROM pairs(3));
CREATE FUNCTION one(INOUT a int) LANGUAGE hxpy AS $$ return a * 3 $$;
SELECT one(2);
CREATE FUNCTION free() RETURNS record LANGUAGE hxpy AS $$ return {'a': 1, 'b': 'x'} $$;
SELECT * FROM free() AS f (a int, b text);
SELECT free();
CREATE FUNCTION total(VARIADIC n int[]) RETURNS int LANGUAGE hxpy AS $$ return sum(n) $$;
SELECT total(1, 2, 3);
CREATE FUNCTION first(anyarray) RETURNS anyelement LANGUAGE hxpy AS $$ return args[0][0] $$;
SELECT first(ARRAY[1, 2]), first(ARRAY['a', 'b']), first(ARRAY[ROW(1, 2)::point2]);
CREATE FUNCTION same(anyelement) RETURNS anyelement LANGUAGE hxpy AS $$ return args[0] $$;
SELECT same(1), same('x'::text), same(1.50), same(DATE '2024-01-01'), same('{{1,2},{3,4}}'::int[]),
  same(ROW(1, 2)::point2), same('\x00ff'::bytea), same('{"a": [1]}'::jsonb), same(true),
  same('10.0.0.1'::inet);
CREATE FUNCTION row_keys(r record) RETURNS text LANGUAGE hxpy AS $$ return ' '.join(r) $$;
SELECT row_keys(t) FROM (SELECT 1 AS a, 'x' AS b) t;
CREATE FUNCTION halve(n even) RETURNS even LANGUAGE hxpy AS $$ return n // 2 $$;
SELECT halve(4);
SELECT halve(2);
CREATE FUNCTION points(n int) RETURNS point2[] LANGUAGE hxpy AS $$
return [{'x': i, 'y': i / 2} for i in range(n)]
$$;
SELECT points(2), points(0);
CREATE TYPE nested AS (id int, place point2, tags text[]);
CREATE FUNCTION nest() RETURNS nested LANGUAGE hxpy AS $$
return {'id': 1, 'place': {'x': 2, 'y': 3}, 'tags': ['a', None]}
$$;
SELECT nest();
CREATE PROCEDURE raise_it(INOUT a int, INOUT b text DEFAULT 'x') LANGUAGE hxpy AS $$
return a + 1, b + '!'
$$;
CALL raise_it(1);
CALL raise_it(2, 'y');
CREATE PROCEDURE quiet(a int) LANGUAGE hxpy AS $$ GD['quiet'] = a $$;
CALL quiet(7);
SELECT py_eval('quiet');
DO $$
DECLARE n int := 1; t text := 'p';
BEGIN
  CALL raise_it(n, t);
  RAISE NOTICE '% %', n, t;
END $$;
-- one expression, other settings
SET hxpy.numeric = 'float';
CREATE FUNCTION kind(n numeric) RETURNS text LANGUAGE hxpy AS $$ return type(n).__name__ $$;
SELECT kind(1.5);
SET hxpy.numeric = 'decimal';
SELECT kind(1.5);
RESET hxpy.numeric;
-- where functions of any language work
CREATE TABLE numbers (n int CHECK (total(n) > 0), half int);
INSERT INTO numbers VALUES (4, 2);
INSERT INTO numbers VALUES (-4, 2);
DROP TABLE numbers;
SELECT py_close_all();
DROP FUNCTION move, make, pairs, one, free, total, first, same, row_keys, halve, points, nest, kind;
DROP PROCEDURE raise_it, quiet;
DROP TYPE nested, point2;
DROP DOMAIN even;
