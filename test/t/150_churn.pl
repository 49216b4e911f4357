# Churn: connections that open, use, break and leave sessions at random, containers
# and backends that are killed.  Every answer is checked, memory stays flat, nothing is
# left.  HXPY_CHURN_SECONDS sets how long; test/churn runs it by hand.
#
# In the first quarter backends are killed with SIGKILL, too, which restarts the server
# each time; then the same launcher and the same two long-lived backends live to the
# end, so that their memory can be compared: the second quarter with the last.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use List::Util qw(max min);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{HXPY_CHURN_SECONDS} // 45;
my $connections = $ENV{HXPY_CHURN_CONNECTIONS} // 12;
my $seed = $ENV{HXPY_CHURN_SEED} // int(time);
my $size = 4;
my $memory_bound = 1024 + $seconds;    # kB from the second quarter to the last
my $descriptor_bound = 8;

srand $seed;
note "seed $seed";
my $node = hxpy_cluster('churn', q{shared_preload_libraries = 'hxpy'}, 'restart_after_crash = on', "hxpy.pool_size = $size",
	'max_connections = 60', 'jit = off', 'log_statement = none', 'autovacuum = off');
ok(defined wait_pool_full($node, $size), 'the pool is full');
my $cluster = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
my $volumes = split /\n/, docker_ok('volume', 'ls', '-q');

# ---- connections: a hash of psql, x (what a counter in the session must be), open, job

my @connections = map { { long => $_ < 2 } } 0 .. $connections - 1;
my (%errors, %done, @mismatches, @surprises);
my $kills = 0;                         # SIGKILLs of backends

# What may come besides 00000: cancel and timeout; a container that was killed, in use or
# while it was opened; a backend that was terminated, or taken along by another's crash.
my %expected = map { $_ => 1 } qw(57014 08006 08004 08001 57P01 57P02 57P03), '';

# Connect; undef while the server restarts.
sub connect_again
{
	my ($connection) = @_;
	$connection->{psql} = eval { hxpy_psql($node, setup => ['SET client_min_messages = warning']) };
	$connection->{open} = 0;
	$connection->{x} = undef;
	$connection->{job} = undef;
}

# Begin a job: SQL, what it must print (undef: do not care), and what to do afterwards.
sub begin
{
	my ($connection, $name, $sql, $expect, %options) = @_;
	$connection->{job} = { name => $name, expect => $expect, begun => time, %options };
	$connection->{psql}->send($sql);
}

# Give a connection something to do.
sub next_job
{
	my ($connection) = @_;
	my $dice = rand;
	my $n = int rand 1e6;

	if (!$connection->{open})
	{
		my $options = $dice < 0.1 ? q{, memory => '512MB'} : '';
		return begin($connection, 'open', "SELECT py_open('s'$options), py_eval(py_exec('s', 'x = $n'), 'x')", "s|$n",
			after => sub { $connection->{open} = 1; $connection->{x} = $n },
			$dice > 0.9 ? (signal => 'INT', signal_at => time + rand 0.3) : ());
	}
	return begin($connection, 'eval', "SELECT py_eval('s', '$n * 7')", $n * 7) if $dice < 0.35;
	if ($dice < 0.5)
	{
		my $next = defined $connection->{x} ? $connection->{x} + 1 : undef;
		return begin($connection, 'count', q{SELECT py_eval(py_exec('s', 'x += 1'), 'x')}, $next,
			after => sub { $connection->{x} = $_[0] });
	}
	if ($dice < 0.6)
	{
		my $rows = 1 + int rand 50000;
		return begin($connection, 'stream', "SELECT count(*), sum(i) FROM py_apply('s', 'lambda df: df', 'SELECT generate_series(1, $rows) AS i') AS r(i int)",
			"$rows|" . $rows * ($rows + 1) / 2);
	}
	if ($dice < 0.68)
	{
		my $rows = 1 + int rand 20000;
		return begin($connection, 'grid', "SELECT py_define_grid('s', 'g', 'SELECT generate_series(1, $rows) AS i', NULL); SELECT count(*) FROM py_eval_grid('s', 'g.to_dataframe()') AS r(i int)",
			"s\n$rows");
	}
	return begin($connection, 'cancel', q{SELECT py_exec('s', 'while True: n = 1')}, undef, signal => 'INT', signal_at => time + rand 0.3)
	  if $dice < 0.76;
	return begin($connection, 'cancel in a stream', q{SELECT count(*) FROM py_apply('s', 'lambda df: df', 'SELECT generate_series(1, 100000000) AS i') AS r(i int)}, undef,
		signal => 'INT', signal_at => time + rand 0.3)
	  if $dice < 0.8;
	return begin($connection, 'timeout', q{SET hxpy.eval_timeout = '60ms'; SELECT py_exec('s', 'while True: n = 1')}, undef, restore => 1)
	  if $dice < 0.86;
	return begin($connection, 'exception', qq{DO \$\$ BEGIN PERFORM py_eval('s', '1 / 0'); EXCEPTION WHEN external_routine_exception THEN NULL; END; \$\$; SELECT $n}, $n)
	  if $dice < 0.9;
	return begin($connection, 'close', q{SELECT py_close('s')}, 't', after => sub { $connection->{open} = 0 }) if $dice < 0.96 || $connection->{long};
	return begin($connection, 'terminate', q{SELECT py_exec('s', 'while True: n = 1')}, undef, signal => 'TERM', signal_at => time + rand 0.2)
	  if $dice < 0.97;
	# disconnect, with the session open
	$connection->{psql}->end;
	$connection->{psql} = undef;
	$done{disconnect}++;
	return;
}

# Judge a job that has ended.
sub end_job
{
	my ($connection) = @_;
	my $job = $connection->{job};
	my $result = $connection->{psql}->wait;
	my $state = $result->{state};

	$connection->{job} = undef;
	$done{ $job->{name} }++;
	if ($state eq '00000')
	{
		push @mismatches, "$job->{name}: got '$result->{out}', expected '$job->{expect}'"
		  if defined $job->{expect} && $result->{out} ne $job->{expect};
		$job->{after}->($result->{out}) if $job->{after};
	}
	else
	{
		$errors{ $state eq '' ? 'connection lost' : $state }++;
		push @surprises, "$job->{name}: $state $result->{err}" unless $expected{$state};
		push @surprises, "$job->{name}: $state, but nobody asked for it: $result->{err}"
		  if $state eq '57014' && !$job->{signal} && !$job->{restore};
		$connection->{open} = 0 if $state =~ /^08/;
		# A cancel may come before or after what it was to interrupt.
		$connection->{x} = undef;
	}
	if ($state eq '')
	{
		$connection->{psql}->end;
		$connection->{psql} = undef;
		return;
	}
	# py_open of a session that is there, though its opening was broken off afterwards,
	# must not differ: begin anew.
	my @undo;
	if ($job->{name} eq 'open' && $state ne '00000' || $state =~ /^08/)
	{
		push @undo, q{SELECT py_close('s')};
		$connection->{open} = 0;
	}
	push @undo, 'RESET hxpy.eval_timeout' if $job->{restore};
	# A job like others: it may meet a crash, and nobody waits for it here.
	begin($connection, 'undo', join('; ', @undo), undef) if @undo;
}

# ---- what is measured

# Memory of a process's own, in kB, and its descriptors (undef where that is forbidden).
sub measure
{
	my ($pid) = @_;
	open(my $file, '<', "/proc/$pid/status") or return ();
	# A process that ends meanwhile cannot be read.
	my ($memory) = (do { local $/; <$file> } // '') =~ /^RssAnon:\s+(\d+)/m;
	my @descriptors = glob "/proc/$pid/fd/*";
	return ($memory, @descriptors ? scalar @descriptors : undef);
}

# Show what the server, which may be about to restart, and the engine have.
sub tell_state
{
	diag scalar(docker('ps', '-a', '--filter', "name=hxpy-$cluster")), "\n",
	  ask($node, 'TABLE hxpy_stat_pool; TABLE hxpy_stat_sessions; SELECT pid, backend_type, state, wait_event, query FROM pg_stat_activity') // 'no server';
}

my %samples;                           # name => [ [time, memory, descriptors] … ]
my @counts;                            # [time, containers, directories]
my ($dockerd) = (eval { slurp_file('/var/run/docker.pid') } // '') =~ /^(\d+)/;

sub sample
{
	my ($now) = @_;
	my %pid = (launcher => launcher_pid($node), dockerd => $dockerd,
		map { ("backend $_" => $connections[$_]{psql} && $connections[$_]{psql}->pid) } 0, 1);
	for my $name (keys %pid)
	{
		my @values = $pid{$name} ? measure($pid{$name}) : ();
		push @{ $samples{$name} }, [ $now, @values, $pid{$name} ] if @values && defined $values[0];
	}
	push @counts, [ $now, scalar containers($node), scalar socket_dirs($node) ];
}

# ---- the run

my $start = time;
my $end = $start + $seconds;
my $next_sample = $start + 1;
my $next_kill = $start + 1;
my $next_crash = $start + $seconds / 12;
my $last_crash = $start + $seconds * 0.22;
while ((my $now = time) < $end)
{
	my $idle = 1;
	for my $connection (@connections)
	{
		if (!$connection->{psql})
		{
			connect_again($connection);
			next;
		}
		my $job = $connection->{job};
		if (!$job)
		{
			next_job($connection);
			$idle = 0;
		}
		elsif ($connection->{psql}->is_done)
		{
			end_job($connection);
			$idle = 0;
		}
		elsif ($job->{signal_at} && $job->{signal_at} <= $now)
		{
			kill $job->{signal}, $connection->{psql}->pid;
			$job->{signal_at} = undef;
		}
		elsif ($now - $job->{begun} > 120)
		{
			# An open may wait for hxpy.open_timeout, a minute.
			tell_state();
			die "$job->{name} hangs";
		}
	}
	if ($now >= $next_kill)
	{
		my @running = split /\n/, docker_ok('ps', '-q', '--no-trunc', '--filter', "name=hxpy-$cluster")
		  if $now > $last_crash + 3;
		docker(rand() < 0.5 ? ('kill') : ('rm', '-f'), $running[ rand @running ]) if @running;
		$done{'docker kill or rm'}++ if @running;
		$next_kill = $now + 1 + rand 3;
	}
	if ($now >= $next_crash && $now < $last_crash)
	{
		my @alive = grep { $_->{psql} } @connections;
		kill 'KILL', $alive[ rand @alive ]{psql}->pid if @alive;
		$kills++;
		$next_crash = $now + max($seconds / 12, 4);
	}
	if ($now >= $next_sample && $now > $last_crash + 3)
	{
		sample($now - $start);
		$next_sample = $now + max(1, $seconds / 120);
	}
	sleep 0.005 if $idle;
}
for my $connection (grep { $_->{psql} } @connections)
{
	my $job = $connection->{job};
	kill 'INT', $connection->{psql}->pid if $job && $job->{name} =~ /cancel|terminate/;
	end_job($connection) if $job;
	$connection->{psql}->end if $connection->{psql};
}
my $took = time - $start;
ok(wait_until(sub { only_pool($node) && pool_stat($node)->{ready} == $size }, 30), 'afterwards there is the pool and nothing else')
  or tell_state();

# ---- the table

my @lines;
push @lines, sprintf '%d connections for %d s, %d SIGKILLs of backends in the first quarter; jobs: %s', $connections, $took, $kills,
  join ', ', map { "$done{$_} $_" } sort keys %done;
push @lines, 'errors by SQLSTATE: ' . (join(', ', map { "$errors{$_} x $_" } sort keys %errors) || 'none');
push @lines, 'containers ' . min(map { $_->[1] } @counts) . ' to ' . max(map { $_->[1] } @counts) . ', directories ' . min(map { $_->[2] } @counts) . ' to ' . max(map { $_->[2] } @counts);
my $stat = pool_stat($node);
push @lines, "pool: $stat->{started} started, $stat->{taken} taken, $stat->{missed} missed, $stat->{failed} failed";
push @lines, sprintf '%-10s %22s %22s %9s %8s %15s', 'median of', 'RssAnon 2nd quarter, kB', 'last quarter, kB', 'growth', 'most', 'descriptors';
my %growth;
for my $name (sort keys %samples)
{
	# A process that was replaced counts from then on.
	my $pid = $samples{$name}[-1][3];
	my @own = grep { $_->[3] == $pid } @{ $samples{$name} };
	my $quarter = @own / 3;
	my @first = @own[ 0 .. max(0, int($quarter) - 1) ];
	my @last = @own[ int(@own - max(1, $quarter)) .. $#own ];
	my ($then, $now) = map { median(map { $_->[1] } @$_) } \@first, \@last;
	my ($fds_then, $fds_now) = map { median(map { $_->[2] // 0 } @$_) } \@first, \@last;
	$growth{$name} = { memory => $now - $then, descriptors => $fds_now - $fds_then };
	push @lines, sprintf '%-10s %23d %22d %+9d %8d %15s', $name, $then, $now, $now - $then, max(map { $_->[1] } @own),
	  defined $own[-1][2] ? "$fds_then, $fds_now" : 'not shown';
}
note $_ for @lines;
diag map { "$_\n" } @lines if $ENV{HARNESS_ACTIVE};

is(scalar @mismatches, 0, 'every answer was right') or diag join "\n", @mismatches[ 0 .. min(9, $#mismatches) ];
is(scalar @surprises, 0, 'no error but those that must come') or diag join "\n", @surprises[ 0 .. min(9, $#surprises) ];
for my $name (grep { $_ ne 'dockerd' } sort keys %growth)
{
	ok($growth{$name}{memory} <= $memory_bound, "$name: memory grows by at most $memory_bound kB");
	ok($growth{$name}{descriptors} <= $descriptor_bound, "$name: descriptors");
}
note sprintf 'volumes: %d before, %d after', $volumes, scalar(() = docker_ok('volume', 'ls', '-q') =~ /^./mg);

hxpy_finish();
