-- Functions that give the same under PL/Python and under hxpy (hxpy.types = plpython):
-- psql -v lang=plpython3u, and -v lang=hxpy.  Run by test/t/160_plpython.pl.
\set VERBOSITY terse
\pset format unaligned
\pset null NULL
CREATE TYPE pair AS (a int, b text);
CREATE TYPE deep AS (p pair, l pair[], n numeric);
CREATE TYPE feeling AS ENUM ('calm', 'wild');
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN word AS text NOT NULL;

-- 1-24: one value of each type, what Python sees and what comes back
CREATE FUNCTION f_bool(x bool) RETURNS bool LANGUAGE :lang AS $$ return not x $$;
SELECT f_bool(true), f_bool(false), f_bool(NULL);
CREATE FUNCTION f_truth(x text) RETURNS bool LANGUAGE :lang AS $$
return {'zero': 0, 'empty': '', 'list': [0], 'none': None, 'float': 0.5}[x]
$$;
SELECT x, f_truth(x) FROM unnest('{zero,empty,list,none,float}'::text[]) x;
CREATE FUNCTION f_int2(x int2) RETURNS int2 LANGUAGE :lang AS $$ return x + 1 $$;
SELECT f_int2(1::int2), f_int2(32766::int2), f_int2((-32768)::int2);
CREATE FUNCTION f_int4(x int4) RETURNS int4 LANGUAGE :lang AS $$ return None if x is None else x * 2 $$;
SELECT f_int4(21), f_int4(NULL);
SELECT f_int4(2000000000);
CREATE FUNCTION f_int8(x int8) RETURNS int8 LANGUAGE :lang AS $$ return x - 1 $$;
SELECT f_int8(9223372036854775807);
CREATE FUNCTION f_int_text(x text) RETURNS int4 LANGUAGE :lang AS $$ return x $$;
SELECT f_int_text(' 12 ');
SELECT f_int_text('1.0');
CREATE FUNCTION f_float4(x float4) RETURNS float4 LANGUAGE :lang AS $$ return x / 4 $$;
SELECT f_float4(1), f_float4('NaN');
CREATE FUNCTION f_float8(x float8) RETURNS float8 LANGUAGE :lang AS $$ return x * 1e300 $$;
SELECT f_float8(0.1), f_float8('-Infinity');
CREATE FUNCTION f_numeric(x numeric) RETURNS text LANGUAGE :lang AS $$ return type(x).__name__ + str(x) $$;
SELECT f_numeric(1.50), f_numeric(123456789012345678901234567890), f_numeric('NaN');
CREATE FUNCTION f_numeric_back(x numeric) RETURNS numeric LANGUAGE :lang AS $$ return x + 1 $$;
SELECT f_numeric_back(0.10), f_numeric_back(12345678901234567890.5);
CREATE FUNCTION f_text(x text) RETURNS text LANGUAGE :lang AS $$ return x.upper() + 'ß€𝄞' $$;
SELECT f_text('größe'), f_text('');
CREATE FUNCTION f_anything(x int) RETURNS text LANGUAGE :lang AS $$
return [1, 1.5, 'x', b'y', None, [1, 'a'], {'k': 2}, (3,), True, 1e100][x]
$$;
SELECT i, f_anything(i) FROM generate_series(0, 9) i;
CREATE FUNCTION f_varchar(x varchar(5)) RETURNS varchar(3) LANGUAGE :lang AS $$ return x[:3] $$;
SELECT f_varchar('abcde');
CREATE FUNCTION f_char(x char(4)) RETURNS char(6) LANGUAGE :lang AS $$ return '<' + x + '>' $$;
SELECT f_char('ab');
CREATE FUNCTION f_bytea(x bytea) RETURNS bytea LANGUAGE :lang AS $$ return bytes(reversed(x)) $$;
SELECT f_bytea('\x00ff10'), f_bytea('');
CREATE FUNCTION f_date(x date) RETURNS text LANGUAGE :lang AS $$ return type(x).__name__ + x $$;
SELECT f_date('2024-02-29'), f_date('infinity');
CREATE FUNCTION f_date_back(x text) RETURNS date LANGUAGE :lang AS $$
import datetime
return datetime.date(2024, 2, 29) if x == 'date' else x
$$;
SELECT f_date_back('date'), f_date_back('today') = current_date;
SELECT f_date_back('no date');
CREATE FUNCTION f_timestamp(x timestamp) RETURNS timestamp LANGUAGE :lang AS $$ return x.replace('12:', '13:') $$;
SELECT f_timestamp('2024-01-01 12:30');
CREATE FUNCTION f_timestamptz(x timestamptz) RETURNS text LANGUAGE :lang AS $$ return x $$;
SELECT f_timestamptz('2024-01-01 12:30+00');
CREATE FUNCTION f_interval(x interval) RETURNS interval LANGUAGE :lang AS $$ return x + ' 1 hour' $$;
SELECT f_interval('1 month 2 days');
CREATE FUNCTION f_json(x jsonb) RETURNS jsonb LANGUAGE :lang AS $$
import json
d = json.loads(x)
d['seen'] = type(x).__name__
return json.dumps(d)
$$;
SELECT f_json('{"a": [1, null]}');
CREATE FUNCTION f_uuid(x uuid) RETURNS uuid LANGUAGE :lang AS $$ return x.replace('a', 'b') $$;
SELECT f_uuid('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
CREATE FUNCTION f_inet(x inet) RETURNS text LANGUAGE :lang AS $$ return repr(x) $$;
SELECT f_inet('10.0.0.1/8');
CREATE FUNCTION f_oid(x oid) RETURNS oid LANGUAGE :lang AS $$ return x + 1 $$;
SELECT f_oid(41), f_oid(4294967294);
CREATE FUNCTION f_enum(x feeling) RETURNS feeling LANGUAGE :lang AS $$ return 'wild' if x == 'calm' else 'mad' $$;
SELECT f_enum('calm');
SELECT f_enum('wild');

-- domains, arrays
CREATE FUNCTION f_small(x small) RETURNS small LANGUAGE :lang AS $$ return x + 5 $$;
SELECT f_small(4);
SELECT f_small(5);
CREATE FUNCTION f_word(x text) RETURNS word LANGUAGE :lang AS $$ return x $$;
SELECT f_word('w');
SELECT f_word(NULL);
CREATE FUNCTION f_ints(x int[]) RETURNS text LANGUAGE :lang AS $$ return repr(x) $$;
SELECT f_ints('{1,2,3}'), f_ints('{}'), f_ints('{1,NULL}'), f_ints('{{1,2},{3,4}}'), f_ints(NULL);
CREATE FUNCTION f_ints_back(how text) RETURNS int[] LANGUAGE :lang AS $$
return {'list': [1, 2], 'nulls': [None, 3], 'empty': [], 'two': [[1, 2], [3, 4]], 'texts': ['5', '6'],
        'tuple': (7, 8), 'none': None}[how]
$$;
SELECT x, f_ints_back(x) FROM unnest('{list,nulls,empty,two,texts,tuple,none}'::text[]) x;
CREATE FUNCTION f_texts(x text[]) RETURNS text[] LANGUAGE :lang AS $$ return [t and t * 2 for t in x] $$;
SELECT f_texts('{a,"b c",NULL}');
CREATE FUNCTION f_floats(x float8[]) RETURNS float8[] LANGUAGE :lang AS $$ return [sum(x)] $$;
SELECT f_floats('{1.5,2.5}');
CREATE FUNCTION f_numerics(x numeric[]) RETURNS numeric[] LANGUAGE :lang AS $$ return list(reversed(x)) $$;
SELECT f_numerics('{1.50,2}');
CREATE FUNCTION f_variadic(VARIADIC x int[]) RETURNS int LANGUAGE :lang AS $$ return sum(x) $$;
SELECT f_variadic(1, 2, 3), f_variadic(VARIADIC '{4,5}');
CREATE FUNCTION f_smalls(x small[]) RETURNS small[] LANGUAGE :lang AS $$ return [i + 1 for i in x] $$;
SELECT f_smalls('{1,2}');
SELECT f_smalls('{9}');

-- composites
CREATE FUNCTION f_pair(x pair) RETURNS text LANGUAGE :lang AS $$ return repr(sorted(x.items())) $$;
SELECT f_pair(ROW(1, 'x')), f_pair(ROW(NULL, NULL)), f_pair(NULL::pair) IS NULL;
CREATE FUNCTION f_pair_back(how text) RETURNS pair LANGUAGE :lang AS $$
class Pair: pass
p = Pair()
p.a, p.b = 7, 'object'
return {'dict': {'a': 1, 'b': 'dict'}, 'more': {'a': 1, 'b': 'more', 'c': 2}, 'tuple': (2, 'tuple'),
        'list': [3, None], 'object': p, 'none': None, 'missing': {'a': 1}, 'long': (1, 2, 3)}[how]
$$;
SELECT x, f_pair_back(x) FROM unnest('{dict,more,tuple,list,object,none}'::text[]) x;
SELECT f_pair_back('missing');
CREATE FUNCTION f_deep(x deep) RETURNS deep LANGUAGE :lang AS $$
x['p']['a'] += 1
x['l'].append({'a': 9, 'b': 'new'})
return x
$$;
SELECT f_deep(ROW(ROW(1, 'x'), ARRAY[ROW(2, 'y')::pair], 1.50));
CREATE FUNCTION f_pairs() RETURNS pair[] LANGUAGE :lang AS $$ return [(1, 'a'), {'a': 2, 'b': None}] $$;
SELECT f_pairs();
CREATE FUNCTION f_out(n int, OUT a int, OUT b text) LANGUAGE :lang AS $$ return n, 'b' * n $$;
SELECT f_out(2), (SELECT b FROM f_out(3));
CREATE FUNCTION f_out_one(OUT a int) LANGUAGE :lang AS $$ return 5 $$;
SELECT f_out_one();
CREATE FUNCTION f_inout(INOUT a int, INOUT b int) LANGUAGE :lang AS $$ return {'a': b, 'b': a} $$;
SELECT f_inout(1, 2);
CREATE FUNCTION f_record() RETURNS record LANGUAGE :lang AS $$ return {'x': 1, 'y': 'z'} $$;
SELECT * FROM f_record() AS r (x int, y text);
CREATE FUNCTION f_void() RETURNS void LANGUAGE :lang AS $$ pass $$;
SELECT f_void() IS NULL;

-- arguments
CREATE FUNCTION f_args(int, text) RETURNS text LANGUAGE :lang AS $$ return repr(args) $$;
SELECT f_args(1, 'x'), f_args(NULL, NULL);
CREATE FUNCTION f_default(a int, b int DEFAULT 10) RETURNS int LANGUAGE :lang AS $$ return a + b $$;
SELECT f_default(1), f_default(1, 2), f_default(b => 1, a => 5);
CREATE FUNCTION f_global(x text) RETURNS text LANGUAGE :lang AS $$
global x
x = x.strip()
def more():
    return x + '!'
return more()
$$;
SELECT f_global('  a ');
CREATE FUNCTION f_strict(x int) RETURNS int LANGUAGE :lang STRICT AS $$ return x + 1 $$;
SELECT f_strict(NULL), f_strict(1);
CREATE FUNCTION f_recursive(n int) RETURNS int LANGUAGE :lang AS $$
def fact(i): return 1 if i < 2 else i * fact(i - 1)
return fact(n)
$$;
SELECT f_recursive(10);
CREATE FUNCTION f_indented() RETURNS int LANGUAGE :lang AS $$
    x = 1
    if x:
        return 2
$$;
SELECT f_indented();
CREATE FUNCTION f_sd() RETURNS int LANGUAGE :lang AS $$
SD['n'] = SD.get('n', 0) + 1
return SD['n']
$$;
SELECT f_sd(), f_sd(), f_sd();
CREATE FUNCTION f_gd_set(x text) RETURNS void LANGUAGE :lang AS $$ GD['shared'] = x $$;
CREATE FUNCTION f_gd_get() RETURNS text LANGUAGE :lang AS $$ return GD['shared'] $$;
SELECT f_gd_set('in GD');
SELECT f_gd_get();

-- sets
CREATE FUNCTION f_set(how text) RETURNS SETOF int LANGUAGE :lang AS $$
class Counter:
    def __init__(self): self.n = 0
    def __iter__(self): return self
    def __next__(self):
        self.n += 1
        if self.n > 3: raise StopIteration
        return self.n
return {'list': [1, None, 2], 'tuple': (1, 2), 'generator': (i * i for i in range(3)), 'iterator': Counter(),
        'dict': {5: 'x', 6: 'y'}, 'empty': [], 'none': None}[how]
$$;
SELECT x, (SELECT array_agg(i) FROM f_set(x) i) FROM unnest('{list,tuple,generator,iterator,dict,empty}'::text[]) x;
SELECT f_set('list');
SELECT * FROM f_set('none');
CREATE FUNCTION f_yield(n int) RETURNS SETOF text LANGUAGE :lang AS $$
for i in range(n):
    yield i * 'y'
$$;
SELECT * FROM f_yield(3) WITH ORDINALITY;
CREATE FUNCTION f_table(n int) RETURNS TABLE (a int, b text) LANGUAGE :lang AS $$
for i in range(n):
    yield {'a': i, 'b': str(i)} if i % 2 else (i, None)
$$;
SELECT * FROM f_table(3);
SELECT f_table(2);
CREATE FUNCTION f_set_pairs() RETURNS SETOF pair LANGUAGE :lang AS $$ return [(1, 'a'), [2, 'b'], {'a': 3, 'b': 'c'}] $$;
SELECT * FROM f_set_pairs();
CREATE FUNCTION f_set_out(OUT a int, OUT b int) RETURNS SETOF record LANGUAGE :lang AS $$ return [(1, 2), (3, 4)] $$;
SELECT * FROM f_set_out();
CREATE FUNCTION f_set_fails() RETURNS SETOF int LANGUAGE :lang AS $$
yield 1
raise ValueError('later')
$$;
\set VERBOSITY sqlstate
SELECT * FROM f_set_fails();
\set VERBOSITY terse

-- errors
CREATE FUNCTION f_error(how text) RETURNS int LANGUAGE :lang AS $$
if how == 'zero': return 1 / 0
if how == 'name': return undefined
if how == 'plpy': plpy.error('by plpy')
if how == 'raise': raise plpy.Error('raised')
if how == 'key': return {}['no']
if how == 'spi': raise plpy.spiexceptions.DivisionByZero('by hand')
if how == 'caught':
    try: return 1 // 0
    except ZeroDivisionError: return -1
$$;
SELECT f_error('zero');
SELECT f_error('name');
SELECT f_error('plpy');
SELECT f_error('raise');
SELECT f_error('key');
SELECT f_error('spi');
SELECT f_error('caught'), f_error('none of these');
CREATE FUNCTION f_fields() RETURNS void LANGUAGE :lang AS $$
plpy.error('message', detail='detail', hint='hint', sqlstate='XY123', schema_name='s', table_name='t',
           column_name='c', datatype_name='d', constraint_name='k')
$$;
DO $$
DECLARE a text; b text; c text; d text; e text; f text; g text;
BEGIN
  PERFORM f_fields();
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS a = PG_EXCEPTION_DETAIL, b = PG_EXCEPTION_HINT, c = SCHEMA_NAME,
    d = TABLE_NAME, e = COLUMN_NAME, f = PG_DATATYPE_NAME, g = CONSTRAINT_NAME;
  RAISE NOTICE '% % % % % % % % %', SQLSTATE, SQLERRM, a, b, c, d, e, f, g;
END $$;
CREATE FUNCTION f_say() RETURNS void LANGUAGE :lang AS $$
plpy.notice('n', detail='d')
plpy.info('i', 1)
plpy.warning(message='w')
plpy.debug('not shown')
$$;
SELECT f_say();
CREATE FUNCTION f_say_wrong() RETURNS void LANGUAGE :lang AS $$ plpy.notice('a', message='b') $$;
SELECT f_say_wrong();
CREATE FUNCTION f_quote(x text) RETURNS text LANGUAGE :lang AS $$
return ' '.join((plpy.quote_literal(x), plpy.quote_nullable(None), plpy.quote_ident(x)))
$$;
SELECT f_quote(x) FROM unnest(ARRAY['a', 'A b', 'it''s', E'\\', 'select', 'ü']) x;

-- triggers
CREATE TABLE journal (id int, name text, amount numeric(10, 2), tags text[]);
CREATE FUNCTION t_show() RETURNS trigger LANGUAGE :lang AS $$
keys = ['name', 'table_name', 'table_schema', 'when', 'level', 'event', 'args', 'new', 'old']
plpy.notice(' '.join(f'{k}={sorted(TD[k].items()) if isinstance(TD[k], dict) else TD[k]}' for k in keys))
$$;
CREATE TRIGGER a_row BEFORE INSERT OR UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION t_show('x', 'y');
CREATE TRIGGER b_statement AFTER INSERT OR TRUNCATE ON journal FOR EACH STATEMENT EXECUTE FUNCTION t_show();
INSERT INTO journal VALUES (1, 'one', 1.5, '{a}'), (2, NULL, NULL, NULL);
UPDATE journal SET amount = 2 WHERE id = 1;
DELETE FROM journal WHERE id = 2;
TRUNCATE journal;
DROP TRIGGER a_row ON journal;
CREATE FUNCTION t_change() RETURNS trigger LANGUAGE :lang AS $$
name = TD['new']['name']
if name == 'skip': return 'SKIP'
if name == 'change':
    TD['new']['name'] = 'changed'
    TD['new']['amount'] = TD['new']['amount'] * 2
    TD['new']['tags'] = ['t', None]
    return 'MODIFY'
if name == 'unsaid': TD['new']['name'] = 'lost'
if name == 'odd': return 'ODD'
if name == 'number': return 5
if name == 'key':
    TD['new']['no_column'] = 1
    return 'MODIFY'
return 'OK' if name == 'ok' else None
$$;
CREATE TRIGGER c_change BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION t_change();
INSERT INTO journal SELECT i, n, 1.25, '{x}' FROM unnest('{skip,change,unsaid,ok,other}'::text[]) WITH ORDINALITY u(n, i);
SELECT * FROM journal;
INSERT INTO journal VALUES (9, 'odd');
INSERT INTO journal VALUES (9, 'number');
INSERT INTO journal VALUES (9, 'key');
CREATE VIEW journal_view AS SELECT id, name FROM journal;
CREATE FUNCTION t_instead() RETURNS trigger LANGUAGE :lang AS $$
plpy.notice(TD['when'], TD['event'], TD['new'] and TD['new']['name'], TD['old'] and TD['old']['name'])
$$;
CREATE TRIGGER d_view INSTEAD OF INSERT OR UPDATE OR DELETE ON journal_view FOR EACH ROW EXECUTE FUNCTION t_instead();
INSERT INTO journal_view VALUES (1, 'new');
UPDATE journal_view SET name = 'upd' WHERE id = 2;
DELETE FROM journal_view WHERE id = 2;

-- procedures and DO
CREATE PROCEDURE p_plain(a int) LANGUAGE :lang AS $$ plpy.notice('called with', a) $$;
CALL p_plain(5);
CREATE PROCEDURE p_inout(INOUT a int, INOUT b text) LANGUAGE :lang AS $$ return a + 1, b + '!' $$;
CALL p_inout(1, 'x');
DO $$
DECLARE a int := 5; b text := 'y';
BEGIN
  CALL p_inout(a, b);
  RAISE NOTICE '% %', a, b;
END $$;
DO LANGUAGE :lang $$ plpy.notice('in DO', GD['shared']) $$;
DO LANGUAGE :lang $$ raise ValueError('out of DO') $$;

-- SQL: queries, plans
CREATE TABLE stock (id int PRIMARY KEY, name text, price numeric(8, 2), parts pair[]);
CREATE FUNCTION q_execute() RETURNS text LANGUAGE :lang AS $$
r = plpy.execute("INSERT INTO stock VALUES (1, 'one', 1.50, '{}'), (2, 'two', NULL, ARRAY[ROW(1, 'x')::pair]) RETURNING *")
t = plpy.execute('SELECT * FROM stock ORDER BY id', 1)
return repr([list(map(dict, r)), r.nrows(), r.status(), r.colnames(), t.coltypes()[:3], t.coltypmods()[:3], len(t), t[0]['price'],
             plpy.execute('CREATE TEMP TABLE tmp_a (i int)').status(), plpy.execute("UPDATE stock SET name = name || '!'").nrows()])
$$;
SELECT q_execute();
CREATE FUNCTION q_no_rows() RETURNS text LANGUAGE :lang AS $$ return plpy.execute('DELETE FROM tmp_a').colnames() $$;
SELECT q_no_rows();
CREATE FUNCTION q_plan(how text) RETURNS text LANGUAGE :lang AS $$
if 'read' not in SD:
    SD['read'] = plpy.prepare('SELECT id, name FROM stock WHERE id >= $1 ORDER BY id', ['int4'])
    SD['write'] = plpy.prepare('INSERT INTO stock VALUES ($1, $2, $3, $4)', ['int', 'text', 'numeric', 'pair[]'])
read, write = SD['read'], SD['write']
if how == 'write':
    return plpy.execute(write, [3, 'three', '2.5', [{'a': 1, 'b': 'y'}, (2, None)]]).nrows()
if how == 'null':
    return write.execute([4, None, None, None]).nrows()
if how == 'tuple':
    return [dict(r) for r in plpy.execute(read, (2,))]
if how == 'limit':
    return [plpy.execute(read, [1], 2).nrows(), read.execute([1], 1).nrows(), read.status()]
if how == 'few':
    return plpy.execute(write, [1])
if how == 'none':
    return plpy.execute(read)
if how == 'text':
    return plpy.execute(read, '1')
if how == 'bad':
    return plpy.execute(read, ['x'])
if how == 'big':
    return plpy.execute(read, [2 ** 40])
$$;
SELECT h, q_plan(h) FROM unnest('{write,null,tuple,limit}'::text[]) h;
SELECT q_plan('few');
SELECT q_plan('none');
SELECT q_plan('text');
SELECT q_plan('bad');
SELECT q_plan('big');
SELECT * FROM stock ORDER BY id;
CREATE FUNCTION q_prepare(how text) RETURNS text LANGUAGE :lang AS $$
if how == 'type': plpy.prepare('SELECT $1', ['nosuch'])
if how == 'sequence': plpy.prepare('SELECT $1', 5)
if how == 'syntax': plpy.prepare('SELEC')
if how == 'execute': plpy.execute(5)
if how == 'several': return plpy.execute('SELECT 1 AS a; SELECT 2 AS b')[0]['b']
$$;
SELECT q_prepare('type');
SELECT q_prepare('sequence');
SELECT q_prepare('syntax');
SELECT q_prepare('execute');
SELECT q_prepare('several');
CREATE FUNCTION q_stable() RETURNS int STABLE LANGUAGE :lang AS $$ return plpy.execute('DELETE FROM stock').nrows() $$;
SELECT q_stable();
CREATE FUNCTION q_fib(n int) RETURNS int LANGUAGE :lang AS $$
if n < 2: return n
return plpy.execute('SELECT q_fib(%d) + q_fib(%d) AS f' % (n - 1, n - 2))[0]['f']
$$;
SELECT q_fib(6);
CREATE FUNCTION q_caught(what text) RETURNS text LANGUAGE :lang AS $$
try:
    plpy.execute(what)
except plpy.spiexceptions.UniqueViolation as e:
    return 'unique ' + e.sqlstate
except plpy.spiexceptions.DivisionByZero as e:
    return 'division ' + str(e)
except plpy.SPIError as e:
    return 'SPI %s %s' % (e.sqlstate, e)
return 'none'
$$;
CREATE FUNCTION q_fields(what text) RETURNS text LANGUAGE :lang AS $$
try:
    plpy.execute(what)
except plpy.SPIError as e:
    return str(e.spidata)
$$;
SELECT w, q_fields(w) FROM unnest(ARRAY['INSERT INTO stock VALUES (1)', 'SELECT 1 / 0', 'SELECT nosuch', 'SELECT ''x''::int', 'SELECT ~ 1.5']) w;
SELECT w, q_caught(w) FROM unnest(ARRAY['INSERT INTO stock VALUES (1)', 'SELECT 1 / 0', 'SELECT nosuch', 'SELECT 1']) w;

-- cursors
CREATE FUNCTION c_read(how text) RETURNS text LANGUAGE :lang AS $$
plan = plpy.prepare('SELECT id FROM stock WHERE id > $1 ORDER BY id', ['int'])
cur = plpy.cursor('SELECT id FROM stock ORDER BY id')
if how == 'iterate': return [r['id'] for r in cur]
if how == 'mixed':
    first = next(cur)['id']
    rows = cur.fetch(2)
    return [first, [r['id'] for r in rows], rows.nrows(), rows.status(), [r['id'] for r in cur], cur.fetch(5).nrows()]
if how == 'plan': return [r['id'] for r in plpy.cursor(plan, [2])] + [r['id'] for r in plan.cursor([3])]
if how == 'end':
    list(cur)
    return next(cur)
cur.close()
if how == 'closed': return next(cur)
if how == 'fetch': return cur.fetch(1)
if how == 'twice': return cur.close()
if how == 'args': return plpy.cursor(plan, 'x')
if how == 'delete': return plpy.cursor('DELETE FROM stock')
if how == 'returning': return plpy.cursor('UPDATE stock SET name = name RETURNING id').fetch(10).nrows()
$$;
SELECT h, c_read(h) FROM unnest('{iterate,mixed,plan,twice,returning}'::text[]) h;
SELECT c_read('closed');
SELECT c_read('fetch');
SELECT c_read('args');
SELECT c_read('delete');
CREATE FUNCTION c_aborted(how text) RETURNS text LANGUAGE :lang AS $$
try:
    with plpy.subtransaction():
        cur = plpy.cursor('SELECT generate_series(1, 10) AS i')
        next(cur)
        raise KeyError
except KeyError:
    pass
return next(cur) if how == 'next' else cur.fetch(1) if how == 'fetch' else cur.close()
$$;
SELECT c_aborted('next');
SELECT c_aborted('fetch');
SELECT c_aborted('close');
CREATE FUNCTION c_change() RETURNS int LANGUAGE :lang AS $$
n = 0
for row in plpy.cursor('SELECT * FROM stock ORDER BY id'):
    plpy.execute("UPDATE stock SET name = 'seen' WHERE id >= %d" % row['id'])
    n += row['name'] == 'seen'
return n
$$;
SELECT c_change();
CREATE FUNCTION c_set() RETURNS SETOF int LANGUAGE :lang AS $$
for row in plpy.cursor('SELECT generate_series(1, 1000) AS i'):
    yield row['i']
$$;
SELECT count(i), sum(i) FROM c_set() i;

-- subtransactions
CREATE TABLE ledger (i int PRIMARY KEY);
CREATE FUNCTION s_run(how text) RETURNS text LANGUAGE :lang AS $$
def put(i):
    plpy.execute('INSERT INTO ledger VALUES (%d)' % i)
if how == 'good':
    with plpy.subtransaction():
        put(1)
        put(2)
if how == 'bad':
    with plpy.subtransaction():
        put(3)
        put(1)
if how == 'caught':
    try:
        with plpy.subtransaction():
            put(4)
            put(1)
    except plpy.spiexceptions.UniqueViolation as e:
        put(5)
        return type(e).__name__
if how == 'nested':
    with plpy.subtransaction():
        put(6)
        try:
            with plpy.subtransaction():
                put(7)
                raise ValueError
        except ValueError:
            with plpy.subtransaction():
                put(8)
if how == 'hand':
    s = plpy.subtransaction()
    s.enter()
    put(9)
    s.exit(ValueError, None, None)
    s = plpy.subtransaction()
    s.__enter__()
    put(10)
    s.__exit__(None, None, None)
if how == 'left':
    plpy.subtransaction().enter()
    put(11)
if how == 'left and failed':
    plpy.subtransaction().enter()
    1 // 0
if how == 'not entered':
    plpy.subtransaction().exit(None, None, None)
if how == 'entered twice':
    with plpy.subtransaction() as s:
        s.enter()
if how == 'exited twice':
    with plpy.subtransaction() as s:
        s.exit(None, None, None)
return how
$$;
SELECT h, s_run(h) FROM unnest('{good,caught,nested,hand,left}'::text[]) h;
SELECT s_run('bad');
SELECT s_run('left and failed');
SELECT s_run('not entered');
SELECT s_run('entered twice');
SELECT s_run('exited twice');
SELECT array_agg(i ORDER BY i) FROM ledger;

-- COMMIT and ROLLBACK
TRUNCATE ledger;
CREATE PROCEDURE p_commit(n int) LANGUAGE :lang AS $$
for i in range(n):
    plpy.execute('INSERT INTO ledger VALUES (%d)' % i)
    if i % 2:
        plpy.rollback()
    else:
        plpy.commit()
$$;
CALL p_commit(6);
SELECT array_agg(i ORDER BY i) FROM ledger;
BEGIN;
CALL p_commit(1);
ROLLBACK;
CREATE FUNCTION p_not() RETURNS void LANGUAGE :lang AS $$ plpy.commit() $$;
SELECT p_not();
DO LANGUAGE :lang $$
try:
    with plpy.subtransaction():
        plpy.commit()
except plpy.SPIError as e:
    plpy.notice(e.sqlstate, e)
try:
    plpy.execute('CALL p_commit(1)')
except plpy.SPIError as e:
    plpy.notice(e.sqlstate, e)
$$;
CREATE PROCEDURE p_cursor() LANGUAGE :lang AS $$
for row in plpy.cursor('SELECT i FROM ledger ORDER BY i'):
    plpy.execute('UPDATE ledger SET i = i + 100 WHERE i = %d' % row['i'])
    plpy.commit() if row['i'] != 2 else plpy.rollback()
$$;
CALL p_cursor();
SELECT array_agg(i ORDER BY i) FROM ledger;
CREATE TABLE late (i int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
DO LANGUAGE :lang $$
plpy.execute('INSERT INTO late VALUES (1), (1)')
try:
    plpy.commit()
except plpy.spiexceptions.UniqueViolation as e:
    plpy.notice(e)
plpy.execute('INSERT INTO late VALUES (2)')
plpy.commit()
cur = plpy.cursor('UPDATE late SET i = i RETURNING i')
try:
    plpy.commit()
except plpy.SPIError as e:
    plpy.notice(e.sqlstate, e)
$$;
SELECT * FROM late;
CREATE PROCEDURE p_result(INOUT a int) LANGUAGE :lang AS $$
plpy.commit()
return a + plpy.execute('SELECT 1 AS i')[0]['i'],
$$;
CALL p_result(5);
CREATE FUNCTION t_log() RETURNS trigger LANGUAGE :lang AS $$
if 'plan' not in SD:
    SD['plan'] = plpy.prepare('INSERT INTO ledger VALUES ($1)', ['int'])
SD['plan'].execute([1000 + TD['new']['i']])
$$;
CREATE TRIGGER log AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION t_log();
INSERT INTO late VALUES (3), (4);
SELECT array_agg(i ORDER BY i) FROM ledger;

-- transforms
CREATE FUNCTION j_look(j jsonb) RETURNS text LANGUAGE :lang TRANSFORM FOR TYPE jsonb AS $$
return '%s %s' % (type(j).__name__, sorted(j.items()) if isinstance(j, dict) else j)
$$;
SELECT j_look('{"b": 1.50, "a": [2, "x", null, true, {"c": {}}]}'), j_look('[]'), j_look('5'), j_look('"größe"'), j_look('null'), j_look(NULL);
CREATE FUNCTION j_make(n int) RETURNS jsonb LANGUAGE :lang TRANSFORM FOR TYPE jsonb AS $$
from decimal import Decimal
if n == 3:
    return float('inf')
if n == 4:
    return {'a': {1, 2}}
return [{'n': n, 'list': [1.5, 'a"b', None, True, Decimal('2.50')], 5: {}}, [1, [2]], 'text'][n]
$$;
SELECT j_make(0), j_make(1), j_make(2);
SELECT j_make(3);
SELECT j_make(4);
CREATE FUNCTION j_text(j jsonb) RETURNS text LANGUAGE :lang AS $$ return type(j).__name__ + j $$;
SELECT j_text('{"a": 1}');
CREATE FUNCTION j_rows(js jsonb[]) RETURNS TABLE (a jsonb, b int) LANGUAGE :lang TRANSFORM FOR TYPE jsonb AS $$
return [(j, len(j)) for j in js]
$$;
SELECT * FROM j_rows(ARRAY['{"x": 1}', '[1, 2]']::jsonb[]);

CREATE FUNCTION j_query() RETURNS text LANGUAGE :lang TRANSFORM FOR TYPE jsonb AS $$
plan = plpy.prepare('SELECT $1->0 AS x', ['jsonb'])
return [plpy.execute("""SELECT '{"a": ["x"]}'::jsonb AS j""")[0]['j'], plan.execute([[{'b': True}]])[0]['x']]
$$;
SELECT j_query();

-- transition tables
CREATE TABLE bill (id int, amount int);
CREATE FUNCTION t_bills() RETURNS trigger LANGUAGE :lang AS $$
for name in 'o', 'n':
    try:
        row = plpy.execute('SELECT count(*) AS c, sum(amount) AS s FROM ' + name)[0]
        plpy.notice(TD['event'], TD['level'], name, row['c'], row['s'])
    except plpy.SPIError as error:
        plpy.notice(error.sqlstate, error)
plpy.execute('SELECT t_inner()')
$$;
CREATE FUNCTION t_inner() RETURNS void LANGUAGE :lang AS $$
try:
    plpy.execute('SELECT * FROM n')
except plpy.SPIError as error:
    plpy.notice('inner:', error)
$$;
CREATE TRIGGER bill_i AFTER INSERT ON bill REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION t_bills();
CREATE TRIGGER bill_u AFTER UPDATE ON bill REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH ROW EXECUTE FUNCTION t_bills();
CREATE TRIGGER bill_d AFTER DELETE ON bill REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION t_bills();
INSERT INTO bill VALUES (1, 10), (2, 20);
UPDATE bill SET amount = amount + 1;
DELETE FROM bill WHERE id = 1;

-- constraints, generated columns, indexes, materialized views
CREATE FUNCTION c_length(t text) RETURNS int LANGUAGE :lang IMMUTABLE AS $$ return len(t) $$;
CREATE TABLE short (t text CHECK (public.c_length(t) < 10), n int GENERATED ALWAYS AS (public.c_length(t)) STORED);
CREATE INDEX short_length ON short (public.c_length(t));
INSERT INTO short VALUES ('one'), ('three');
INSERT INTO short VALUES ('much too long');
SELECT * FROM short WHERE c_length(t) = 5;
CREATE VIEW long_view AS SELECT t, public.c_length(t) AS n FROM short;
SELECT * FROM long_view ORDER BY t;
CREATE MATERIALIZED VIEW lengths AS SELECT t, public.c_length(t) AS n FROM short;
INSERT INTO short VALUES ('fourteen');
REFRESH MATERIALIZED VIEW lengths;
SELECT * FROM lengths ORDER BY n;
REINDEX TABLE short;
CLUSTER short USING short_length;
ANALYZE short;
ALTER TABLE short ADD CHECK (public.c_length(t) > 1);
CREATE OR REPLACE FUNCTION c_length(t text) RETURNS int LANGUAGE :lang IMMUTABLE AS $$ return -len(t) $$;
SELECT * FROM long_view ORDER BY t;
ALTER FUNCTION c_length(text) RENAME TO c_renamed;
SELECT * FROM long_view ORDER BY t;
DROP FUNCTION c_renamed(text);
CREATE OR REPLACE FUNCTION c_renamed(t text) RETURNS int LANGUAGE :lang IMMUTABLE AS $$ return len(t) $$;
REFRESH MATERIALIZED VIEW lengths;

-- replaced and dropped
CREATE OR REPLACE FUNCTION f_sd() RETURNS int LANGUAGE :lang AS $$ return SD.get('n', 100) $$;
SELECT f_sd();
ALTER FUNCTION f_sd() RENAME TO f_renamed;
SELECT f_renamed();
DROP FUNCTION f_renamed();
SELECT f_renamed();
