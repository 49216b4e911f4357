"""What golden.json is made of (test/golden/update)."""

# Run before each case, in a transaction of its own session.
SCHEMA = """\
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS hxpy;
DO $$ BEGIN
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'größe');
  CREATE TYPE point2 AS (x int, y float8);
  CREATE TYPE nested AS (id int8, place point2, tags text[]);
  CREATE TYPE accents AS ("ééé" timestamptz);
  CREATE TYPE nothing AS ();
  CREATE DOMAIN positive AS int CHECK (VALUE > 0);
EXCEPTION WHEN duplicate_object THEN
END $$;
"""

DECIMAL = {"settings": {"hxpy_test.numeric": "decimal"}}

# (name, SQL type, SQL expressions[, options]); options: settings; back False when nothing
# is sent back; sql_back, the values that come back from Python where they are not those sent;
# sql_c, those that the wire alone gives back.
COLUMNS = [
    ("bool", "bool", ["true", "false"]),
    ("bool null", "bool", ["true", "NULL", "false"]),
    ("int2", "int2", ["0", "-32768", "32767"]),
    ("int2 null", "int2", ["NULL", "7"]),
    ("int4", "int4", ["1", "-2147483648", "2147483647"]),
    ("int4 null", "int4", ["1", "NULL", "3"]),
    ("int4 all null", "int4", ["NULL", "NULL"]),
    ("int8", "int8", ["1", "-9223372036854775808", "9223372036854775807"]),
    ("int8 null", "int8", ["NULL"]),
    ("float4", "float4", ["1.5", "'-0'", "'Infinity'"]),
    ("float4 null", "float4", ["NULL", "0.1"]),
    ("float8", "float8", ["0.1", "-1e308", "'-Infinity'", "'NaN'"]),
    ("float8 null", "float8", ["0.1", "NULL"]),
    ("date", "date", ["'1970-01-01'", "'0001-01-01'", "'9999-12-31'", "'2024-02-29'"]),
    ("date null", "date", ["NULL", "'2000-01-01'"]),
    ("time", "time", ["'00:00'", "'23:59:59.999999'"]),
    ("time null", "time", ["'12:34:56.789'", "NULL"]),
    ("timestamp", "timestamp", ["'1970-01-01'", "'0001-01-01'", "'9999-12-31 23:59:59.999999'",
                                "'2024-02-29 12:34:56.789012'"]),
    ("timestamp null", "timestamp", ["NULL", "'2000-01-01 00:00:00.000001'"]),
    ("timestamptz", "timestamptz", ["'1970-01-01 00:00Z'", "'2024-07-01 12:00Z'",
                                    "'2024-10-27 00:30Z'", "'2024-10-27 01:30Z'"]),
    ("timestamptz null", "timestamptz", ["'2024-01-01 12:00Z'", "NULL"]),
    ("timestamptz utc", "timestamptz", ["'2024-07-01 12:00Z'"], {"settings": {"TimeZone": "UTC"}}),
    ("timestamptz posix", "timestamptz", ["'2024-07-01 12:00Z'"],
     {"settings": {"TimeZone": "<+05:30>-05:30"}}),
    ("timestamptz rule", "timestamptz", ["'2024-07-01 12:00Z'", "'2024-01-01 12:00Z'"],
     {"settings": {"TimeZone": "EST5EDT,M3.2.0,M11.1.0"}}),
    ("interval", "interval", ["'0'", "'1 day 00:00:00.000001'", "'-1 day'", "'-00:00:01'"]),
    ("interval null", "interval", ["NULL", "'26:00'"], {"sql_c": ["NULL", "'1 day 02:00'"]}),
    ("uuid", "uuid", ["'00000000-0000-0000-0000-000000000000'",
                      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("uuid null", "uuid", ["NULL", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"]),
    ("text", "text", ["'one'", "'größe €'", "'𝄞'"]),
    ("text one", "text", ["'one'"]),
    ("text empty", "text", ["''", "''", "'x'", "''"]),
    ("text one empty", "text", ["''"]),
    ("text null", "text", ["NULL", "''", "'x'", "NULL"]),
    ("text lines", "text", [r"E'a\nb\t''c\\'"]),
    ("varchar", "varchar", ["'abc'"]),
    ("char", "char(3)", ["'ab'"]),
    ("name", "name", ["'pg_class'"]),
    ("internal char", "\"char\"", ["'x'"]),
    ("enum", "mood", ["'sad'", "'größe'"]),
    ("enum null", "mood", ["NULL", "'ok'"]),
    ("numeric", "numeric", ["1", "-123456789012345678901234567890", "1.50", "0.00"],
     {"sql_back": ["1", "-123456789012345678901234567890", "1.5", "0.0"]}),
    ("numeric special", "numeric", ["'NaN'", "'Infinity'", "'-Infinity'"]),
    ("numeric null", "numeric", ["NULL", "2"]),
    ("numeric decimal", "numeric", ["1", "1.50", "0.00", "'NaN'"], DECIMAL),
    ("numeric decimal null", "numeric", ["1.10", "NULL"], DECIMAL),
    ("jsonb", "jsonb", ["'{\"a\": 1, \"b\": [1.5, null, true, \"x\"]}'", "'null'", "'\"text\"'"],
     {"sql_back": ["'{\"a\": 1, \"b\": [1.5, null, true, \"x\"]}'", "NULL", "'\"text\"'"]}),
    ("jsonb hayson", "jsonb", ["'{\"_kind\": \"marker\"}'",
                               "'{\"_kind\": \"number\", \"val\": 5, \"unit\": \"m\"}'"]),
    ("jsonb null", "jsonb", ["NULL", "'{}'"]),
    ("json", "json", ["'[1,2]'"]),
    ("other inet", "inet", ["'10.0.0.1/8'", "'::1'"]),
    ("other null", "int4range", ["NULL", "'[1,5)'"]),
    ("other timetz", "timetz", ["'12:00+02'"]),
    ("ref", "hs_ref", ["'p:demo:r:1'", "'a'"]),
    ("ref null", "hs_ref", ["NULL", "'a'"]),
    ("uri", "hs_uri", ["'http://example.org/ü?a=b'", "''"]),
    ("uri null", "hs_uri", ["'x'", "NULL"]),
    ("symbol", "hs_symbol", ["'site'", "'hot-water'"]),
    ("symbol null", "hs_symbol", ["NULL"]),
    ("bytea", "bytea", [r"'\x'", r"'\x00ff00'", r"'\x68656c6c6f'"]),
    ("bytea null", "bytea", ["NULL", r"'\x00'"]),
    ("domain", "positive", ["1", "NULL", "3"]),
    ("int4[]", "int4[]", ["'{1,2,3}'"]),
    ("int4[] several", "int4[]", ["'{1,2}'", "'{}'", "'{3}'"]),
    ("int4[] null", "int4[]", ["NULL", "'{4}'", "NULL"]),
    ("int4[] elements null", "int4[]", ["'{1,NULL,3}'"]),
    ("int4[] 2-D", "int4[]", ["'{{1,2,3},{4,5,6}}'"]),
    ("int4[] 2-D and 1-D", "int4[]", ["'{{1,2},{3,4}}'", "'{5}'", "'{}'", "NULL"]),
    ("int4[] 3-D", "int4[]", ["'{{{1},{2}}}'"]),
    ("int4[] empty", "int4[]", ["'{}'"]),
    ("int4[] bounds", "int4[]", ["'[5:6]={1,2}'"], {"sql_c": ["'{1,2}'"]}),
    ("bool[]", "bool[]", ["'{t,f,t}'"]),
    ("bool[] elements null", "bool[]", ["'{t,NULL}'"]),
    ("int2[]", "int2[]", ["'{1,-2}'"]),
    ("int8[]", "int8[]", ["'{1,9007199254740993}'"]),
    ("float4[]", "float4[]", ["'{1.5,-2,-0,Infinity}'"]),
    ("float8[]", "float8[]", ["'{0.1,NaN,Infinity}'"]),
    ("float8[] elements null", "float8[]", ["'{0.5,NULL}'"], {"sql_back": ["'{0.5,NaN}'"]}),
    ("text[]", "text[]", ["'{a,\"\",\"b c\"}'"]),
    ("text[] elements null", "text[]", ["'{a,NULL,\"\"}'", "NULL", "'{}'"]),
    ("text[] 2-D", "text[]", ["'{{a,b},{c,d}}'"]),
    ("numeric[] ints", "numeric[]", ["'{1,2}'"]),
    ("numeric[] mixed", "numeric[]", ["'{1.5,2}'"], {"sql_back": ["'{1.5,2.0}'"]}),
    ("numeric[] null", "numeric[]", ["'{1,NULL}'"]),
    ("numeric[] decimal", "numeric[]", ["'{1.50,NULL}'"], DECIMAL),
    ("date[]", "date[]", ["'{2024-01-01,NULL}'"]),
    ("timestamptz[]", "timestamptz[]", ["'{2024-07-01 12:00Z}'"]),
    ("uuid[]", "uuid[]", ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'"]),
    ("bytea[]", "bytea[]", [r"ARRAY['\x00', NULL, '\x']::bytea[]"]),
    ("jsonb[]", "jsonb[]", ["ARRAY['1', NULL, '{\"a\": 2}']::jsonb[]"]),
    ("domain[]", "positive[]", ["'{1,NULL,3}'"]),
    ("composite", "point2", ["ROW(1, 0.5)", "ROW(NULL, 2)"]),
    ("composite null", "point2", ["NULL", "ROW(1, 0.5)"]),
    ("nested", "nested", ["ROW(1, ROW(2, 3), '{a,b}')", "ROW(4, NULL, NULL)"]),
    ("accents", "accents", ["ROW('2024-07-01 12:00Z')"], {"settings": {"TimeZone": "UTC"}}),
    ("no fields", "nothing", ["ROW()", "NULL"]),
    ("composite[]", "point2[]", ["ARRAY[ROW(1, 0.5), NULL, ROW(2, NULL)]::point2[]"]),
    ("record", "record", ["ROW(1, 'a'::text)", "ROW(NULL::int, 'b'::text)"], {"back": False}),
    ("record null first", "record", ["NULL", "ROW(1)"], {"back": False}),
    ("record null", "record", ["NULL"], {"back": False}),
    ("record[]", "record[]", ["ARRAY[ROW(1, ROW('x'::text)), ROW(2, ROW('y'::text))]"],
     {"back": False}),
]

# What asks the server has no name for users yet.
_ASKING = """\
import hxpy
def ask(text):
    return bytes(hxpy._report.channel.ask(0xA0, [text.encode()])[0]).decode()
seven = ask('seven?')"""

# (name, sender, type, request, payload): texts by name; or (case, field) of COLUMNS for
# each column, and of INVOKE how many stand before the arguments; or bytes as Latin-1.  Those named "nesting …" are one conversation.
FRAMES = [
    ("open", "server", "OPEN", 1,
     {"output_limit": "1048576", "idle_timeout": "0", "log_level": ""}),
    ("define", "server", "DEFINE", 2, [("int4", "batch")]),
    ("exec", "server", "EXEC", 3, {"code": "x = 1\nprint('größe')"}),
    ("eval", "server", "EVAL", 4, [("text one", "batch"), ("int4[]", "want")]),
    ("function", "server", "FUNCTION", 5,
     {"kind": "value", "key": "000040010000000002f1000000070003", "name": "größe",
      "source": "return a + 1", "parameters": "a", "dropped": "00004002"}),
    ("invoke", "server", "INVOKE", 6,
     [("text one", "batch"), ("int4[]", "want"), ("int4", "batch")], 2),
    ("interrupt", "server", "INTERRUPT", 4, ""),
    ("hello supervisor", "container", "HELLO", 0, {"role": "supervisor"}),
    ("hello worker", "container", "HELLO", 0, {"role": "worker", "python": "3.13.5"}),
    ("output stdout", "container", "OUTPUT", 3, "\x01one\ntwo"),
    ("output stderr", "container", "OUTPUT", 3, "\x02oops"),
    ("message", "container", "MESSAGE", 3,
     {"level": "notice", "sqlstate": "", "message": "größe", "detail": "more", "hint": "",
      "schema_name": "", "table_name": "t", "column_name": "", "datatype_name": "",
      "constraint_name": ""}),
    ("log warning", "container", "LOG", 3, "\x1ethe text"),
    ("result empty", "container", "RESULT", 3, {}),
    ("result", "container", "RESULT", 4, [("int4[]", "back")]),
    ("error", "container", "ERROR", 4,
     {"sqlstate": "38000", "message": "ValueError: no", "detail": "", "hint": "",
      "context": "Python traceback (most recent call last):\n"
                 "  File \"<py_exec 1>\", line 1, in <module>"}),
    ("nesting 1", "server", "EXEC", 7, {"code": _ASKING}),
    ("nesting 2", "container", "ASK", 7, "seven?"),
    ("nesting 3", "server", "EXEC", 8, {"code": "eight = ask('eight?')"}),
    ("nesting 4", "container", "ASK", 8, "eight?"),
    ("nesting 5", "server", "EXEC", 9, {"code": "nine = 9"}),
    ("nesting 6", "container", "RESULT", 9, {}),
    ("nesting 7", "server", "ANSWER", 8, "eight"),
    ("nesting 8", "container", "RESULT", 8, {}),
    ("nesting 9", "server", "ANSWER", 7, "seven"),
    ("nesting 10", "container", "RESULT", 7, {}),
    ("dead exit", "container", "DEAD", 0, {"reason": "exit", "value": "3", "output": ""}),
    ("dead signal", "container", "DEAD", 0,
     {"reason": "signal", "value": "SIGSEGV", "output": "Fatal Python error: Segmentation fault"}),
    ("dead memory", "container", "DEAD", 0, {"reason": "memory", "value": "", "output": ""}),
    ("dead idle", "container", "DEAD", 0, {"reason": "idle", "value": "600", "output": ""}),
]
