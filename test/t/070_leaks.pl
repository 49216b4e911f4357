# Leaks: memory and descriptors of one backend stay flat over many sessions,
# requests, errors and failures.  HXPY_TEST_ROUNDS=16 opens 1,000 sessions.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use List::Util qw(min);
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('leaks', 'jit = off');
my $psql = hxpy_psql($node);

# Private memory of a backend in kB: shared buffers that it touches do not count.
sub memory
{
	my ($pid) = @_;
	my $sum = 0;
	$sum += $_ for slurp_file("/proc/$pid/smaps_rollup") =~ /^Private_(?:Clean|Dirty): +(\d+) kB$/mg;
	return $sum;
}

# Descriptors of a backend but for those of its tables and logs, which come and go.
sub descriptors
{
	my ($pid) = @_;
	return scalar grep { /^(?:socket|pipe|anon_inode):|pgsql_tmp_hxpy/ } map { readlink($_) // '' } glob "/proc/$pid/fd/*";
}

# Run a statement $count times in a plpgsql loop (i), $step of them at a time, and
# look at memory and descriptors in between; the first quarter is warm-up.
sub is_flat
{
	my ($name, $count, $sql, $limit, $backend) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$backend //= $psql;
	my $step = int($count / 8) || 1;
	my (@memory, @descriptors);
	my $start = time;

	for my $round (0 .. 7)
	{
		my $first = $round * $step;
		my $last = $first + $step - 1;
		my $result = $backend->query("DO \$do\$ BEGIN FOR i IN $first .. $last LOOP $sql END LOOP; END \$do\$", 600);
		die "$name: $result->{err}" if $result->{state} ne '00000';
		push @memory, memory($backend->pid);
		push @descriptors, descriptors($backend->pid);
	}
	# The least of each half: what malloc keeps for a while comes and goes.  The first
	# eighth warms up.
	my $grown = min(@memory[ 4 .. 7 ]) - min(@memory[ 1 .. 3 ]);
	my $text = sprintf '%s, %d times in %.1f s: %d kB in the first half, %+d kB in the second; descriptors %s', $name, 8 * $step, time - $start, min(@memory[ 1 .. 3 ]), $grown,
	  join ' ', @descriptors[ 1, 7 ];
	note $text;
	diag $text if $ENV{HARNESS_ACTIVE};
	ok($grown <= $limit, "$name: memory") or diag "kB: @memory";
	is($descriptors[7], $descriptors[1], "$name: descriptors");
}

my $base = descriptors($psql->pid);
$psql->query(q{SELECT py_eval(py_open('s'), '1'); SELECT py_close_all()});
ok(wait_gone($node), 'warm');
$base = descriptors($psql->pid);

# ---- one session, many requests

$psql->query(q{SET client_min_messages = error; SELECT py_exec(py_open('s'), 'n = 0')});
my $evals = hxpy_rounds(20000);
is_flat('evals', $evals / 2, q{PERFORM py_eval('s', '1'); PERFORM py_eval('s', '[1, 2.5, "text", None, {"a": [True]}]', NULL::jsonb);}, 256);
is_flat('defines and typed evals', $evals / 8, q{
	PERFORM py_define('s', 'v', i), py_define('s', 't', repeat('x', 1000)), py_define('s', 'a', ARRAY[1.5, 2, i]), py_define('s', 'r', ROW(i, 'x', now()));
	PERFORM py_eval('s', 't', NULL::text), py_eval('s', 'a', NULL::float8[]), py_eval('s', 'v', NULL::numeric);}, 256);
is_flat('output', $evals / 16, q{PERFORM py_exec('s', 'print("x" * 500)');}, 256);
is_flat('exceptions', $evals / 16, q{BEGIN PERFORM py_eval('s', '1 / 0'); EXCEPTION WHEN external_routine_exception THEN NULL; END;}, 256);
is_flat('values that do not fit', $evals / 16,
	q{BEGIN PERFORM py_eval('s', '10 ** 30', NULL::int); EXCEPTION WHEN numeric_value_out_of_range THEN NULL; END;}, 256);
is_flat('new sources', $evals / 16, q{PERFORM py_eval('s', i || ' + 1');}, 256);
is_flat('large values', $evals / 250, q{PERFORM py_define('s', 'b', repeat('x', 3000000)), length(py_eval('s', 'b + "yz"', NULL::text)),
	py_eval('s', 'list(range(20000))');}, 1024);
is_flat('timeouts', $evals / 100, q{SET LOCAL hxpy.eval_timeout = 1;
	BEGIN PERFORM py_exec('s', E'while True:\n    n += 1'); EXCEPTION WHEN query_canceled THEN NULL; END;}, 256);
is_flat('large defines in subtransactions that fail', $evals / 500,
	q{BEGIN PERFORM py_define('s', 'b', repeat('x', 3000000)), 1 / (i - i); EXCEPTION WHEN division_by_zero THEN NULL; END;}, 1024);
$psql->query('SELECT py_close_all()');
is(descriptors($psql->pid), $base, 'descriptors as before');

# ---- many sessions

my $sessions = hxpy_rounds(64);
is_flat('sessions opened and closed', $sessions, q{PERFORM py_open('s');
	PERFORM py_define('s', 'v', i); PERFORM py_exec('s', 'v += 1'); ASSERT py_eval('s', 'v') = to_jsonb(i + 1); PERFORM py_close('s');}, 1024);
is(descriptors($psql->pid), $base, 'descriptors as before');
is_flat('sessions that die', hxpy_rounds(16), q{PERFORM py_open('s');
	BEGIN PERFORM py_exec('s', 'import os; os._exit(1)'); EXCEPTION WHEN connection_failure THEN NULL; END;}, 1024);
$psql->query('SELECT py_close_all()');
is(descriptors($psql->pid), $base, 'descriptors as before');

# ---- failures

$psql->query(q{SET hxpy.allowed_images = '*'});
is_flat('images that are not there', hxpy_rounds(400), q{BEGIN PERFORM py_open(image => 'nosuch:1'); EXCEPTION WHEN undefined_object THEN NULL; END;}, 256);
my $dies = variant_image('dies');
is_flat('containers that die at once', hxpy_rounds(16),
	"BEGIN PERFORM py_open(image => '$dies'); EXCEPTION WHEN sqlserver_rejected_establishment_of_sqlconnection THEN NULL; END;", 1024);
is(descriptors($psql->pid), $base, 'descriptors as before');
$psql->query(q{SET hxpy.docker_host = 'unix:///nosuch'});
is_flat('no engine', hxpy_rounds(2000),
	q{BEGIN PERFORM py_open(); EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN NULL; END;}, 256);
$psql->query('RESET hxpy.docker_host');
ok(descriptors($psql->pid) <= $base, 'descriptors as before');
gives($psql, q{SELECT py_eval('6 * 7')}, '42', 'and all works');
$psql->query('SELECT py_close_all()');

# ---- too few descriptors: an error, and nothing lost

SKIP:
{
	my $few = hxpy_cluster('few', 'max_files_per_process = 64');
	my $backend = hxpy_psql($few, setup => [q{SET hxpy.max_sessions = 64}]);
	my ($opened, $result) = (0);
	for (1 .. 30)
	{
		$result = $backend->query("SELECT py_open('n$_')");
		last if $result->{state} ne '00000';
		$opened++;
	}
	like($result->{state}, qr/^53000$/, "too many files after $opened sessions: " . first_error($result)) or diag $result->{err};
	is(wait_until(sub { containers($few) == $opened }, 3) && scalar socket_dirs($few), $opened, 'what failed has left nothing')
	  or diag 'containers: ' . containers($few) . ', directories: ' . socket_dirs($few);
	my $before = descriptors($backend->pid);
	$backend->query("SELECT py_open('more')") for 1 .. 5;
	is(descriptors($backend->pid), $before, 'no descriptor is lost');
	gives($backend, q{SELECT py_close('n1')}, 't', 'one less');
	gives($backend, q{SELECT py_eval(py_open('again'), '6 * 7')}, '42', 'one more');
}

hxpy_finish();
