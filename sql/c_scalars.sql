-- Single values, both ways: each goes to Python, is described there, and comes back.
CREATE FUNCTION trip(value anyelement, OUT python text, OUT back anyelement) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM py_define('s', 'v', value);
  python := py_eval('s', 'f"{type(v).__name__} {v!r}"', NULL::text);
  back := py_eval('s', 'v', value);
END $$;
SET TimeZone = 'Europe/Berlin';
SELECT py_open('s');
SELECT * FROM trip(true) UNION ALL SELECT * FROM trip(false) UNION ALL SELECT * FROM trip(NULL::bool);
SELECT * FROM trip((-32768)::int2) UNION ALL SELECT * FROM trip(32767::int2) UNION ALL SELECT * FROM trip(NULL::int2);
SELECT * FROM trip((-2147483648)::int4) UNION ALL SELECT * FROM trip(NULL::int4);
SELECT * FROM trip((-9223372036854775808)::int8) UNION ALL SELECT * FROM trip(9223372036854775807) UNION ALL SELECT * FROM trip(NULL::int8);
SELECT * FROM trip(0.1::float4) UNION ALL SELECT * FROM trip('NaN'::float4) UNION ALL SELECT * FROM trip(NULL::float4);
SELECT * FROM trip(0.1::float8) UNION ALL SELECT * FROM trip('-Infinity'::float8) UNION ALL SELECT * FROM trip('-0'::float8) UNION ALL SELECT * FROM trip(NULL::float8);
SELECT * FROM trip(1e40::numeric) UNION ALL SELECT * FROM trip(1.50) UNION ALL SELECT * FROM trip('NaN'::numeric) UNION ALL SELECT * FROM trip('-Infinity'::numeric) UNION ALL SELECT * FROM trip(NULL::numeric);
SET hxpy.numeric = 'decimal';
SELECT * FROM trip(1.50) UNION ALL SELECT * FROM trip(12345678901234567890.123456789) UNION ALL SELECT * FROM trip('NaN'::numeric);
RESET hxpy.numeric;
SELECT * FROM trip('héllo ☃ 🐍'::text) UNION ALL SELECT * FROM trip(''::text) UNION ALL SELECT * FROM trip(NULL::text);
SELECT * FROM trip('abc'::varchar(5)); SELECT * FROM trip('ab'::char(4)); SELECT * FROM trip('x'::"char"); SELECT * FROM trip('n'::name);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
SELECT * FROM trip('happy'::mood) UNION ALL SELECT * FROM trip(NULL::mood);
SELECT * FROM trip('\x00ff10'::bytea) UNION ALL SELECT * FROM trip(''::bytea) UNION ALL SELECT * FROM trip(NULL::bytea);
SELECT * FROM trip('0001-01-01'::date) UNION ALL SELECT * FROM trip('9999-12-31'::date) UNION ALL SELECT * FROM trip(NULL::date);
SELECT * FROM trip('23:59:59.999999'::time) UNION ALL SELECT * FROM trip(NULL::time);
SELECT * FROM trip('2024-02-29 12:34:56.789012'::timestamp) UNION ALL SELECT * FROM trip('0001-01-01'::timestamp) UNION ALL SELECT * FROM trip(NULL::timestamp);
SELECT * FROM trip('2024-07-01 12:00+00'::timestamptz) UNION ALL SELECT * FROM trip('2024-10-27 00:30+00'::timestamptz) UNION ALL SELECT * FROM trip('2024-10-27 01:30+00'::timestamptz) UNION ALL SELECT * FROM trip(NULL::timestamptz);
SET TimeZone = '<+0530>-05:30';
SELECT * FROM trip('2024-07-01 12:00+00'::timestamptz);
SET TimeZone = 'Europe/Berlin';
SELECT * FROM trip('3 days 04:05:06.789'::interval) UNION ALL SELECT * FROM trip('-1 day'::interval) UNION ALL SELECT * FROM trip(NULL::interval);
SELECT * FROM trip('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid) UNION ALL SELECT * FROM trip(NULL::uuid);
SELECT * FROM trip('192.168.0.1/24'::inet); SELECT * FROM trip('(1,2)'::point); SELECT * FROM trip('[1,5)'::int4range); SELECT * FROM trip('12:00+02'::timetz);
CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
SELECT * FROM trip(50::percent);
SELECT * FROM trip('p:a-1'::hs_ref) UNION ALL SELECT * FROM trip(NULL::hs_ref);
SELECT * FROM trip('http://x/'::hs_uri); SELECT * FROM trip('hot-water'::hs_symbol);
SELECT py_define('s', 'v', 'unknown'), py_eval('s', 'v', NULL::text), py_define('s', 'v', NULL), py_eval('s', 'v is None', NULL::bool);
-- what does not fit, says so
\set VERBOSITY terse
SELECT py_define('s', 'v', 'infinity'::date);
SELECT py_define('s', 'v', '0044-03-15 BC'::date);
SELECT py_define('s', 'v', '-infinity'::timestamptz);
SELECT py_define('s', 'v', '24:00'::time);
SELECT py_define('s', 'v', '1 month'::interval);
\set VERBOSITY sqlstate
SELECT py_eval('s', '2**31', NULL::int4);
\set VERBOSITY default
SELECT py_eval('s', '2**63', NULL::int8);
SELECT py_eval('s', '3.5', NULL::int4);
SELECT py_eval('s', '3.0', NULL::int4), py_eval('s', 'True', NULL::int4);
SELECT py_eval('s', '"t"', NULL::bool);
SELECT py_eval('s', '1', NULL::text);
SELECT py_eval('s', '1e300', NULL::float4);
SELECT py_eval('s', '"a\0b"', NULL::text);
SELECT py_eval('s', '"\ud800"', NULL::text);
SELECT py_eval('s', '101', NULL::percent);
SELECT py_eval('s', '"angry"', NULL::mood);
SELECT py_eval('s', '"not an address"', NULL::inet);
SELECT py_eval('s', 'object()', NULL::numeric);
SELECT py_eval('s', '"2024-01-01"', NULL::date);
SELECT py_eval('s', '__import__("datetime").datetime(2024,1,1,12)', NULL::date);
-- numpy's and pandas' scalars
SELECT py_exec('s', 'import numpy as np, pandas as pd, datetime as dt, decimal, uuid');
SELECT py_eval('s', 'np.int8(-5)', 0), py_eval('s', 'np.uint64(5)', 0::int8), py_eval('s', 'np.float32(0.5)', 0::float8), py_eval('s', 'np.bool_(True)', true), py_eval('s', 'np.float64(2)', 0);
SELECT py_eval('s', 'pd.NA', 0), py_eval('s', 'pd.NaT', now()), py_eval('s', 'np.datetime64("NaT")', now()), py_eval('s', 'float("nan")', 0::float8);
SELECT py_eval('s', 'pd.Timestamp("2024-01-01 12:00", tz="UTC")', now()), py_eval('s', 'np.datetime64("2024-01-01T12:00:00.123456789")', NULL::timestamp), py_eval('s', 'np.timedelta64(90, "m")', NULL::interval), py_eval('s', 'pd.Timedelta("1 day 1 us")', NULL::interval);
-- naive and aware meet as PostgreSQL's casts do
SELECT py_eval('s', 'dt.datetime(2024,7,1,12)', NULL::timestamptz), py_eval('s', 'dt.datetime(2024,7,1,12,tzinfo=dt.timezone.utc)', NULL::timestamp), py_eval('s', 'dt.date(2024,7,1)', NULL::timestamp);
SELECT py_eval('s', 'dt.datetime(2024,7,1,22,tzinfo=dt.timezone.utc)', NULL::date);
SELECT py_eval('s', '10**400', NULL::numeric) = 10::numeric ^ 400, py_eval('s', 'decimal.Decimal("1.10")', NULL::numeric), py_eval('s', '0.1', NULL::numeric);
SELECT py_eval('s', 'bytearray(b"\x01\x02")', NULL::bytea), py_eval('s', 'memoryview(b"ab")', NULL::bytea), py_eval('s', 'str(uuid.UUID(int=1))', NULL::uuid);
DROP FUNCTION trip;
