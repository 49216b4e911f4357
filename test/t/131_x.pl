# The pool: it fills, hands out every container once, follows the settings and the
# images, and survives what dies around it; what the launcher reaps, and what not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use List::Util qw(max);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $image = hxpy_image();
my $node = hxpy_cluster('pool', q{shared_preload_libraries = 'hxpy'}, 'wal_level = replica', 'max_connections = 100',
	'hxpy.pool_size = 2', q{hxpy.allowed_images = '*'}, 'hxpy.max_memory = 2GB', 'hxpy.max_cpus = 2');
my $cluster = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');

# Tell whether a container's id is in a list.
sub among { my ($id, @ids) = @_; return scalar grep { $_ eq $id } @ids; }

# CPU time of a process in seconds.
sub cpu_time
{
	my @field = split / /, slurp_file("/proc/$_[0]/stat") =~ s/.*\) //r;
	return ($field[11] + $field[12]) / 100;
}

# Open a session and tell of its container: "warm" when it is one of these, else "cold".
sub opened_as
{
	my ($psql, $open, @pool) = @_;
	my $result = $psql->query("SELECT py_open('s'$open)");
	return $result->{err} if $result->{state} ne '00000';
	return among(session_container($psql, 's'), @pool) ? 'warm' : 'cold';
}


my $psql = hxpy_psql($node); my $took; reconfigure($node, 'hxpy.pool_size = 4', 'hxpy.pool_starts = 3');
ok(defined wait_pool_full($node, 4), 'four containers wait');
{
	my $events = PostgreSQL::Test::Utils::tempdir() . '/events';
	my $watcher = fork // die "fork: $!";
	if ($watcher == 0)
	{
		open STDOUT, '>', $events or die $!;
		exec 'docker', 'events', '--filter', "label=hxpy.cluster=$cluster", '--filter', 'type=container',
		  '--filter', 'event=create', '--filter', 'event=start', '--filter', 'event=destroy', '--format', '{{.TimeNano}} {{.Action}} {{.ID}}';
		die "docker events: $!";
	}
	sleep 0.5;
	my @psqls = map { hxpy_psql($node) } 1 .. 50;
	my $start = time;
	$_->send(q{SELECT py_eval(py_open('burst'), '6 * 7')}) for @psqls;
	my @results = map { $_->wait } @psqls;
	note sprintf '50 sessions opened at once: the first after %s, the median after %s, the last after %s ms',
	  map { ms($_) } (sort { $a <=> $b } map { $_->{ended} - $start } @results)[ 0, 25, 49 ];
	is(scalar(grep { $_->{out} eq '42' } @results), 50, '50 sessions at once open') or diag map { $_->{err} } @results;
	my %ids = map { (session_container($_, 'burst') => 1) } @psqls;
	is(scalar keys %ids, 50, '... each has its own container');
	ok(defined wait_pool_full($node, 4), '... the pool is full again');
	kill 'TERM', $watcher;
	waitpid $watcher, 0;

	# What the engine has created and not yet started is on its way.
	my ($under_way, $most, $created) = (0, 0, 0);
	for (sort split /\n/, slurp_file($events))
	{
		my (undef, $what) = split / /;
		next if $what eq 'destroy';
		$created++ if $what eq 'create';
		$under_way += $what eq 'create' ? 1 : -1;
		$most = max($most, $under_way);
	}
	ok($created >= 50 && $most <= 3, "... never more than hxpy.pool_starts were started at once: $most of $created");
	$start = time;
	$_->end for @psqls;
	ok(wait_until(sub { only_pool($node) }, 20), '... 50 containers are gone ' . ms(time - $start) . ' ms after their sessions');
}

diag explain pool_stat($node);
diag scalar docker('ps','-a');
diag slurp_file("/proc/".launcher_pid($node)."/wchan");
my $lp = launcher_pid($node);
diag `gdb -p $lp -batch -ex bt 2>/dev/null | tail -20; ls -l /proc/$lp/fd | wc -l`;
sleep 30;
diag explain pool_stat($node);
diag slurp_file($node->logfile) =~ s/.*statement:.*\n//gr;
hxpy_finish();
