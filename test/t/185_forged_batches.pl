# A hostile container that answers calls in batches wrongly: with other rows, columns, types or
# values than it was asked for, twice, too late, without an end.  Each is refused, and the backend
# lives on, with no more memory than before.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HostileTest;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $image) = hostile_cluster('forged_batches', "session_preload_libraries = 'hxpy'");
$node->safe_psql('postgres', $_) for 'CREATE ROLE lowly LOGIN IN ROLE hxpy_user', 'GRANT CREATE ON SCHEMA public TO lowly', 'GRANT USAGE ON LANGUAGE hxpy, hxpy_batch TO lowly';
my $psql = backend('postgres', user => 'lowly');
my $end = 700;    # ms

$psql->must($_) for "SET hxpy.session = 'h'", 'SET check_function_bodies = off', 'CREATE DOMAIN small AS int CHECK (VALUE < 1000) NOT NULL',
  'CREATE TYPE pair AS (i int, t text)',
  map { my ($name, $takes, $type, $language) = @$_; "CREATE FUNCTION $name(a $takes) RETURNS $type LANGUAGE $language STABLE AS 'pass'" } ['f_int', 'int', 'int', 'hxpy'],
  ['f_small', 'int', 'small', 'hxpy'], ['f_other', 'int', 'int', 'hxpy'], ['f_pair', 'int', 'pair', 'hxpy'], ['f_text', 'int', 'text', 'hxpy'], ['f_ints', 'int', 'int[]', 'hxpy'], ['f_column', 'int', 'int', 'hxpy_batch'];

# Have the calls of a query answered by a text, in which `count` rows are asked for.
sub planned
{
	my ($sql, @cases) = @_;
	return map {
		my ($code, $states, @limit) = @$_;
		$code =~ s/([\\'])/\\$1/g;
		(['exec', "plan = '$code'; good()", $fine], [$sql, 'x', $states, @limit], ['eval', 'good()', "$fine|$broken"])
	} @cases;
}

my $all = 'fixed(INT32, *range(count))';
my @answers = (["result($all)", $fine], ["rows(fixed(INT32, *range(count - 1))); result(fixed(INT32, 1))", $fine], ["rows($all); result(fixed(INT32))", $fine], ['rows(fixed(INT32)); error()', '38000'], ['rows(fixed(INT32)); ' . "result($all)", $broken],
	['result(fixed(INT32, 7))', $fine], ['result(column(INT32, pad(bytes(4 * count)), count, nulls=b"\1" * count))', $fine],
	['result()', $broken], ['rows(); result()', $broken], ['result(fixed(INT32))', $broken], ['result(fixed(INT32, *range(count + 1)))', $broken], ["rows($all); result($all)", $broken],
	["rows($all); rows(fixed(INT32, 1)); result(fixed(INT32))", $broken], ["result($all, $all)", $broken], ["result($all, fixed(INT32))", $broken],
	['result(fixed(INT64, *range(count)))', $broken], ['result(text(*[b"1"] * count))', $broken], ['result(column(NULL, b"", count))', $broken], ['result(arrays(fixed(INT32, *range(count)), range(count + 1)))', $broken],
	['result(record(' . $all . ', count=count))', $broken], ['result(column(INT32, b"", count))', $broken], ['result(column(INT32, b"", 1 << 60))', $broken], ['result(column(INT32, bytes(64), (1 << 64) - 1))', $broken],
	['result(column(INT32, pad(bytes(4 * count)), count, nulls=b""))', $broken], ['say(frame(RESULT, b"rubbish"))', $broken], ['say(frame(ROWS, b"rubbish")); stay()', $broken], ['say(frame(ROWS, b""))', $broken],
	["say(frame(RESULT, batch($all)[:-8]))", $broken], ["say(frame(RESULT, batch($all) + bytes(8)))", $broken], ["say(frame(ROWS, batch($all), length=1 << 40)); stay()", '53400', 5000], ["say(frame(RESULT, batch($all), length=1 << 62)); stay()", "53400|$broken", 5000],
	["result($all, number=request + 1)", $broken], ["result($all, number=request - 1); stay()", $broken], ["result($all); result($all)", "$fine|$broken"], ["result($all); rows($all)", "$fine|$broken"], ["result($all, number=request + 1); result($all)", $broken],
	['rows(fixed(INT32, 1, 2)); error(b"38000", b"x", b"", b"", b"")', '38000'], ['error(b"57P01", b"evil", b"", b"", b"")', '38000'], ['error()', '38000'], ["rows($all); error(b'38000', b'x')", "$fine|38000"], ["rows($all); rows($all); error()", $broken],
	(map { ["error(*[b'ABCDE'] + [b''] * 4, b'', b'', b'', b'', b'', b'', $_)", 'ABCDE'] } 'b"7"', 'b"-1"', 'b"99999999999999999999999"', 'b"x"', 'b"\xff" * 100'), ['error(*[b"ABCDE"] * 100)', 'ABCDE'],
	["ask(b'SELECT 1'); serve(); result($all)", $fine], ['ask(b"SELECT 1/0"); serve(); rows(fixed(INT32, 1)); error(b"38000", b"x", b"", b"", b"", b"1")', '22012'],
	['ask(b"SELECT sum(f_int(i)) FROM generate_series(1, 5) AS i"); ' . "serve('result(fixed(INT32, *range(5)))'); result($all)", $fine],
	["ask(b'SELECT sum(f_int(i)) FROM generate_series(1, 5) AS i'); serve('result(fixed(INT32, 1, 2, 3, 4, 5, 6))'); result($all)", "$fine|$broken"], ["ask(b'SELECT py_close(\$\$h\$\$)'); serve(); result($all)", "$fine|$broken|$lost"],
	["interrupted(); result($all)", $ended, $end], ["interrupted(); rows($all); result($all)", $ended, $end], ["rows(fixed(INT32, 1)); interrupted(); say(frame(ROWS, b'rubbish'))", $ended, $end], ["deaf(); rows(fixed(INT32, 1)); stay()", $ended, $end],
	['stay()', $ended, $end], ['close()', $lost], ['rows(fixed(INT32, 1)); close()', $lost], ['os._exit(0)', $lost]);
my $query = 'SELECT count(%s(i + 0 * length(%%L))) FROM generate_series(1, %d) AS i';
all_of($psql, 'calls', planned(sprintf($query, 'f_int', 40), @answers));
all_of($psql, 'of functions of columns', planned(sprintf($query, 'f_column', 40), some(12, @answers)));
# Later ones, while the rows of those before are given out.
all_of($psql, 'of large batches', planned(sprintf($query, 'f_int', 6000), map { [ "(result($all) if count < 1024 else exec(" . quoted($$_[0]) . '))', $$_[1], $$_[2] ? 3000 : () ] } some(15, @answers)));
all_of($psql, 'of two functions', planned('SELECT count(f_int(f_other(i + 0 * length(%L)))) FROM generate_series(1, 40) AS i', some(12, @answers)));
all_of($psql, 'that a LIMIT ends', planned('SELECT count(a) FROM (SELECT f_int(i + 0 * length(%L)) AS a FROM generate_series(1, 6000) AS i WHERE f_other(i) IS DISTINCT FROM -1 LIMIT 900) AS l', some(15, @answers)));

# Groups of py_agg, each with one value of jsonb.
my $grouped = q{SELECT count(q) FROM (SELECT py_agg('h', %%L, i) AS a%s FROM generate_series(1, %d) AS i GROUP BY mod(i, 40) OFFSET 0) AS q};
my $each = 'text(*[b"1"] * count, tag=JSON)';
my @of_groups = (["result($each)", $fine], ['rows(text(*[b"1"] * (count - 1), tag=JSON)); result(text(b"1", tag=JSON))', $fine], ['result(text(*[b"1"] * count, tag=JSON, nulls=b"\1" * count))', $fine], ["rows($each); result(text(tag=JSON))", $fine],
	['result(text(b"7", tag=JSON))', $fine], ['result()', $broken], ['rows(); result()', $broken], ['result(text(tag=JSON))', $broken], ['result(text(*[b"1"] * (count + 1), tag=JSON))', $broken], ["rows($each); result($each)", $broken],
	["result($each, $each)", $broken], ["result($all)", $broken], ['result(text(*[b"1"] * count))', $broken], ['result(column(NULL, b"", count))', $broken], ["result(arrays($each, range(count + 1)))", $broken], ["result(record($each, count=count))", $broken],
	['result(text(*[b"["] * count, tag=JSON))', '22P02'], ['result(text(*[b"\xff"] * count, tag=JSON))', '22021|22P02'], ['result(column(JSON, struct.pack("<Q", 1 << 50) + bytes(64), count))', $broken], ['result(column(JSON, struct.pack("<Q", 0), count))', '22P02|' . $broken],
	['result(column(JSON, bytes(64), (1 << 64) - 1))', $broken], ['rows(text(b"1", b"2", tag=JSON)); error(b"38000", b"x", b"", b"", b"")', '38000'], ["rows($each); error(b'38000', b'x')", "$fine|38000"], ["result($each); result($each)", "$fine|$broken"],
	['say(frame(FULL)); ' . "result($each)", $broken], ["ask(b'SELECT py_close(\$\$h\$\$)'); serve(); result($each)", "$fine|$broken|$lost"], ["interrupted(); result($each)", $ended, $end], ['rows(text(b"1", tag=JSON)); close()', $lost], ['stay()', $ended, $end]);
all_of($psql, 'of groups', planned(sprintf($grouped, '', 200), @of_groups));
all_of($psql, 'of two aggregates', planned(sprintf($grouped, q{, py_agg('h', 'y', -i) AS b}, 200), ["result($each, $each)", $fine], ["result($each)", $broken], ["result($each, text(*[b'1'] * (count - 1), tag=JSON))", $broken], ["result($each, $all)", $broken], ["rows($each, $each); result(text(tag=JSON), text(tag=JSON))", $fine]));
all_of($psql, 'of many groups', planned(sprintf($grouped =~ s/40/6000/r, '', 12000), map { [ "(result($each) if count < 1024 else exec(" . quoted($$_[0]) . '))', $$_[1], $$_[2] ? 3000 : () ] } some(12, @of_groups)));

# A text as a literal of Python.
sub quoted
{
	my ($text) = @_;
	$text =~ s/([\\'])/\\$1/g;
	return "'$text'";
}

# ---- values

all_of($psql, 'values', planned('SELECT count(f_small(i + 0 * length(%L))) FROM generate_series(1, 40) AS i', ["result($all)", $fine], ['result(fixed(INT32, *[1] * (count - 1) + [7777]))', '23514'], ['result(column(INT32, pad(bytes(4 * count)), count, nulls=b"\1" * count))', '23502']),
	planned('SELECT sum(length(f_text(i + 0 * length(%L)))) FROM generate_series(1, 40) AS i', ['result(text(*[b"x"] * count))', $fine], ['result(text(*[b"x\0y"] * count))', $broken], ['result(text(*[b"x"] * max(count - 1, 1)))', $fine], ['result(text(*[b"\xff"] * count))', '22021'],
		['rows(text(*[b"x"] * (count - 1))); result(text(b"y" * 30000000))', $fine], ['result(column(TEXT, struct.pack("<Q", 1 << 50) + bytes(64), count))', $broken], ['result(column(TEXT, struct.pack("<Q", 0), count))', $broken]),
	planned('SELECT count((f_pair(i + 0 * length(%L))).t) FROM generate_series(1, 40) AS i', ["result(record($all, text(*[b'x'] * count), count=count))", $fine], ["result(record($all, count=count))", $broken], ["result(record($all, text(b'x'), count=count))", $broken],
		["result(record($all, text(*[b'\\xff'] * count), count=count))", '22021'], ["result(record($all, text(*[b'x'] * count), count=count, number=1 << 60))", $broken]),
	planned('SELECT count(f_ints(i + 0 * length(%L))) FROM generate_series(1, 40) AS i', ["result(arrays($all, range(count + 1)))", $fine], ["result(arrays($all, [0] * count + [count]))", $fine], ["result(arrays($all, [0] * count + [count + 1]))", $broken],
		["result(arrays($all, [count] * count + [0]))", $broken], ["result(arrays($all, range(count + 1), (2, 99) * count))", $broken]));

# ---- memory

my $before = rss($psql);
all_of($psql, 'answers without an end', planned(sprintf($query, 'f_int', 40), map { [ "flood(say, $_, 0)", "$ended|$broken|53400", 3000 ] } 'frame(ROWS, batch(fixed(INT32)))', 'frame(ROWS, batch(fixed(INT32, name=b"x" * 60000)))',
		'frame(ROWS, batch(fixed(INT32, 1)))'),
	planned('SELECT count(*) FROM (SELECT f_text(i + 0 * length(%L)) AS t FROM generate_series(1, 4000) AS i OFFSET 0) AS l WHERE length(t) > 0',
		['[rows(text(b"x" * 20000000)) for _ in range(count)]; result(text())', $broken]));
my $grown = rss($psql) - $before;
cmp_ok($grown, '<', 80, 'memory is flat after all of it');

my $peak = slurp_file('/proc/' . $psql->pid . '/status') =~ /^VmHWM:\s*(\d+) kB/m ? $1 / 1024 : die 'no VmHWM';
cmp_ok($peak, '<', 300, 'and was bounded in it');
note sprintf 'peak %.0f MB, grown by %.1f MB', $peak, $grown;

$psql->end;
# A process 1 that outlives its connections is removed when the next backend opens a session.
backend('postgres')->end;
unlike(slurp_file($node->logfile), qr/PANIC|FATAL|TRAP|terminated by signal/, 'nothing worse than an ERROR in the log');
note tried() . ' attempts';
hxpy_finish($node);
