-- LANGUAGE hxpy: triggers and event triggers.
CREATE TABLE account (id int PRIMARY KEY, owner text, balance numeric, tags text[],
                      twice numeric GENERATED ALWAYS AS (balance * 2) STORED);
CREATE FUNCTION show() RETURNS trigger LANGUAGE hxpy AS $$
for key in ('name', 'table_name', 'table_schema', 'when', 'level', 'event', 'args', 'new', 'old'):
    print(key, TD[key])
print('relid', TD['relid'].isdigit(), len(TD))
$$;
CREATE TRIGGER a_before BEFORE INSERT OR UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION show('x', '1');
CREATE TRIGGER b_after AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION show();
CREATE TRIGGER c_statement AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON account
  FOR EACH STATEMENT EXECUTE FUNCTION show();
INSERT INTO account VALUES (1, 'ann', 10.5, '{a,b}');
UPDATE account SET balance = 11;
DELETE FROM account;
TRUNCATE account;
DROP TRIGGER a_before ON account;
DROP TRIGGER b_after ON account;
DROP TRIGGER c_statement ON account;
-- what it may return
CREATE FUNCTION decide() RETURNS trigger LANGUAGE hxpy AS $$
row = TD['new'] or TD['old']
what = row['owner']
if what == 'modify':
    row['owner'] = 'modified'
    row['tags'] = row['tags'] + ['more']
    return 'MODIFY'
if what == 'append':
    row['tags'].append('appended')
    return 'modify'
if what == 'unset':
    row['owner'] = 'not modified'
    return 'OK'
if what == 'clear':
    row['balance'] = None
    return 'MODIFY'
if what == 'fewer':
    del row['balance'], row['tags']
    row['owner'] = 'with fewer keys'
    return 'MODIFY'
if what == 'none':
    TD['new'] = None
    return 'MODIFY'
if what == 'deleted':
    del TD['new']
    return 'MODIFY'
if what == 'strange key':
    row['color'] = 1
    return 'MODIFY'
if what == 'number':
    row[5] = 1
    return 'MODIFY'
if what == 'generated':
    row['twice'] = 5
    return 'MODIFY'
if what == 'wrong type':
    row['id'] = 'x'
    return 'MODIFY'
return {'skip': 'SKIP', 'ok': 'OK', 'int': 5, 'word': 'PERHAPS'}.get(what)
$$;
CREATE TRIGGER decides BEFORE INSERT OR UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION decide();
INSERT INTO account SELECT i, w, 123456789012345678901234567890.123456789, '{t}'
  FROM unnest('{ok,skip,modify,append,unset,clear,fewer,nothing}'::text[]) WITH ORDINALITY AS u(w, i);
SELECT * FROM account ORDER BY id;
INSERT INTO account VALUES (20, 'none');
INSERT INTO account VALUES (20, 'deleted');
INSERT INTO account VALUES (20, 'strange key');
INSERT INTO account VALUES (20, 'number');
INSERT INTO account VALUES (20, 'generated');
INSERT INTO account VALUES (20, 'wrong type');
INSERT INTO account VALUES (20, 'int');
INSERT INTO account VALUES (20, 'word');
UPDATE account SET owner = 'skip' WHERE id = 1;
UPDATE account SET owner = 'modify' WHERE id = 4;
UPDATE account SET owner = 'fewer', tags = '{new}' WHERE id = 7;
DELETE FROM account WHERE owner = 'modified';
SELECT id, owner, tags FROM account ORDER BY id;
-- domains, dropped columns, partitions
CREATE DOMAIN needed AS text NOT NULL CHECK (VALUE <> 'bad');
CREATE TABLE parts (gone int, k int, d needed, c varchar(3)) PARTITION BY LIST (k);
ALTER TABLE parts DROP COLUMN gone;
CREATE TABLE part1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part2 (d needed, c varchar(3), k int);
ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES IN (2);
CREATE FUNCTION assign() RETURNS trigger LANGUAGE hxpy AS $$
TD['new']['c'] = TD['table_name'][-1] if TD['new']['c'] is None else TD['new']['c'] * 2
if TD['args']:
    TD['new']['d'] = None if TD['args'][0] == 'null' else TD['args'][0]
return 'MODIFY'
$$;
CREATE TRIGGER assigns BEFORE INSERT ON parts FOR EACH ROW EXECUTE FUNCTION assign();
INSERT INTO parts VALUES (1, 'good'), (2, 'good'), (1, 'good'), (2, 'fine');
SELECT tableoid::regclass, * FROM parts ORDER BY 1, 2, 3;
INSERT INTO parts VALUES (1, 'good', 'xyz');
CREATE TRIGGER z_bad BEFORE INSERT ON part1 FOR EACH ROW EXECUTE FUNCTION assign('bad');
INSERT INTO parts VALUES (1, 'good');
DROP TRIGGER z_bad ON part1;
CREATE TRIGGER z_null BEFORE INSERT ON part1 FOR EACH ROW EXECUTE FUNCTION assign('null');
INSERT INTO parts VALUES (1, 'good');
-- answers that only a hostile worker gives: of columns that are none, come twice, are out of order, of another type, of two values
CREATE TABLE forged (a int, b text, c needed);
CREATE FUNCTION forge() RETURNS trigger LANGUAGE hxpy AS 'pass';
CREATE TRIGGER forges BEFORE INSERT ON forged FOR EACH ROW EXECUTE FUNCTION forge();
SET hxpy.session = 'forged';
SELECT py_exec(py_open('forged'), $$
from hxpy._tables import wire
from hxpy._tables.conversion import encode_column
from hxpy._worker import functions
def column(name, tag, *values):
    return encode_column(wire.Column(tag, name, '', 0), values)
def forge(*columns):
    functions.TriggerCall.answer = lambda *_: wire.encode_batch(columns)
modify, a, b = column('', wire.TEXT, 'MODIFY'), column('a', wire.INT32, 7), column('b', wire.TEXT, 'x')
$$);
CREATE FUNCTION answered(answer text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE forged;
  PERFORM py_exec('forged', format('forge(%s)', answer));
  INSERT INTO forged VALUES (1, 'one', 'good');
  RETURN (SELECT string_agg(f::text, ' ') FROM forged f);
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT answer, answered(answer) FROM unnest(ARRAY['modify, a, b', 'modify, b', 'modify', '', 'b', 'modify, b, a', 'modify, a, a',
  'modify, column("d", wire.INT32, 1)', 'modify, column("a", wire.TEXT, "1")', 'modify, column("a", wire.INT32, 1, 2)',
  'modify, column("a", wire.INT32)', 'modify, column("c", wire.TEXT, "bad")', 'modify, column("c", wire.TEXT, None)', 'modify, a, b, a, b, a',
  'column("", wire.TEXT, "MODIFY", "MODIFY"), a', 'column("", wire.INT32, 1), a', 'column("", wire.TEXT, None), a',
  'column("", wire.TEXT, "OK"), a', 'column("", wire.TEXT, "SKIP"), a']) AS answer;
RESET hxpy.session;
SELECT py_close('forged');
DROP TABLE forged;
DROP FUNCTION forge, answered;
-- a view
CREATE VIEW owners AS SELECT id, owner FROM account;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE hxpy AS $$
print(TD['when'], TD['event'], TD['new'], TD['old'])
return 'SKIP' if TD['event'] == 'DELETE' else None
$$;
CREATE TRIGGER insteads INSTEAD OF INSERT OR UPDATE OR DELETE ON owners FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO owners VALUES (99, 'x');
UPDATE owners SET owner = 'y' WHERE id = 1;
DELETE FROM owners WHERE id = 1;
SELECT instead();
-- one SD, whatever the table
CREATE FUNCTION counts() RETURNS trigger LANGUAGE hxpy AS $$
SD['tables'] = SD.get('tables', []) + [TD['table_name']]
print(SD['tables'])
$$;
CREATE TABLE counted_a (a int);
CREATE TABLE counted_b (a int);
CREATE TRIGGER counts AFTER INSERT ON counted_a EXECUTE FUNCTION counts();
CREATE TRIGGER counts AFTER INSERT ON counted_b EXECUTE FUNCTION counts();
INSERT INTO counted_a VALUES (1);
INSERT INTO counted_b VALUES (1);
DROP TABLE counted_a, counted_b;
DROP FUNCTION counts;
CREATE FUNCTION on_event() RETURNS event_trigger LANGUAGE hxpy AS $$ print(TD['event'], TD['tag']) $$;
CREATE EVENT TRIGGER hxpy_regress_event ON ddl_command_end EXECUTE FUNCTION on_event();
CREATE TABLE made_now (a int);
DROP EVENT TRIGGER hxpy_regress_event;
DROP VIEW owners;
DROP TABLE account, parts, made_now;
SELECT py_close_all();
DROP FUNCTION show, decide, assign, instead, on_event;
DROP DOMAIN needed;
