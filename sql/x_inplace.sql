-- Calls in batches, after x_guards: values that functions change where they are, or give large.
LOAD 'hxpy';       -- or the first query would be planned without it
SET search_path = batches, public;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION sets_first(a int[]) RETURNS int LANGUAGE hxpy STABLE AS $$
a[0] = 9
return int(a.sum())
$$;
CREATE FUNCTION appends(a text[]) RETURNS int LANGUAGE hxpy STABLE AS $$
a.append('x')
return len(a)
$$;
CREATE FUNCTION adds_key(a jsonb) RETURNS jsonb LANGUAGE hxpy STABLE AS $$
a['k'] = len(a)
return a
$$;
CREATE FUNCTION doubles(a float8) RETURNS float8 LANGUAGE hxpy_batch STABLE AS $$
a *= 2
return a
$$;
SELECT * FROM compare($$SELECT sets_first(ARRAY[id, 1]), sets_first(ARRAY[id, 1]) + 1, ARRAY[id, 1], appends(ARRAY[t]), f(appends(ARRAY[t]), 1), appends(ARRAY[t]) > 2 FROM r$$);
SELECT * FROM compare($$SELECT adds_key(j), adds_key(j) -> 'k', adds_key(adds_key(j)) FROM (SELECT jsonb_build_object('id', id) AS j FROM r) AS q$$);
SELECT * FROM compare('SELECT doubles(id), doubles(doubles(id)), doubles(y), doubles(doubles(id)) + doubles(y), f(id, y) FROM r');
-- one object for all rows
CREATE FUNCTION collects(a int) RETURNS int[] LANGUAGE hxpy STABLE AS $$
kept = SD.setdefault('kept', [])
kept[:] = [*kept[-2:], a]
return kept
$$;
CREATE FUNCTION buffer(a float8) RETURNS float8 LANGUAGE hxpy_batch STABLE AS $$
import numpy
kept = SD.setdefault('kept', numpy.zeros(100))[:len(a)]
kept[:] = a
return kept
$$;
SELECT collects(id) FROM r;
SELECT * FROM compare('SELECT buffer(id), buffer(y), buffer(id + buffer(y)) FROM r WHERE y IS NOT NULL');
-- what one row has does not change the type of another one's value
CREATE FUNCTION kind_of(a anyarray) RETURNS text LANGUAGE hxpy STABLE AS $$ return f'{a.dtype} {a.tolist()}' $$;
CREATE FUNCTION as_it_came(a numeric) RETURNS numeric LANGUAGE hxpy_batch STABLE AS 'return a';
SELECT * FROM compare($$SELECT kind_of(a), kind_of(a::numeric[]), kind_of(a::float4[]) FROM unnest(ARRAY['{1,2}', '{3,NULL}', '{}', '{{4,5},{6,7}}', '{NULL}']) AS t, CAST(t AS int[]) AS a$$);
SELECT * FROM compare($$SELECT kind_of(a) FROM unnest(ARRAY['{1,2}', '{1.5}', '{NULL}']) AS t, CAST(t AS numeric[]) AS a$$);
SELECT * FROM compare('SELECT as_it_came(n), as_it_came(n * 2) FROM unnest(ARRAY[1.5, NULL, 2.5]) AS n');
SELECT * FROM compare($$SELECT as_it_came(n) FROM unnest(ARRAY['NaN', NULL, 1e30, 2]) AS n$$);
SELECT as_it_came(NULL);
-- what ends an iteration in Python
CREATE FUNCTION stops(a int) RETURNS int LANGUAGE hxpy STABLE AS 'return next(iter([a] if a < 4 else []))';
SELECT * FROM compare('SELECT stops(id) FROM r');
SELECT stops(id) FROM r;
SELECT * FROM compare('SELECT stops(id) FROM r ORDER BY id LIMIT 3');
-- whatever error a result raises is one of its row
CREATE FUNCTION odd(a int) RETURNS int LANGUAGE hxpy STABLE AS $$
class Odd:
    def __index__(self):
        raise ValueError(a)
return Odd() if a == 4 else a
$$;
SELECT * FROM compare('SELECT odd(id) FROM r WHERE odd(id) > 2 LIMIT 1');
SELECT odd(id) FROM r;
-- large values
CREATE FUNCTION blows_up(a int) RETURNS text LANGUAGE hxpy STABLE AS $$ return 'x' * (a * 2_000_000) $$;
SELECT id, length(blows_up(id)), length(blows_up(2)) FROM r;
SELECT length(up(repeat('x', 3000000 + id))) FROM r;
CREATE FUNCTION skewed(a int) RETURNS text LANGUAGE hxpy STABLE AS $$ return 'x' * (1 if a < 2000 else 20_000) $$;
SELECT count(*), sum(length(skewed(i))), sum(length(up(repeat('x', CASE WHEN i < 2000 THEN 1 ELSE 20000 END)))) FROM generate_series(1, 3000) AS i;
