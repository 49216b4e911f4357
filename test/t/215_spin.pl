# hxpy.spin: both ends look for the other's message for a moment before they sleep.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use Test::More;

my $node = hxpy_cluster('spin');
my $psql = hxpy_psql($node, setup => [
	# the backend's CPU time so far, in ms
	q{CREATE FUNCTION pg_temp.cpu() RETURNS float8 LANGUAGE sql AS
		$$SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1e6$$},
	# what calls take of it, and of Python's, with pauses in Python and between them
	q{CREATE FUNCTION pg_temp.spent(calls int, pause text, seconds float8, OUT backend float8, OUT python float8) LANGUAGE plpgsql AS
		$$BEGIN
			python := -py_eval('s', 'time.process_time() * 1000', NULL::float8);
			backend := -pg_temp.cpu();
			FOR i IN 1..calls LOOP
				PERFORM py_eval('s', pause), pg_sleep(seconds);
			END LOOP;
			backend := backend + pg_temp.cpu();
			python := python + py_eval('s', 'time.process_time() * 1000', NULL::float8);
		END$$}]);

# Opens the session under a setting.
sub open_with
{
	my ($spin) = @_;
	$psql->must("SET hxpy.spin = $spin");
	$psql->must(q{SELECT py_close('s'), py_open('s'), py_exec('s', 'import time')});
	return;
}

# Returns the CPU time that calls have taken, in the backend and in Python, in ms.
sub spent
{
	my ($calls, $pause, $seconds) = @_;
	return split /\|/, $psql->must("SELECT (pg_temp.spent($calls, '$pause', $seconds)).*");
}

# ---- the backend looks before it sleeps; Python's looks are those of a test in Python

SKIP:
{
	skip 'there is one CPU', 1 if qx(nproc) < 2;
	my ($without, $with);
	# 5 of 30 calls look for 1 ms each.  Others may have the CPU for a part of the time.
	ok(wait_until(sub {
		open_with(0);
		($without) = spent(30, 'time.sleep(0.005)', 0);
		$psql->must('SET hxpy.spin = 1000');
		($with) = spent(30, 'time.sleep(0.005)', 0);
		$with > $without + 3 }, 10), 'for as long as it shall') or diag "$with, $without";
}

# ---- it gives up where it looks in vain: 200 times 1 ms would be 200 ms

open_with(1000);
my ($backend) = spent(200, 'time.sleep(0.003)', 0);
cmp_ok($backend, '<', 100, 'the backend, while Python takes longer');
my (undef, $python) = spent(200, '1', 0.003);
cmp_ok($python, '<', 100, 'Python, while requests are rare');

# ---- Python does not spend what it has not

my $looks = q{SELECT py_eval('s', '__import__("hxpy")._report.channel.connection._spin', NULL::int)};
gives($psql, $looks, qx(nproc) < 2 ? 0 : 1000000, 'with a CPU of its own it looks');
$psql->must(q{SELECT py_close('s'), py_open('s', cpus => 0.5)});
gives($psql, $looks, 0, 'with half a CPU it does not');
open_with(0);
gives($psql, $looks, 0, 'nor when it is switched off');

hxpy_finish();
