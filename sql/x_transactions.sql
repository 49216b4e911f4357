-- plpy.commit and plpy.rollback
CREATE ROLE tran_user;
GRANT CREATE ON SCHEMA public TO tran_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO tran_user;
GRANT USAGE ON LANGUAGE hxpy TO tran_user;
SET SESSION AUTHORIZATION tran_user;
CREATE TABLE tran_a (i int, t text);
CREATE PROCEDURE tran_loop(n int) LANGUAGE hxpy AS $$
for i in range(n):
    plpy.execute(f'INSERT INTO tran_a (i) VALUES ({i})')
    if i % 2 == 0:
        plpy.commit()
    else:
        plpy.rollback()
$$;
CALL tran_loop(6);
SELECT * FROM tran_a;
TRUNCATE tran_a;
DO LANGUAGE hxpy $$
for i in range(4):
    plpy.execute(f'INSERT INTO tran_a (i) VALUES ({i})')
    plpy.rollback() if i % 2 else plpy.commit()
$$;
SELECT * FROM tran_a;
-- results after a commit
CREATE DOMAIN tran_small AS int CHECK (VALUE < 100);
CREATE PROCEDURE tran_inout(INOUT a tran_small, INOUT b text[]) LANGUAGE hxpy AS $$
plpy.commit()
n = plpy.execute('SELECT count(*) AS n FROM tran_a')[0]['n']
plpy.rollback()
return a + n, [*b, 'after']
$$;
CALL tran_inout(1, '{x}');
DO $$
DECLARE a tran_small := 5; b text[] := '{y}';
BEGIN
  FOR i IN 1..3 LOOP
    CALL tran_inout(a, b);
    COMMIT;
    CALL tran_loop(1);
  END LOOP;
  RAISE NOTICE '% %', a, b;
END $$;
SELECT count(*) FROM tran_a;
TRUNCATE tran_a;
-- where it is not allowed
CREATE FUNCTION tran_function() RETURNS text LANGUAGE hxpy AS $$
plpy.execute('INSERT INTO tran_a (i) VALUES (1)')
try:
    plpy.commit()
except plpy.spiexceptions.InvalidTransactionTermination as error:
    return f'{error.sqlstate} {error}'
$$;
SELECT tran_function();
CREATE FUNCTION tran_uncaught() RETURNS void LANGUAGE hxpy AS 'plpy.rollback()';
SELECT tran_uncaught();
BEGIN;
CALL tran_loop(1);
ROLLBACK;
CREATE PROCEDURE tran_definer() LANGUAGE hxpy SECURITY DEFINER AS 'plpy.commit()';
CALL tran_definer();
CREATE PROCEDURE tran_set() LANGUAGE hxpy SET work_mem = '1MB' AS 'plpy.commit()';
CALL tran_set();
DO $$ BEGIN CALL tran_loop(1); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM; END $$;
DO LANGUAGE hxpy $$
GD['plpy'] = plpy
for what in ('CALL tran_loop(1)', 'COMMIT', 'DO LANGUAGE hxpy $x$plpy.commit()$x$', "SELECT py_exec('plpy.commit()')"):
    try:
        plpy.execute(what)
    except plpy.SPIError as error:
        plpy.info(error.sqlstate, str(error))
with plpy.subtransaction():
    plpy.execute('INSERT INTO tran_a (i) VALUES (1)')
    try:
        plpy.commit()
    except plpy.SPIError as error:
        plpy.info(error.sqlstate, str(error))
$$;
SELECT * FROM tran_a;
TRUNCATE tran_a;
-- cursors outlast it, plans and what is left open too
INSERT INTO tran_a SELECT i, repeat('x', 10000) FROM generate_series(1, 100) AS i;
CREATE TABLE tran_b (i int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n int);
CREATE PROCEDURE tran_cursor() LANGUAGE hxpy AS $$
plan = plpy.prepare('INSERT INTO tran_b VALUES ($1, $2)', ['int', 'int'])
for row in plpy.cursor('SELECT * FROM tran_a ORDER BY i'):
    plan.execute([row['i'], len(row['t'])])
    if row['i'] % 10 == 0:
        plpy.commit()
    if row['i'] == 95:
        plpy.rollback()
GD['kept'] = plpy.cursor('SELECT * FROM tran_a')
plpy.commit()
plpy.info(GD['kept'].fetch(1)[0]['i'])
$$;
CALL tran_cursor();
SELECT count(*), sum(n) FROM tran_b;
SELECT count(*) FROM pg_cursors;
DO LANGUAGE hxpy $$
try:
    GD['kept'].fetch(1)
except ValueError as error:
    plpy.info(str(error))
cursor = plpy.cursor('UPDATE tran_a SET i = i RETURNING i')
try:
    plpy.commit()
except plpy.SPIError as error:
    plpy.info(error.sqlstate, str(error))
cursor = plpy.cursor('SELECT 1 / (50 - i) AS q FROM tran_a ORDER BY i')
try:
    plpy.commit()
except plpy.SPIError as error:
    plpy.info(error.sqlstate, str(error))
plpy.execute('INSERT INTO tran_b VALUES (1000)')
plpy.commit()
$$;
-- reading the rows of cursors for a commit takes no other role on
RESET SESSION AUTHORIZATION;
SET ROLE tran_user;
DO LANGUAGE hxpy $$
cursor = plpy.cursor("SELECT set_config('role', 'postgres', false)")
try:
    plpy.commit()
except plpy.SPIError as error:
    plpy.info(error.sqlstate, str(error))
plpy.info(plpy.execute('SELECT current_user AS u')[0])
$$;
RESET ROLE;
SET SESSION AUTHORIZATION tran_user;
-- a commit that fails is a rollback
DO LANGUAGE hxpy $$
plpy.execute('INSERT INTO tran_b VALUES (1), (1001)')
try:
    plpy.commit()
except plpy.spiexceptions.UniqueViolation as error:
    plpy.info(str(error), error.table_name)
plpy.execute('INSERT INTO tran_b VALUES (1002)')
$$;
SELECT i FROM tran_b WHERE i >= 1000;
-- errors, cancel and a lost session after it
DO LANGUAGE hxpy $$
plpy.execute('INSERT INTO tran_b VALUES (1003)')
plpy.commit()
plpy.execute('INSERT INTO tran_b VALUES (1004)')
cursor = plpy.cursor('SELECT * FROM tran_a')
plpy.commit()
plpy.subtransaction().enter()
plpy.execute('INSERT INTO tran_b VALUES (1005)')
raise ValueError('at last')
$$;
SELECT count(*) FROM pg_cursors;
SET statement_timeout = '500ms';
DO LANGUAGE hxpy $$
import time
plpy.commit()
with plpy.subtransaction():
    plpy.execute('INSERT INTO tran_b VALUES (1006)')
    time.sleep(10)
$$;
RESET statement_timeout;
DO LANGUAGE hxpy $$
import os
plpy.execute('INSERT INTO tran_b VALUES (1007)')
plpy.commit()
plpy.execute('INSERT INTO tran_b VALUES (1008)')
os._exit(3)
$$;
SELECT i FROM tran_b WHERE i > 1002;
SELECT py_close_all();
DROP PROCEDURE tran_loop, tran_inout, tran_definer, tran_set, tran_cursor;
DROP FUNCTION tran_function, tran_uncaught;
RESET SESSION AUTHORIZATION;
DROP OWNED BY tran_user;
DROP ROLE tran_user;
