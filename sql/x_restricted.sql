-- Security-restricted operations: functions run as the owner, in a session of the operation's own.
CREATE ROLE restricted_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO restricted_owner;
GRANT CREATE ON SCHEMA public TO restricted_owner;
GRANT USAGE ON LANGUAGE hxpy TO restricted_owner;
CREATE VIEW open_sessions AS SELECT session, role FROM hxpy_stat_sessions WHERE pid = pg_backend_pid() ORDER BY 1;
GRANT SELECT ON open_sessions TO restricted_owner;
SELECT py_exec('secret = "of the superuser"');
SET SESSION AUTHORIZATION restricted_owner;
SELECT py_exec('secret = "of the owner"; count = 100');
CREATE TABLE item (id int, t text);
INSERT INTO item VALUES (1, 'one'), (2, 'two');
-- who am I, in which session, what is there
CREATE FUNCTION look(id int) RETURNS text LANGUAGE hxpy STABLE AS $$
GD['count'] = GD.get('count', 0) + 1
row = plpy.execute("SELECT current_user AS me, (SELECT string_agg(session, ', ') FROM public.open_sessions) AS s")[0]
return f"{row['me']}, {GD['count']}, secret {GD.get('secret')}; {row['s']}"
$$;
SELECT look(0);
CREATE MATERIALIZED VIEW looked AS SELECT id, public.look(id) FROM item;
SELECT * FROM looked;
REFRESH MATERIALIZED VIEW looked;
SELECT * FROM looked;
SET hxpy.session = 'mine';
SELECT py_exec(py_open('mine'), 'secret = "of mine"');
REFRESH MATERIALIZED VIEW looked;
RESET hxpy.session;
SELECT look FROM looked;
SELECT * FROM open_sessions;
RESET SESSION AUTHORIZATION;
SET hxpy.session = 'mine';
REFRESH MATERIALIZED VIEW looked;
RESET hxpy.session;
SELECT look FROM looked;
SELECT * FROM open_sessions;
-- indexes: build, statistics, order; by the owner and by a superuser, whom a function cannot reach
SET SESSION AUTHORIZATION restricted_owner;
CREATE FUNCTION spell(t text) RETURNS text LANGUAGE hxpy IMMUTABLE AS $$
if 'secret' in GD:
    plpy.notice(f"found what is {GD['secret']}")
return t.upper()
$$;
CREATE INDEX item_spell ON item (public.spell(t));
REINDEX INDEX item_spell;
ANALYZE item;
SELECT py_exec('del secret');
INSERT INTO item VALUES (3, 'three');
SELECT id FROM item WHERE spell(t) = 'THREE';
RESET SESSION AUTHORIZATION;
REINDEX TABLE item;
CLUSTER item USING item_spell;
VACUUM ANALYZE item;
SELECT most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL AS analyzed FROM pg_stats WHERE tablename = 'item_spell';
CREATE INDEX CONCURRENTLY item_spell2 ON item (public.spell(t));
DROP INDEX item_spell2;
BEGIN;
REINDEX TABLE item;
REFRESH MATERIALIZED VIEW looked;
SELECT * FROM open_sessions;
COMMIT;
SET SESSION AUTHORIZATION restricted_owner;
-- generated columns and CHECK: of whoever writes, in his session
CREATE TABLE checked (t text CHECK (spell(t) <> 'NO'), u text GENERATED ALWAYS AS (spell(t)) STORED);
INSERT INTO checked VALUES ('yes');
INSERT INTO checked VALUES ('no');
SELECT * FROM checked;
-- what is refused
CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE hxpy AS $$
try:
    return str(list(plpy.execute(query)))
except plpy.SPIError as error:
    return f'{error.sqlstate} {error}'
$$;
CREATE MATERIALIZED VIEW tried AS SELECT q, public.attempt(q) FROM unnest(ARRAY[
  'SELECT count(*) AS n FROM public.item',
  'SELECT public.py_open(''x'')', 'SELECT public.py_eval(''default'', ''1'')', 'SELECT public.py_close()', 'SELECT public.py_close_all()',
  'SELECT * FROM public.py_eval_grid(''default'', ''[]'') AS t(a int)',
  'SELECT public.py_clone(''hxpy.restricted 1'', ''x'')', 'SELECT public.py_share()',
  'SELECT public.py_eval(''hxpy.codecs 1'', ''1'')',
  'SELECT public.look(1) LIKE ''restricted_owner%'' AS look', 'DO LANGUAGE hxpy ''print(1)''',
  'SELECT session FROM public.py_sessions() ORDER BY 1',
  'CREATE TEMP TABLE x (a int)', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'LISTEN x']) AS q;
SELECT * FROM tried;
CREATE MATERIALIZED VIEW named AS SELECT public.py_eval('default', '1 + 1');
-- calls that name no session: that of the operation, in which the functions run
CREATE TABLE saved AS SELECT py_save('[3, 4]') AS data;
CREATE FUNCTION loaded(i int) RETURNS int LANGUAGE hxpy STABLE AS $$
if 'kept' not in GD:
    plpy.execute("SELECT public.py_load('kept', data) FROM public.saved")
return GD['kept'][i]
$$;
SET hxpy.session = 'mine';
CREATE MATERIALIZED VIEW unnamed AS
  SELECT i, public.loaded(i), public.py_eval('"secret" in globals()') AS secret, public.py_eval('kept'),
         public.py_call('sum', NULL::int, ARRAY[i, 1]),
         (SELECT sum(k) FROM public.py_eval_grid('range(3)') AS t(k int))
    FROM generate_series(0, 1) AS i;
RESET hxpy.session;
SELECT * FROM unnamed;
SELECT py_eval('"kept" in globals()');
-- hxpy's own sessions
CREATE MATERIALIZED VIEW codec AS SELECT public.hs_to_zinc('{"_kind": "marker"}'), public.look(0);
SELECT * FROM codec;
SELECT * FROM open_sessions;
-- sets, errors
CREATE FUNCTION many(n int) RETURNS SETOF int LANGUAGE hxpy AS $$
for i in range(n):
    yield 10 // (5 - i)
$$;
CREATE MATERIALIZED VIEW set_of AS SELECT * FROM public.many(3) AS i;
SELECT * FROM set_of;
CREATE MATERIALIZED VIEW failed AS SELECT * FROM public.many(6) AS i;
SELECT * FROM open_sessions;
DO $$
BEGIN
  CREATE MATERIALIZED VIEW failed AS SELECT * FROM public.many(6) AS i;
EXCEPTION WHEN external_routine_exception THEN
  RAISE NOTICE '% sessions', (SELECT count(*) FROM open_sessions);
END $$;
CREATE FUNCTION catches(i int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM public.look(0);
  PERFORM public.attempt('SELECT nosuch');
  PERFORM public.many(6);
EXCEPTION WHEN external_routine_exception THEN
  RETURN public.look(0);
END $$;
CREATE MATERIALIZED VIEW caught AS SELECT public.catches(1);
SELECT * FROM caught;
\set VERBOSITY terse
SET statement_timeout = '500ms';
CREATE FUNCTION slow() RETURNS int LANGUAGE hxpy AS $$
import time
time.sleep(20)
$$;
CREATE MATERIALIZED VIEW failed AS SELECT public.slow();
RESET statement_timeout;
\set VERBOSITY default
SELECT * FROM open_sessions;
-- limits and settings: those of the owner count only where he has logged in
SET hxpy.image = 'nosuch:1';
REFRESH MATERIALIZED VIEW looked;
RESET SESSION AUTHORIZATION;
SET hxpy.image = 'nosuch:1';
SET hxpy.network = 'nosuch';
SET hxpy.allowed_networks = 'nosuch';
REFRESH MATERIALIZED VIEW looked;
ALTER FUNCTION look SET hxpy.image = 'hxpy:1.0';
ALTER FUNCTION look SET hxpy.session = 'x';
REFRESH MATERIALIZED VIEW looked;
RESET hxpy.image;
RESET hxpy.network;
RESET hxpy.allowed_networks;
SELECT look FROM looked;
SET hxpy.allowed_images = 'other:*';
REFRESH MATERIALIZED VIEW looked;
RESET hxpy.allowed_images;
SET hxpy.max_sessions = 3;
REFRESH MATERIALIZED VIEW looked;
RESET hxpy.max_sessions;
-- a function of the owner's at the start of each
SET hxpy.start_proc = 'public.on_start';
CREATE FUNCTION on_start() RETURNS void LANGUAGE hxpy AS $$ GD['secret'] = plpy.execute('SELECT current_user AS u')[0]['u'] $$;
REFRESH MATERIALIZED VIEW looked;
SELECT look FROM looked;
RESET hxpy.start_proc;
ALTER FUNCTION look RESET ALL;
SELECT py_close_all();
SELECT * FROM open_sessions;
-- what the database has set counts
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET hxpy.image = %L', current_database(), 'nosuch:2'); END $$;
\c -
LOAD 'hxpy';
SET hxpy.image = 'hxpy:1.0';
REFRESH MATERIALIZED VIEW looked;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET hxpy.image', current_database()); END $$;
\c -
-- the first statement of a connection loads the library
REFRESH MATERIALIZED VIEW looked;
SELECT * FROM open_sessions;
DROP OWNED BY restricted_owner;
DROP VIEW open_sessions;
DROP FUNCTION on_start;
DROP ROLE restricted_owner;
