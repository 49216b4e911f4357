-- What a superuser does once in a database: the extension, a role for those who may use
-- Python, and one of these, analyst, with a schema of its own.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS hxpy;
SELECT 'CREATE ROLE hxpy_user NOLOGIN; CREATE ROLE analyst LOGIN IN ROLE hxpy_user'
 WHERE to_regrole('hxpy_user') IS NULL \gexec
GRANT USAGE ON LANGUAGE hxpy TO hxpy_user;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_user;
CREATE SCHEMA IF NOT EXISTS AUTHORIZATION analyst;
-- what quickstart.sql makes anew
DROP TABLE IF EXISTS analyst.tumour CASCADE;
