-- plpy: messages, errors and texts for SQL.
\set SHOW_CONTEXT never
CREATE FUNCTION say(level text) RETURNS void LANGUAGE hxpy AS $$
getattr(plpy, level)('a ' + level)
$$;
SELECT say('notice'), say('warning'), say('info');
SELECT say('debug'), say('log');
SET client_min_messages = log;
SELECT say('log');
RESET client_min_messages;
DO LANGUAGE hxpy $$
import plpy as other
print('before, unfinished', end='')
plpy.notice('one', 2, None)
plpy.notice(5)
plpy.notice('größe', detail='the detail', hint='the hint')
other.warning(message='by name', sqlstate='01ABC', schema_name='s', table_name='t')
print('after')
$$;
DO LANGUAGE hxpy $$plpy.notice('a', message='b')$$;
DO LANGUAGE hxpy $$plpy.notice('a', color='b')$$;
DO LANGUAGE hxpy $$plpy.notice('a', sqlstate='x')$$;
\set SHOW_CONTEXT errors
CREATE FUNCTION fail(how text) RETURNS void LANGUAGE hxpy AS $$
if how == 'error':
    plpy.error('it failed')
if how == 'fatal':
    plpy.fatal('it failed badly')
if how == 'raised':
    raise plpy.Error('raised')
if how == 'nothing':
    raise plpy.Error
if how == 'fields':
    plpy.error('fields', detail='d', hint='h', sqlstate='ABC01', schema_name='a schema',
               table_name='a table', column_name='a column', datatype_name='a type',
               constraint_name='a constraint')
if how == 'state':
    raise plpy.spiexceptions.UniqueViolation('made by hand')
if how == 'cancel':
    plpy.error('not canceled', sqlstate='57014')
if how == 'caught':
    try:
        plpy.error('inner', detail='kept', sqlstate='ABC02')
    except plpy.Error as error:
        plpy.notice(f'{error} {error.detail} {error.hint} {error.sqlstate}')
    try:
        raise plpy.spiexceptions.DivisionByZero
    except plpy.SPIError as error:
        plpy.notice(f'{type(error).__name__} {error.sqlstate}')
if how == 'chained':
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise plpy.Error('chained') from error
$$;
SELECT fail('error');
SELECT fail('fatal');
SELECT fail('raised');
SELECT fail('nothing');
DO $$
DECLARE d text; h text; s text; n text; c text; t text; k text; state text;
BEGIN
  PERFORM fail('fields');
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, s = SCHEMA_NAME,
    n = TABLE_NAME, c = COLUMN_NAME, t = PG_DATATYPE_NAME, k = CONSTRAINT_NAME;
  RAISE INFO '% | % | % | % | % | % | % | % | %', SQLSTATE, SQLERRM, d, h, s, n, c, t, k;
END $$;
\set VERBOSITY default
DO $$
BEGIN
  PERFORM fail('state');
EXCEPTION WHEN unique_violation THEN
  RAISE NOTICE 'caught: %', SQLERRM;
END $$;
\set VERBOSITY sqlstate
SELECT fail('cancel');
\set VERBOSITY default
SELECT fail('caught');
SELECT fail('chained');
CREATE FUNCTION quoted(what text) RETURNS TABLE (literal text, nullable text, ident text)
LANGUAGE hxpy AS $$
yield (None if what is None else plpy.quote_literal(what), plpy.quote_nullable(what),
       None if what is None else plpy.quote_ident(what))
$$;
SELECT w = 'x', q.*, q.literal = quote_literal(w) AND q.nullable = quote_nullable(w) AND
       q.ident = quote_ident(w) AS same
  FROM unnest(ARRAY['x', 'it''s', E'back\\slash', 'Big', 'select', 'a b', '"', '', '1a', '_a1', 'größe',
                    'value', 'text']) w, quoted(w) q;
SELECT * FROM quoted(NULL);
DO LANGUAGE hxpy 'plpy.quote_literal(None)';
DO LANGUAGE hxpy 'plpy.quote_ident(5)';
SELECT py_close_all();
DROP FUNCTION say, fail, quoted;
