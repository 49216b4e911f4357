# Batches that end before their time, at moments that chance chooses, in sessions that are
# warm or not open yet: by a cancel, a time limit, Python's or the container's death, too
# little memory.  The session works afterwards, or a new one does; rows that were there
# before an error come first.
#
# HXPY_TEST_ROUNDS multiplies the moments; HXPY_TEST_SEED repeats them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $seed = $ENV{HXPY_TEST_SEED} // time % 1_000_000;
srand $seed;
note "HXPY_TEST_SEED=$seed";

my $node = hxpy_cluster('batches_end', "session_preload_libraries = 'hxpy'", 'hxpy.memory = 200MB', 'hxpy.max_memory = 300MB');
$node->safe_psql('postgres', $_) for 'CREATE ROLE lowly LOGIN IN ROLE hxpy_user', 'GRANT CREATE ON SCHEMA public TO lowly', 'GRANT USAGE ON LANGUAGE hxpy, hxpy_batch TO lowly';
my $other = hxpy_psql($node);
my $psql = hxpy_psql($node, user => 'lowly');
my $pid = $psql->pid;

$psql->must($_) for 'CREATE TABLE t AS SELECT i, repeat(md5(i::text), 10) AS s FROM generate_series(1, 40000) AS i',
  q{CREATE FUNCTION g(a int) RETURNS int LANGUAGE hxpy IMMUTABLE STRICT AS 'return a * 2 % 1000'},
  q{CREATE FUNCTION up(t text) RETURNS text LANGUAGE hxpy STABLE AS 'return t and t.upper()'},
  q{CREATE FUNCTION plus(a int, b int) RETURNS int LANGUAGE hxpy_batch IMMUTABLE AS 'return a + b'},
  q{CREATE FUNCTION asks(a int) RETURNS int LANGUAGE hxpy STABLE AS $$ return plpy.execute(f'SELECT g({a}) AS v')[0]['v'] $$},
  q{CREATE FUNCTION dies(a int, n int) RETURNS int LANGUAGE hxpy STABLE AS $$
import os
if a == n:
    os._exit(3)
return a
$$},
  q{CREATE FUNCTION grows(a int, n int) RETURNS int LANGUAGE hxpy STABLE AS $$
if a == n:
    len(b'x' * (1 << 30))
return a
$$},
  q{CREATE FUNCTION raises(a int, n int) RETURNS int LANGUAGE hxpy STABLE AS $$
if a == n:
    raise ValueError('row')
return a
$$};
my %queries = (
	simple => 'SELECT sum(g(i)) FROM t',
	nested => 'SELECT count(*) FROM t WHERE g(g(i)) % 3 = 1 AND length(up(s)) > g(i) % 2',
	joined => 'SELECT sum(plus(a.i, g(b.i))) FROM t AS a JOIN t AS b ON a.i = b.i + 1 AND g(a.i) > g(b.i)',
	sql => q{SELECT sum(asks(i)) FROM t WHERE i <= 4000},
	changes => 'CREATE TABLE made AS SELECT up(s), plus(i, 1) FROM t',
	cursor => 'DO $$ DECLARE r record; BEGIN FOR r IN SELECT g(i) AS v, up(s) FROM t LOOP IF r.v = 500 THEN PERFORM g(r.v); END IF; END LOOP; END $$');
my %ends = (
	cancel => sub { $other->must("SELECT pg_cancel_backend($pid)") },
	python => sub { $other->must("SELECT count(*) FROM hxpy_stat_sessions"); docker('kill', containers($node)) if containers($node) },
	removed => sub { docker('rm', '-f', containers($node)) if containers($node) });

# What works after each end, in the same session or a new one.
sub works
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result;

	# What is lost tells so once.
	for (1 .. 2)
	{
		$result = $psql->query('SELECT sum(g(i)), count(up(s)), max(asks(i)), max(plus(i, 1)) FROM t WHERE i <= 400');
		last if $result->{state} ne '08006';
	}
	return is("$result->{state} $result->{out}", '00000 160400|400|800|401', "$name: calls work afterwards") || diag $result->{err};
}

for my $round (1 .. hxpy_rounds(2))
{
	for my $name (sort keys %queries)
	{
		for my $how ('cancel', 'statement_timeout', 'hxpy.eval_timeout', 'python', 'removed')
		{
			my $cold = rand() < 0.4;
			my $moment = rand($cold ? 1.5 : 0.4);
			my $what = sprintf '%s, %s, %s after %.3f s', $name, $cold ? 'cold' : 'warm', $how, $moment;

			next if rand() > 0.4;
			$psql->query('SELECT py_close_all()') if $cold;
			if ($ends{$how})
			{
				$psql->send($queries{$name});
				sleep $moment;
				$ends{$how}->();
			}
			else
			{
				$psql->must(sprintf "SET $how = '%d ms'", 1 + 1000 * $moment);
				$psql->send($queries{$name});
			}
			my $result = $psql->wait;
			$psql->must("RESET $how") unless $ends{$how};
			$psql->query('DROP TABLE IF EXISTS made');
			like($result->{state}, qr/^(00000|57014|08006|0800[14])$/, "$what: ends well") or diag $result->{err};
			works($what);
		}
	}
}

# ---- what was there before the end

for my $case ([dies => '08006', qr/Python exited with status 3/], [grows => '08006|38000', qr/memory|MemoryError/i], [raises => '38000', qr/ValueError: row.*Arguments: 3000, 3000/s])
{
	my ($name, $state, $message) = @$case;
	for my $cold (0, 1)
	{
		$psql->query('SELECT py_close_all()') if $cold;
		$psql->must('BEGIN');
		$psql->must("DECLARE c NO SCROLL CURSOR FOR SELECT i, $name(i, 3000) FROM generate_series(1, 9000) AS i");
		my ($rows, $result) = (0);
		do
		{
			$result = $psql->query('FETCH 10 FROM c');
			$rows += () = $result->{out} =~ /\|/g;
		} while $result->{state} eq '00000' && $rows < 9000;
		like($result->{state}, qr/^(?:$state)$/, "$name: the error") or diag $result->{err};
		like($result->{err}, $message, '... says why');
		like($result->{err}, qr/hxpy function "$name"/, '... and names the function');
		$name eq 'raises' ? is($rows, 2990, '... after the rows before it') : cmp_ok($rows, '>=', 300, '... after rows of earlier batches');
		$psql->must('ROLLBACK');
		works($name);
	}
}

# An error in a subtransaction, again and again, with messages under way.
$psql->must(q{DO $$ DECLARE n int := 0; BEGIN FOR k IN 1..20 LOOP BEGIN PERFORM raises(i, 1500 + 100 * k), g(i) FROM generate_series(1, 9000) AS i;
	EXCEPTION WHEN external_routine_exception THEN n := n + 1; END; END LOOP; IF n <> 20 THEN RAISE '%', n; END IF; END $$});
works('errors that are caught');

$psql->end;
$other->end;
hxpy_finish($node);
