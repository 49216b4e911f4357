# A backend that runs out of memory while Python is at work: an error like another,
# after which the session works.  What brings a request to its end needs no memory.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = hxpy_cluster('memory');
my $psql = hxpy_psql($node, setup => [q{SELECT py_open('s')}, q{SELECT py_exec('s', 'import pandas; kept = 42')}]);
$psql->query(q{SELECT count(*) FROM py_eval_grid('s', '[{"v": 1}]') AS t(v text)});
# Takes all memory in pieces that are so small that hardly any is left.
$psql->query(q{CREATE FUNCTION eat() RETURNS int LANGUAGE plpgsql AS $$DECLARE c refcursor; BEGIN LOOP c := NULL; OPEN c FOR SELECT 1; END LOOP; END$$});

# The backend may grow by so many MB, 0 for any number.
sub limit_memory
{
	my ($more) = @_;
	my ($size) = slurp_file('/proc/' . $psql->pid . '/status') =~ /^VmSize:\s*(\d+) kB/m;
	system_or_bail('prlimit', '--pid', $psql->pid, '--as=' . ($more ? ($size + $more * 1024) * 1024 : 'unlimited') . ':unlimited');
	return;
}

# Runs out of memory, and the session is as good as before.
sub runs_out
{
	my ($sql, $more, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	limit_memory($more);
	fails($psql, $sql, '53200', qr/out of memory/, $name);
	gives($psql, q{SELECT py_eval('s', 'kept')}, '42', '... the session works');
	gives($psql, q{SELECT v FROM py_eval_grid('s', '[{"v": kept}]') AS t(v int)}, '42', '... and streams');
	limit_memory(0);
	return;
}

# ---- while a query runs, with an incoming buffer that was large before and is given back

for my $call (q{py_define_grid('s', 'g', 'SELECT i, eat() FROM generate_series(1, 9) AS i')},
	q{v FROM py_apply('s', 'lambda frame: frame', 'SELECT eat() AS v') AS t(v int)})
{
	gives($psql, q{SELECT length(py_eval('s', '"x" * 5000000', NULL::text))}, '5000000', 'a large value');
	runs_out("SELECT $call", 20, substr($call, 0, 20));
}

# ---- while a value comes

my $large = '"x" * 200000000';
runs_out(qq{SELECT py_eval('s', '$large', NULL::text)}, $_, "py_eval with $_ MB") for 20, 100, 150;
runs_out(qq{SELECT length(v) FROM py_eval_grid('s', '[{"v": $large}]') AS t(v text)}, 100, 'py_eval_grid');
runs_out(qq{SELECT length(v) FROM py_apply('s', 'lambda frame: [{"v": $large}]', 'SELECT 1 AS v') AS t(v text)}, 100, 'py_apply');
runs_out(qq{SELECT py_eval_into('s', '[{"v": $large}]', 'made', 'replace')}, 100, 'py_eval_into');
gives($psql, qq{SELECT length(py_eval('s', '$large', NULL::text))}, '200000000', 'the same with memory');

$psql->end;
hxpy_finish();
