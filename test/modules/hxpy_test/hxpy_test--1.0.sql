/* hxpy_test--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION hxpy_test" to load this file. \quit

CREATE FUNCTION hxpy_test_encode(VARIADIC "any")
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C STABLE;
COMMENT ON FUNCTION hxpy_test_encode("any") IS
  'batch of one column "v" that holds the arguments, all of one type';

CREATE FUNCTION hxpy_test_want(anyelement)
RETURNS bytea AS 'MODULE_PATHNAME' LANGUAGE C STABLE;
COMMENT ON FUNCTION hxpy_test_want(anyelement) IS
  'batch of one column without values that asks for the type of the argument';

CREATE FUNCTION hxpy_test_decode(batch bytea, "as" anyelement)
RETURNS SETOF anyelement AS 'MODULE_PATHNAME' LANGUAGE C STABLE;
COMMENT ON FUNCTION hxpy_test_decode(bytea, anyelement) IS
  'values of a batch of one column, as the type of the last argument';

CREATE FUNCTION hxpy_test_parse(batch bytea)
RETURNS integer AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT;
COMMENT ON FUNCTION hxpy_test_parse(bytea) IS 'number of columns of a batch';

REVOKE ALL ON FUNCTION hxpy_test_encode("any"), hxpy_test_want(anyelement),
  hxpy_test_decode(bytea, anyelement), hxpy_test_parse(bytea) FROM PUBLIC;
