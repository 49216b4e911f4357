# kill -9 of a backend, of the launcher and of the postmaster, each while twenty
# sessions work: soon after the restart there is the pool, full, and nothing else.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $size = 4;
my $node = hxpy_cluster('killspool', q{shared_preload_libraries = 'hxpy'}, 'restart_after_crash = on',
	"hxpy.pool_size = $size", 'hxpy.pool_starts = 8', 'max_connections = 60', 'hxpy.max_total_sessions = 100');

# Open twenty sessions and let them work; three more are being opened.  Returns the
# psql processes.
sub twenty_sessions
{
	my @psqls = map { hxpy_psql($node) } 1 .. 23;
	# By number modulo 4: idle; in a loop; in C code; streaming a grid both ways.
	my @work = (
		undef,
		q{SELECT py_exec('s', E'print("ready")\nn = 0\nwhile True:\n    n += 1')},
		q{SELECT py_exec('s', 'print("ready"); sum(range(10**11))')},
		q{SELECT py_exec('s', 'print("ready")'); SELECT count(*) FROM py_apply('s', 'lambda df: df',
			'SELECT generate_series(1, 1000000000) AS i, repeat(''x'', 100) AS t') AS r(i int, t text)});

	$_->send(q{SELECT py_open('s')}) for @psqls[ 0 .. 19 ];
	my @failed = grep { $_->{state} ne '00000' } map { $_->wait } @psqls[ 0 .. 19 ];
	die "py_open: $failed[0]{err}" if @failed;
	for my $n (0 .. 19)
	{
		my $sql = $work[ $n % 4 ] // next;
		$psqls[$n]->send($sql)->wait_message(qr/ready/) or die "it does not work: $psqls[$n]{err}";
	}
	$_->send(q{SELECT py_open('late')}) for @psqls[ 20 .. 22 ];
	sleep rand() * 0.1;
	return @psqls;
}

# Tell which directories belong to no container that runs.
sub stray_directories
{
	my %uid = map { my $c = inspect($_); $c && $c->{State}{Running} ? ($c->{Config}{User} =~ s/:.*//r => 1) : () } containers($node);
	return grep { my ($uid) = m{/(\d+)$}; !defined $uid || !$uid{$uid} } socket_dirs($node);
}

my %act = (
	'a backend' => sub { kill 'KILL', $_[ int rand 20 ]->pid },
	'the launcher' => sub { kill 'KILL', launcher_pid($node) },
	'the postmaster' => sub { $node->kill9 });
for my $name (sort keys %act)
{
	for my $round (1 .. hxpy_rounds(2))
	{
		ok(defined wait_pool_full($node, $size), "$name, round $round: the pool is full");
		my @psqls = twenty_sessions();
		my ($before, $directories) = (scalar containers($node), scalar socket_dirs($node));
		my $log = log_size($node);
		my $killed = time;
		$act{$name}->(@psqls);
		if ($name eq 'the postmaster')
		{
			# Its backends end by themselves.
			wait_until(sub { !grep { kill 0, $_->pid } @psqls }, 10) or diag 'backends live on';
			start_again($node);
		}
		else
		{
			wait_restarted($node, $log) or diag 'no restart';
		}
		my $start = time;
		ok(wait_until(sub { only_pool($node) && pool_stat($node)->{ready} == $size }, 10), '... within 10 s of the restart there is the pool and nothing else')
		  or diag scalar docker('ps', '-a', '--filter', 'name=hxpy-');
		my $took = time - $start;
		my @stray = stray_directories();
		is("@stray", '', '... and no directory without a container');
		my $text = sprintf '%s killed, round %d: before %d containers, %d directories; %.1f s for the restart; %.1f s after it %d containers, %d directories, %d ready, %d stray',
		  $name, $round, $before, $directories, $start - $killed, $took, scalar containers($node), scalar socket_dirs($node),
		  pool_stat($node)->{ready}, scalar @stray;
		note $text;
		diag $text if $ENV{HARNESS_ACTIVE};
		$_->end for @psqls;
	}
}
my $psql = hxpy_psql($node);
gives($psql, q{SELECT py_eval('6 * 7')}, '42', 'sessions work');
$psql->end;

hxpy_finish();
