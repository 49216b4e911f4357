-- TRANSFORM FOR TYPE: jsonb, and where they are installed hstore and ltree, as dicts and lists.
SET hxpy.types = plpython;
CREATE FUNCTION with_it(j jsonb) RETURNS jsonb LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$
print(type(j).__name__, j)
return j
$$;
CREATE FUNCTION without(j jsonb) RETURNS jsonb LANGUAGE hxpy AS $$
print(type(j).__name__, j)
return j
$$;
SELECT with_it('{"a": [1, 2.50, "x", null, true], "b": {}}'), without('{"a": [1, 2.50]}');
SELECT with_it(v) FROM unnest(ARRAY['1', '"x"', 'null', '[]', '{"_kind": "marker"}', NULL]::jsonb[]) AS v;
CREATE FUNCTION made(what text) RETURNS jsonb LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$
import collections, decimal, numpy
return {'dict': {1: 2, None: 3, 'k': (1, [2])}, 'decimal': decimal.Decimal('1.10'), 'big': 10 ** 30, 'none': None,
        'in': {'none': None}, 'float': 1e300, 'bool': True, 'ordered': collections.OrderedDict(a=1), 'numpy': [numpy.float64(1.5), numpy.bool_(False)],
        'nan': float('nan'), 'set': {1}, 'bytes': b'x', 'nul': 'a\0b', 'quote': 'a"b\\ü'}[what]
$$;
SELECT made('dict'), made('decimal'), made('big'), made('none'), made('in'), made('float') = '1e300', made('bool'), made('ordered'), made('numpy'), made('quote');
SELECT made('nan');
SELECT made('set');
SELECT made('bytes');
SELECT made('nul');
-- within rows, arrays and sets, of domains, in triggers
CREATE TYPE holder AS (id int, j jsonb, js jsonb[]);
CREATE DOMAIN object AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
CREATE FUNCTION held(h holder, o object, VARIADIC js jsonb[]) RETURNS SETOF holder LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$
print(h, o, js)
yield h
yield {'id': 2, 'j': o, 'js': [js, js]}
$$;
SELECT * FROM held((1, '{"a": 1}', '{"[1]", "{}"}'), '{"o": 1}', '1', '"2"');
SELECT held((1, NULL, NULL), NULL, NULL);
CREATE FUNCTION as_object(n int) RETURNS object LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$ return {'n': n} if n else [] $$;
SELECT as_object(1);
SELECT as_object(0);
CREATE TABLE doc (id int, j jsonb);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$
TD['new']['j']['seen'] = TD['new']['id']
return 'MODIFY'
$$;
CREATE TRIGGER touch BEFORE INSERT ON doc FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO doc VALUES (1, '{"a": 1}'), (2, '{}') RETURNING *;
CREATE FUNCTION any_record(r record) RETURNS text LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$ return r['j']['a'] $$;
SELECT any_record(d) FROM doc d WHERE id = 1;
CREATE OR REPLACE FUNCTION with_it(j jsonb) RETURNS jsonb LANGUAGE hxpy AS $$
print(type(j).__name__)
return j
$$;
SELECT with_it('{}');
-- in native types jsonb is what it is anyway
RESET hxpy.types;
SELECT without('{"a": {"_kind": "marker"}}');
CREATE OR REPLACE FUNCTION with_it(j jsonb) RETURNS jsonb LANGUAGE hxpy TRANSFORM FOR TYPE jsonb AS $$
print(type(j['a']).__name__)
return j
$$;
SELECT with_it('{"a": {"_kind": "marker"}}');
-- types without a transform, and of others
CREATE FUNCTION no(j json) RETURNS int LANGUAGE hxpy TRANSFORM FOR TYPE json AS $$ return 1 $$;
CREATE TRANSFORM FOR point LANGUAGE hxpy (FROM SQL WITH FUNCTION hxpy_transform(internal));
CREATE FUNCTION no(p point) RETURNS int LANGUAGE hxpy TRANSFORM FOR TYPE point AS $$ return 1 $$;
DROP TRANSFORM FOR point LANGUAGE hxpy;
-- contributed types
SET client_min_messages = warning;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
RESET client_min_messages;
CREATE TRANSFORM FOR hstore LANGUAGE hxpy (FROM SQL WITH FUNCTION hxpy_transform(internal));
CREATE TRANSFORM FOR ltree LANGUAGE hxpy (FROM SQL WITH FUNCTION hxpy_transform(internal));
CREATE FUNCTION pairs(h hstore, hs hstore[]) RETURNS hstore LANGUAGE hxpy TRANSFORM FOR TYPE hstore AS $$
print(h, hs)
return None if h is None else {**h, 'new "key"': None, 'n': 1, 'back\\slash': '"'}
$$;
CREATE FUNCTION labels(l ltree) RETURNS ltree LANGUAGE hxpy TRANSFORM FOR TYPE ltree AS $$
print(l)
return l + ['more'] if len(l) < 3 else '.'.join(reversed(l))
$$;
CREATE FUNCTION wrong() RETURNS hstore LANGUAGE hxpy TRANSFORM FOR TYPE hstore AS $$ return [1] $$;
SELECT pairs('a=>1, "b c"=>NULL, "q\"\\"=>"x=>y"', ARRAY['x=>1', NULL, '']::hstore[]), pairs(NULL, NULL), labels('a.b'), labels('a.b.c'), labels('');
SET hxpy.types = plpython;
SELECT pairs('a=>1', NULL), labels('a.b');
SELECT wrong();
RESET hxpy.types;
CREATE FUNCTION text_form(h hstore, l ltree) RETURNS text LANGUAGE hxpy AS $$ return f'{h!r} {l!r}' $$;
SELECT text_form('a=>1', 'a.b');
DROP FUNCTION pairs, labels, wrong, text_form;
DROP TRANSFORM FOR hstore LANGUAGE hxpy;
DROP TRANSFORM FOR ltree LANGUAGE hxpy;
DROP EXTENSION hstore, ltree;
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
  WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'hxpy') AND classid = 'pg_transform'::regclass;
DROP TABLE doc;
DROP FUNCTION with_it, without, made, held, as_object, touch, any_record;
DROP TYPE holder;
DROP DOMAIN object;
