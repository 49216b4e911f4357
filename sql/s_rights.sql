-- SQL that Python asks for has the rights of the statement that has called Python, wherever it is called from.
\set VERBOSITY terse
CREATE ROLE rights_low;
CREATE ROLE rights_owner;
CREATE ROLE rights_other;
CREATE ROLE rights_maker CREATEROLE;
CREATE ROLE rights_files NOINHERIT IN ROLE pg_read_server_files;
CREATE SCHEMA rights_path;
CREATE FUNCTION rights_grant() RETURNS void LANGUAGE plpgsql AS $$
DECLARE r name;
BEGIN
  FOREACH r IN ARRAY '{rights_low, rights_owner, rights_other, rights_maker, rights_files}'::name[] LOOP
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO %I; GRANT USAGE ON LANGUAGE hxpy TO %1$I; GRANT CREATE, USAGE ON SCHEMA rights_path TO %1$I', r);
  END LOOP;
END $$;
SELECT rights_grant();
CREATE TABLE rights_path.secret AS SELECT 'secret' AS t;
CREATE TABLE rights_path.mine AS SELECT unnest('{rights_low, rights_owner, rights_other}'::text[]) AS owner;
ALTER TABLE rights_path.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON rights_path.mine USING (owner = current_user);
GRANT SELECT ON rights_path.mine TO PUBLIC;
GRANT SELECT ON rights_path.secret TO rights_owner;
SET SESSION AUTHORIZATION rights_low;
SET search_path = public, rights_path;
-- what each place may do: the secret, the rows that are its own, its role and path, another role, what may be written
CREATE FUNCTION rights_path.code() RETURNS text IMMUTABLE LANGUAGE sql AS $f$ SELECT $$
import hxpy, plpy
def said(query):
    """What both ways say."""
    answers = []
    for run in lambda q: hxpy.sql(q).to_dict('records'), lambda q: list(plpy.execute(q)):
        try:
            rows = run(query)
            answers.append(' '.join(str(v) for row in rows for v in row.values()))
        except hxpy.SQLError as error:
            answers.append(error.sqlstate)
    return answers[0] if answers[0] == answers[1] else str(answers)
def rights():
    return '; '.join(map(said, ['SELECT t FROM secret', 'SELECT owner FROM mine', 'SELECT current_user', 'SHOW search_path', 'RESET ROLE',
                                "SELECT set_config('role', 'rights_other', false)", 'CREATE TABLE made (a int); DROP TABLE made']))
$$ $f$;
CREATE FUNCTION rights_path.rights() RETURNS text LANGUAGE hxpy AS $$ return GD['rights']() $$;
CREATE FUNCTION rights_path.rights_set() RETURNS SETOF text LANGUAGE hxpy AS $$ yield GD['rights']() $$;
CREATE FUNCTION rights_path.rights_stable() RETURNS text STABLE LANGUAGE hxpy AS $$ return GD['rights']() $$;
CREATE FUNCTION rights_path.rights_trigger() RETURNS trigger LANGUAGE hxpy AS $$
TD['new']['t'] = GD['rights']()
return 'MODIFY'
$$;
CREATE TABLE rights_path.told (t text);
CREATE TRIGGER told BEFORE INSERT ON rights_path.told FOR EACH ROW EXECUTE FUNCTION rights_trigger();
SELECT py_exec('default', code());
SELECT py_exec('default', 'print(rights())');
SELECT py_eval('default', 'rights()', NULL::text);
SELECT * FROM py_eval_grid('default', '((rights(),) for i in range(1))') AS t(t text);
SELECT * FROM py_apply('default', 'lambda df: [(rights(),)]', 'SELECT 1 AS a') AS t(t text);
SELECT py_agg('default', 'lambda a: rights()', 1);
SELECT rights(), rights_stable();
SELECT * FROM rights_set();
INSERT INTO told VALUES (NULL) RETURNING t;
DO LANGUAGE hxpy $$ plpy.notice(GD['rights']()) $$;
-- a function's own path
ALTER FUNCTION rights() SET search_path = pg_catalog;
SELECT rights_path.rights();
ALTER FUNCTION rights() RESET search_path;
-- SECURITY DEFINER: the owner's session and rights, and back
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION rights_owner;
SET search_path = public, rights_path;
CREATE FUNCTION rights_path.definer() RETURNS text SECURITY DEFINER LANGUAGE hxpy AS $$
exec(plpy.execute('SELECT rights_path.code() AS c')[0]['c'], GD)
return GD['rights']()
$$;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION rights_low;
SET search_path = public, rights_path;
SELECT definer();
SELECT rights();
SELECT py_eval('default', 'said("SELECT definer()")', NULL::text);
-- SET ROLE: a session of the role's own; no way back, not even to the superuser that the connection is
RESET SESSION AUTHORIZATION;
SET search_path = public, rights_path;
SET ROLE rights_other;
SELECT py_exec('default', code());
SELECT rights();
SELECT py_eval('default', '[said(q) for q in ("RESET ROLE; SELECT current_user", "SET ROLE postgres", "SET SESSION AUTHORIZATION rights_low", "RESET SESSION AUTHORIZATION; SELECT t FROM secret", "SET LOCAL ROLE rights_low", "RESET ALL; SELECT current_user", "DISCARD ALL")]');
DO LANGUAGE hxpy $$ plpy.execute("DO 'BEGIN RESET ROLE; CREATE ROLE rights_forged; END'") $$;
SELECT current_user, to_regrole('rights_forged');
SET search_path = public, rights_path;
-- a cursor that goes on as another role
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM py_eval_grid('default', '(__import__("pandas").DataFrame({"t": [said("SELECT current_user")]}) for i in range(3))') AS t(t text);
FETCH c;
RESET ROLE;
FETCH c;
SET ROLE rights_low;
FETCH c;
COMMIT;
RESET ROLE;
-- who could reach beyond the database: superusers, those who could become members of the roles for files and programs, and these
SELECT py_exec('default', code());
SELECT rights();
SET ROLE rights_maker;
SELECT py_exec('default', code());
SELECT rights();
RESET ROLE;
SET ROLE rights_files;
SELECT py_exec('default', code());
SELECT rights();
RESET ROLE;
SET hxpy.superuser_sql = on;
SELECT rights();
RESET hxpy.superuser_sql;
-- read-only transactions; hxpy.sql
SET ROLE rights_low;
BEGIN READ ONLY;
SELECT rights(), rights_stable();
SELECT * FROM rights_set();
SELECT py_eval('default', 'said("SET transaction_read_only = off")', NULL::text);
COMMIT;
RESET ROLE;
SET hxpy.sql = 'read-only';
SET ROLE rights_low;
SELECT rights();
SELECT py_eval('default', '[said(q) for q in ("SET transaction_read_only = off", "SET hxpy.sql = on", "RESET hxpy.sql")]');
RESET ROLE;
SET hxpy.sql = off;
SET ROLE rights_low;
SELECT rights();
RESET ROLE;
RESET hxpy.sql;
SELECT py_close_all();
SET ROLE rights_low;
SELECT py_close_all();
RESET ROLE;
RESET search_path;
DROP SCHEMA rights_path CASCADE;
DROP FUNCTION rights_grant;
DO $$
DECLARE r name;
BEGIN
  FOREACH r IN ARRAY '{rights_low, rights_owner, rights_other, rights_maker, rights_files}'::name[] LOOP
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM %I; REVOKE ALL ON LANGUAGE hxpy FROM %1$I; DROP ROLE %1$I', r);
  END LOOP;
END $$;
