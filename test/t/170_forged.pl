# A hostile container that asks for SQL at every wrong moment, with wrong numbers, of
# everything that its role must not do, and that answers calls of functions and triggers
# wrongly.  What it asks is refused, or done with the rights of the caller only.
#
# HXPY_TEST_ROUNDS multiplies the forged requests; HXPY_TEST_SEED repeats them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HostileTest;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my ($node, $image) = hostile_cluster('forged');
$node->safe_psql('postgres', $_) for 'CREATE ROLE lowly LOGIN IN ROLE hxpy_user', 'GRANT CREATE ON SCHEMA public TO lowly', 'GRANT USAGE ON LANGUAGE hxpy TO lowly',
  'CREATE TABLE secret (t text)', q{INSERT INTO secret VALUES ('the secret')}, 'GRANT ALL ON target TO lowly';
my $psql = backend('postgres', user => 'lowly');
$psql->query('CREATE TABLE own (a int)');
# How long a call may take, in ms: one that ends by its answer, and one that waits in vain.
my $end = 700;
my $soon = 200;

# Nothing that the role must not do was done.
sub unharmed
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $found = $node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM pg_roles WHERE rolname = 'forged'), (SELECT rolsuper FROM pg_roles WHERE rolname = 'lowly'),
		(SELECT string_agg(t, ',') FROM secret), (SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'lowly')});
	is($found, '0|f|the secret|1', "$name: nothing more than the role may do was done");
	gives($psql, 'SELECT current_user, session_user', 'lowly|lowly', '... nor has it become another role');
	return;
}

all_of($psql, 'a right answer', ['eval', 'good()', $fine]);

# ---- the answer need not be read

# Longer than what a socket holds: what is not read yet must not be changed, nor freed.
my $long = q{b"DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 1000000); END $$"};
my $begun = "ask($long); size = struct.unpack('<Q', exactly(data, 16)[8:])[0]";
all_of($psql, 'answers that are not read', map { (@$_, ['eval', 'good()', "$fine|$broken"]) }
	[['eval', "$begun; ask(b'SELECT 1'); stay()", $ended, $soon]],
	[['eval', "$begun; ask(b'SELECT 1'); exactly(data, size); heard(); good()", $fine]],
	[['eval', "$begun; ask(b'SELECT 1'); ask(b'SELECT 1'); exactly(data, size); stay()", "$broken|$ended", $end]],
	[['eval', "$begun; good(); stay()", $broken, $end]],
	[['eval', "$begun; stay()", $ended, $soon]],
	# A request that is answered before it was read, within one that waits.
	map({ [['eval', qq{ask(b"SELECT $_"); data.recv(16); result(text(b"1", tag=JSON), number=request + 1); stay()}, "$broken", $end]] }
		q{py_exec('h', repeat('x', 1000000))}, q{py_eval('h', repeat('x', 1000000))}));

# ---- recovery

# Asks that come as fast as they are refused do not outlast hxpy.cancel_grace.
my $stubborn = 'import threading; threading.Thread(target=lambda: [data.recv(1 << 20) for _ in iter(int, 1)], daemon=True).start(); ';
all_of($psql, 'requests during recovery', map { ($_, ['eval', 'good()', "$fine|$broken"]) }
	map({ my $call = $_; (
		[$call, "interrupted(); ${stubborn}flood(say, frame(QUERY, texts(b'table', b'SELECT 1', b'0')), 0)", $ended, $soon],
		[$call, 'interrupted(); [(ask(b"SELECT 1"), heard()) for _ in range(100000)]', $ended, $soon],
		[$call, 'interrupted(); ask(b"DELETE FROM own"); heard(); good()', $ended, $soon],
		[$call, 'interrupted(); ask_table(b"own", b"replace"); heard(); good(); ask(b"DELETE FROM own")', $ended, $soon],
		) } 'eval', 'grid', 'append'));
$psql->query(q{SET statement_timeout = '300ms'});
all_of($psql, 'queries that are canceled', map { [$_, 'ask(b"SELECT pg_sleep(5)"); heard(); ask(b"SELECT 2"); stay()', $ended, 2000] } 'eval', 'grid', 'apply');
$psql->query('RESET statement_timeout');

# ---- outside of a request

all_of($psql, 'requests outside of a request', map { (@$_, ['eval', 'good()', "$fine|$broken"]) }
	[['eval', 'good(); ask(b"INSERT INTO own VALUES (66)"); heard()', $fine]],
	[['eval', 'good(); [ask(b"INSERT INTO own VALUES (66)", number=request + i) for i in range(2, 1000)]', $fine]],
	[['eval', 'earlier = request; good(); time.sleep(0.05)', $fine], ['eval', 'ask(b"INSERT INTO own VALUES (66)", number=earlier); time.sleep(0.1); good()', $broken]],
	[['limit', 'rows(fixed(INT32, 1), text(b"x"), arrays(fixed(FLOAT64), (0, 0)), record(fixed(INT64, 5), blob(b"0"))); ask(b"INSERT INTO own VALUES (66)"); heard(); good()', "$fine|$broken"]]);
# The next request's number can be guessed; then the query belongs to that.
gives($psql, 'SELECT count(*) FROM own WHERE a = 66 HAVING count(*) < 5', $psql->query('SELECT count(*) FROM own WHERE a = 66')->{out}, 'only with the number of a request');

# ---- deep

all_of($psql, 'deep', map { ($_, ['eval', 'good()', $fine]) }
	['eval', qq{nest(10000, b"SELECT py_eval('h', 'further()')")}, $fine],
	['eval', qq{nest(10000, b"SELECT 1; SELEC")}, $fine],
	['eval', qq{nest(500, b"SELECT * FROM py_eval_grid('h', 'further()') AS t(a int, b text, c float8[], d nested)")}, $fine],
	['eval', qq{nest(100, b"SELECT py_eval('h', 'further()')", end="stay()")}, $ended, $end],
	['eval', 'c = fixed(INT32, 1)' . "\n" . 'for _ in range(10000): c = column(ARRAY, struct.pack("<qqQ", 0, 1, 0) + c)' . "\n" . 'ask(b"SELECT $1", c); heard(); good()', $fine]);

# ---- two sessions at once

$psql->must("SELECT py_open('i', '$image')");
all_of($psql, 'two sessions', map { ($_, [q{SELECT py_eval('i', %L)}, 'good()', "$fine|$broken|$lost|08003"], [q{SELECT py_open('i', '} . $image . q{') = %L}, 'i', $fine]) }
	['eval', qq{ask(b"SELECT py_eval('i', 'ask(b''SELECT 1'', number=%d); stay()')" % request); heard(); good()}, $fine],
	['eval', qq{ask(b"SELECT py_eval('i', 'time.sleep(0.1); good()')"); ask(b"SELECT 2"); stay()}, "$broken|$ended", $end],
	['eval', qq{nest(200, b"SELECT py_eval('i', 'ask(b''SELECT py_eval(''''h'''', ''''further()'''')''); serve(); good()')")}, "$fine"],
	['eval', qq{ask(b"SELECT py_eval('i', 'ask(b''SELECT pg_sleep(0.2)''); heard(); good()')"); heard(); good()}, $fine],
	['eval', qq{ask(b"SELECT py_eval('i', 'close()')"); heard(); good()}, $fine],
	['eval', qq{ask(b"SELECT py_close('i'), py_close('h')"); heard(); good()}, $fine]);

# ---- tables

my $rows = 'rows(fixed(INT32, name=b"a")); rows(fixed(INT32, 1, 2, name=b"a")); result()';
all_of($psql, 'requests for tables', map { ($_, ['eval', 'good()', "$fine|$broken"]) }
	map({ my $call = $_; (
		[$call, qq{ask_table(b"own", b"append"); serve('$rows'); good()}, $fine],
		[$call, qq{ask_table(b"fresh", b"replace"); serve('$rows'); good()}, $fine],
		[$call, qq{ask_table(b"pg_temp.fresh", b"replace", kept=b"77"); serve('$rows'); good()}, $fine],
		map({ [$call, "ask_table($_); serve('$rows'); good()", $fine] } 'b"secret", b"append"', 'b"secret", b"replace"', 'b"pg_authid", b"append"', 'b"own", b"upsert"', 'b"own", b"append", b"more"',
			'b"a.b.c.d", b"fail"', 'b"\\xff", b"fail"', 'b"a\\0b", b"fail"', 'b"", b"fail"', 'b"own; DROP TABLE own", b"fail"', 'b"x" * 100000, b"fail"', 'b"own", b"append", kept=b"\\xff" * 5', 'b"own", b"append", kept=b"9" * 1000000'),
		map({ [$call, "say(frame(TABLE, $_)); serve(); good()", $fine] } 'b"rubbish"', 'texts(b"1", b"own")', 'texts()'),
		[$call, 'say(frame(TABLE, batch(fixed(INT32, 1), fixed(INT32, 1), fixed(INT32, 1)))); serve(); good()', $fine],
		[$call, 'ask_table(b"own", b"append"); serve("error(b\'22003\', b\'no\')"); good()', $fine],
		[$call, 'ask_table(b"own", b"append"); serve("rows(); result()"); good()', "$fine"],
		[$call, 'ask_table(b"own", b"append"); serve("rows(fixed(INT32, name=b\'a\')); rows(text(b\'1\')); result()"); good()', $fine],
		[$call, 'ask_table(b"own", b"append"); serve("ask_table(b\'own\', b\'replace\'); serve(); good()"); good()', "$fine|$broken"],
		[$call, qq{ask_table(b"own", b"append"); serve('rows(fixed(INT32, name=b"a")); ask(b"SELECT count(*) FROM own"); serve(); rows(fixed(INT32, 3)); result()'); good()}, $fine],
		[$call, 'ask_table(b"own", b"append"); good(); stay()', $broken, $end],
		[$call, 'ask_table(b"own", b"append"); stay()', $ended, $soon],
		[$call, 'ask_table(b"own", b"append"); serve("close()")', $lost],
		[$call, 'ask_table(b"own", b"append", number=request + 1); stay()', $broken, $end]) } 'eval', 'exec', 'grid'));
unharmed('requests');

# ---- read-only, off, security-restricted

my $writes = q{[(ask(q), serve("result()")) for q in (b"INSERT INTO own VALUES (77)", b"CREATE TABLE made (a int)", b"SET transaction_read_only = off; INSERT INTO own VALUES (77)", b"SELECT set_config('transaction_read_only', 'off', true)")]; ask_table(b"own", b"append"); serve(); good()};
gives($psql, 'BEGIN READ ONLY', '', 'a read-only transaction');
all_of($psql, 'in it', ['eval', $writes, $fine]);
$psql->query('COMMIT');
$node->safe_psql('postgres', "ALTER ROLE lowly SET hxpy.sql = '$_'"), do {
	my $other = backend('postgres', user => 'lowly');
	all_of($other, "hxpy.sql is $_", ['eval', $writes, $fine]);
	$other->end;
} for 'read-only', 'off';
$node->safe_psql('postgres', 'ALTER ROLE lowly RESET hxpy.sql');
gives($psql, q{SELECT count(*), to_regclass('made') IS NULL FROM own WHERE a = 77}, '0|t', 'nothing was written');
$psql->must(q{CREATE FUNCTION restricted(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM py_open('h', '} . $image . q{'); PERFORM py_eval('h', 'ask(b"CREATE TEMP TABLE forged_t (a int)"); serve(); ask(b"RESET ROLE; CREATE ROLE forged"); serve(); ask(b"DECLARE forged_c CURSOR WITH HOLD FOR SELECT 1"); serve(); good()'); RETURN i; EXCEPTION WHEN OTHERS THEN RETURN -1; END $$});
$psql->must('CREATE MATERIALIZED VIEW restricted_view AS SELECT restricted(1) AS i WITH NO DATA');
$psql->query('REFRESH MATERIALIZED VIEW restricted_view');
gives($psql, q{SELECT to_regclass('pg_temp.forged_t') IS NULL, (SELECT count(*) FROM pg_cursors WHERE name = 'forged_c')}, 't|0', 'a security-restricted operation stays restricted');
unharmed('restricted statements');

# A superuser who has become an ordinary role: what Python asks does not become the superuser again.
my $super = hxpy_psql($node, setup => ['SET client_min_messages = error', 'SET ROLE lowly', "SELECT py_open('h', '$image')"]);
for my $query ('RESET ROLE', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION postgres', 'RESET SESSION AUTHORIZATION', q{SELECT set_config('role', 'postgres', false)}, 'RESET ALL', 'DISCARD ALL')
{
	my $sent = $query =~ s/'/\\'/gr;
	my $result = $super->query(sprintf q{SELECT py_eval('h', %s)}, quote(qq{ask(b'$sent; INSERT INTO secret VALUES (\\'forged\\')'); serve(); ask(b'DO \$x\$ BEGIN $sent; CREATE ROLE forged; END \$x\$'); serve(); good()}));
	is($result->{out}, '42', "$query: the call ends well") or diag $result->{err};
	gives($super, 'SELECT current_user', 'lowly', '... and the role stays');
}
$super->end;
unharmed('a superuser who is another role');

# ---- functions, sets, triggers

# Have the next call of a function do something.
sub planned { my ($code) = @_; $code =~ s/([\\'])/\\$1/g; return "plan = '$code'; good()"; }
$psql->must("SET hxpy.session = 'h'");
$psql->must('SET check_function_bodies = off');
$psql->must($_) for 'CREATE DOMAIN small AS int CHECK (VALUE < 100) NOT NULL', 'CREATE TYPE pair AS (i small, t text)',
  'CREATE TABLE watched (id int, n small DEFAULT 1, gone int, t varchar(5), p pair, g int GENERATED ALWAYS AS (id * 2) STORED, a int[])', 'ALTER TABLE watched DROP COLUMN gone',
  map({ my ($name, $type) = @$_; "CREATE FUNCTION $name(a int) RETURNS $type LANGUAGE hxpy AS 'pass'" } ['f_int', 'int'], ['f_small', 'small'], ['f_pair', 'pair'], ['f_void', 'void'], ['f_text', 'text'], ['f_ints', 'int[]'], ['f_set', 'SETOF int'], ['f_pairs', 'SETOF pair']),
  'CREATE PROCEDURE f_inout(INOUT a int) LANGUAGE hxpy AS $$pass$$',
  q{CREATE FUNCTION f_trigger() RETURNS trigger LANGUAGE hxpy AS 'pass'}, 'CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION f_trigger()';
# The plan comes first, in a request of its own.
sub invoked
{
	my ($sql, @cases) = @_;
	return map { my ($code, $states, @limit) = @$_; (['exec', planned($code), $fine], [$sql, 'x', $states, @limit], ['eval', 'good()', "$fine|$broken"]) } @cases;
}
my @wrong = (['result()', $broken], ['result(fixed(INT32, 1), fixed(INT32, 1))', $broken], ['result(fixed(INT32, 1, 2))', $broken], ['result(fixed(INT32))', $broken], ['result(text(b"1"))', $broken],
	['result(fixed(INT64, 1))', $broken], ['rows(fixed(INT32, 1)); result(fixed(INT32, 1))', $broken], ['result(fixed(INT32, 1), number=request + 1)', $broken], ['say(frame(RESULT, b"rubbish"))', $broken],
	['error(b"57P01", b"evil", b"", b"", b"")', '38000'], ['error(b"ABCDE", b"fair", b"", b"", b"", b"", b"s" * 100000, b"\xff")', 'ABCDE'], ['error()', '38000'], ['error(b"00000", b"x", b"", b"", b"", b"1")', '38000'],
	['ask(b"SELECT 1"); serve(); error(b"38000", b"x", b"", b"", b"", b"1")', '38000'], ['ask(b"SELECT 1/0"); serve(); error(b"38000", b"x", b"", b"", b"", b"1")', '22012'],
	['ask(b"SELECT 1/0"); serve(); error(b"38000", b"x", b"", b"", b"", b"2")', '38000'], ['ask(b"SELECT 1/0"); serve(); ask(b"SELEC"); serve(); error(b"38000", b"x", b"", b"", b"", b"1")', '38000'],
	['stay()', $ended, $soon], ['close()', $lost]);
all_of($psql, 'values of functions', invoked('SELECT f_int(length(%L))', @wrong, ['result(fixed(INT32, 7))', $fine], ['result(fixed(INT32, 0, nulls=b"\1"))', $fine]));
all_of($psql, 'values of domains', invoked('SELECT f_small(length(%L))', ['result(fixed(INT32, 7))', $fine], ['result(fixed(INT32, 777))', '23514'], ['result(fixed(INT32, 0, nulls=b"\1"))', '23502']));
all_of($psql, 'rows', invoked('SELECT f_pair(length(%L))', ['result(record(fixed(INT32, 7), text(b"x")))', $fine], ['result(record(fixed(INT32, 777), text(b"x")))', '23514'], ['result(record(fixed(INT32, 0, nulls=b"\1"), text(b"x")))', '23502'],
		['result(record(fixed(INT32, 7)))', $broken], ['result(record(fixed(INT32, 7), text(b"x"), text(b"y")))', $broken], ['result(record(text(b"7"), text(b"x")))', $broken], ['result(record(fixed(INT32, 7), text(b"\xff")))', '22021'],
		['result(record(fixed(INT32, 7, 8), text(b"x")))', $broken], ['result(record(fixed(INT32, 7), text(b"x"), number=1 << 60))', $broken], ['result(fixed(INT32, 7))', $broken]));
all_of($psql, 'void, arrays, texts, procedures', invoked('SELECT f_void(length(%L))', ['result()', $fine], ['result(fixed(INT32, 1))', $fine], ['rows()', $broken]),
	invoked('SELECT f_ints(length(%L))', ['result(arrays(fixed(INT32, 1, 2), (0, 2)))', $fine], ['result(arrays(fixed(INT32, 1, 2), (0, 3)))', $broken], ['result(arrays(fixed(INT32, 1, 2), (0, 2), (2, 99)))', $broken]),
	invoked('SELECT length(f_text(length(%L)))', ['result(text(b"x" * 30000000))', $fine], ['result(text(b"a\0b"))', $broken], ['result(text(b"\xed\xa0\x80"))', '22021']));
all_of($psql, 'sets', map({ invoked("SELECT count(*) FROM f_set(length(%L))$_", ['rows(fixed(INT32, 1, 2)); result()', $fine], ['rows(text(b"1")); result()', $broken], ['rows(fixed(INT32, 1), fixed(INT32, 1)); result()', $broken], ['rows(); result()', $broken],
			['rows(fixed(INT32, 1)); result(fixed(INT32, 1))', "$fine|$broken"], ['result(fixed(INT32, 1))', "$fine|$broken"], ['rows(fixed(INT32, 1), number=request - 1); result()', $broken], ['rows(fixed(INT32, 1)); close()', $lost], ['rows(fixed(INT32, 1)); stay()', $ended, $soon]) } '', ', generate_series(1, 2)'),
	invoked('SELECT count(i), count(t) FROM f_pairs(length(%L))', ['rows(fixed(INT32, 1), text(b"x")); result()', $fine], ['rows(fixed(INT32, 777), text(b"x")); result()', '23514'], ['rows(fixed(INT32, 0, nulls=b"\1"), text(b"x")); result()', '23502'], ['rows(fixed(INT32, 1)); result()', $broken]));
# A trigger's answer: what to do, and the columns that were set, by their names.
my $modify = sub { return 'result(' . join(', ', 'text(b"MODIFY")', map({ my ($name, $value) = @$_; $value =~ s/\)$/, name=b"$name")/r } @_)) . ')'; };
my @whole = ([id => 'fixed(INT32, 5)'], [n => 'fixed(INT32, 6)'], [t => 'text(b"new")'], [p => 'record(fixed(INT32, 1, name=b"i"), text(b"x", name=b"t"))'], [a => 'arrays(fixed(INT32, 1), (0, 1))']);
all_of($psql, 'triggers', invoked(q{INSERT INTO watched (id) VALUES (length(%L)) RETURNING watched::text},
	[$modify->(@whole), $fine], [$modify->($whole[1]), $fine], [$modify->(), $fine], ['result(text(b"SKIP"))', $fine], ['result(text(b"OK"))', $fine], ['result()', $fine], ['result(text(b"evil\x1b[2J"), blob(b""))', $fine],
	[$modify->([n => 'fixed(INT32, 777)']), '23514'], [$modify->([n => 'fixed(INT32, 0, nulls=b"\1")']), '23502'], [$modify->([p => 'record(fixed(INT32, 777, name=b"i"), text(b"x", name=b"t"))']), '23514'],
	[$modify->([t => 'text(b"longer than five")']), '22001'], [$modify->([t => 'text(b"\xff")']), '22021'], [$modify->([g => 'fixed(INT32, 7)']), '39P01'], [$modify->([g => 'fixed(INT32, 0, nulls=b"\1")']), '39P01'],
	[$modify->(['........pg.dropped.3........' => 'fixed(INT32, 5)']), $broken], [$modify->([nosuch => 'fixed(INT32, 5)']), $broken], [$modify->(['' => 'fixed(INT32, 5)']), $broken], [$modify->(reverse @whole), $broken], [$modify->(@whole, @whole), $broken], [$modify->((@whole) x 1000), $broken],
	[$modify->([id => 'text(b"5")']), $broken], [$modify->([id => 'fixed(INT32, 5, 6)']), $broken], [$modify->([id => 'fixed(INT64, 5)']), $broken], [$modify->([a => 'arrays(fixed(INT32, 1), (0, 2))']), $broken], [$modify->([p => 'record(fixed(INT32, 5, name=b"i"))']), $broken], [$modify->([p => 'fixed(INT32, 5)']), $broken],
	['result(fixed(INT32, 1))', $fine], ['result(text(b"MODIFY", b"MODIFY"), fixed(INT32, 1, name=b"id"))', $fine], ['say(frame(RESULT, b"rubbish"))', $broken], ['error(b"39P01", b"x")', '39P01'], ['rows(fixed(INT32, 1)); result()', $broken],
	['ask(b"DROP TABLE watched"); serve(); ask(b"ALTER TABLE watched ADD z int"); serve(); ' . $modify->(@whole), $fine]),
	invoked(q{DELETE FROM watched WHERE length(%L) > 0 RETURNING 1}, [$modify->(@whole), $fine], ['result(text(b"MODIFY"))', $fine]),
	invoked(q{INSERT INTO watched (id) VALUES (length(%L)) RETURNING 1}, [$modify->(@whole), $fine]),
	invoked(q{UPDATE watched SET id = length(%L) RETURNING watched::text}, [$modify->([n => 'fixed(INT32, 777)']), '23514'], [$modify->(@whole), $fine]));
gives($psql, 'SELECT count(*) FROM watched WHERE n >= 100 OR g IS DISTINCT FROM id * 2', '0', 'no row that breaks the table\'s rules');

# ---- messages

my $texts = sub { return 'say(frame(MESSAGE, texts(' . join(', ', @_) . ')))'; };
all_of($psql, 'messages', map { my $case = $_; map { [$_, "$$case[0]; good()", $$case[1] // $fine] } 'eval', 'grid' }
	map({ [$texts->("b'$_'", 'b"22023"', 'b"%s%n%d\x1b[2J\xff"', 'b"%n"', 'b"%s"', ('b"\x1b"') x 5)] } qw(debug log info notice warning error fatal panic), '', '\xff'),
	map({ [$texts->('b"notice"', "b'$_'", ('b"x"') x 8)] } qw(00000 57P01 XX000 ABCDE 3800 380000), ''),
	[$texts->()], [$texts->('b"notice"')], [$texts->(('b"x"') x 1664)], [$texts->(('b"x"') x 1665), $broken], [$texts->('b"notice"', 'b"x"', 'b"a\0b"'), $broken],
	['say(frame(FULL))', $broken], ['say(frame(MESSAGE))', $broken], ['say(frame(MESSAGE, b"rubbish"))', $broken], ['say(frame(MESSAGE, batch(*[fixed(INT32, 1)] * 10)))'], ['say(frame(MESSAGE, batch(*[text(b"a", b"b")] * 10)))'],
	['say(frame(MESSAGE, texts(b"notice", b"", b"x" * 20000000)))'], ['tell(frame(MESSAGE, texts(b"notice", b"", b"x"))); time.sleep(0.5)', $broken],
	['flood(say, frame(MESSAGE, texts(b"notice", b"", b"flood")), 0.2)'], ['say(frame(MESSAGE, texts(b"notice", b"", b"x"), number=request + 1))', "$fine|$broken"]);

# ---- by chance

for my $call (qw(eval exec grid stored limit append create))
{
	for my $round (1 .. hxpy_rounds(4))
	{
		my $from = int rand 1e9;
		my $bad = $psql->query(sprintf q{SELECT i, said FROM generate_series(%d, %d) AS i, attempt(format('forge(%%s)', i), %s, 300) AS said WHERE said !~ '^(00000|08P01|08006|57014|53400|%s) ' OR said ~ 'LEAKED'}, $from, $from + 13, quote($calls{$call}), $sane);
		tried(14);
		is($bad->{state} . $bad->{out}, '00000', "forged requests of $call") if $bad->{state} . $bad->{out} ne '00000';
	}
	unharmed("requests of $call by chance");
}
note tried() . ' cases';
$psql->end;
# A process 1 that outlives its connections is removed when the next backend opens a session.
backend('postgres')->end;
unlike(slurp_file($node->logfile), qr/PANIC|FATAL|TRAP|terminated by signal/, 'nothing worse than an ERROR in the log');

hxpy_finish();
