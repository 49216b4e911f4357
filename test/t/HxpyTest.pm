# HxpyTest.pm: what the TAP tests of hxpy share.
#
# A test makes its cluster with hxpy_cluster, talks to it through psql processes
# whose messages it can read while a statement runs (HxpyTest::Psql), and ends with
# hxpy_finish, which checks that no container and no socket directory is left; of a
# cluster with a launcher (shared_preload_libraries) before its stop nothing but the pool.
# A test that dies half-way is checked and cleaned by the END block.

package HxpyTest;

use strict;
use warnings FATAL => 'all';

use Carp;
use Exporter 'import';
use JSON::PP ();
use List::Util qw(max min);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(
  hxpy_cluster hxpy_finish hxpy_psql hxpy_rounds hxpy_image
  containers socket_dirs wait_until wait_gone docker docker_ok
  gives fails first_error median ms patience freeze variant_image label_image tag_image
  start_engine start_process stop_process our_image make_network
  hxpy_standby ask pool_stat pool_containers wait_pool_full launcher_pid reconfigure
  start_again wait_restarted inspect session_container only_pool log_size log_after process_start
);

my %cluster_id;        # by the node's name
my @nodes;
my @psqls;
my @images;            # to be removed
my @processes;         # pids of fake engines and others
my @networks;          # made by make_network
my $owner = $$;        # END blocks run in forked children, too

# The image under test: hxpy.control's version.
sub hxpy_image
{
	my ($version) = slurp_file("$ENV{HXPY_TOP}/hxpy.control") =~ /default_version *= *'(.*)'/
	  or die "no default_version";
	return "hxpy:$version";
}

# How often to do what is usually done $count times.
sub hxpy_rounds
{
	my ($count) = @_;
	return int($count * ($ENV{HXPY_TEST_ROUNDS} // 1) + 0.5) || 1;
}

# Make and start a cluster with the extension, the role hxpy_user, which may
# use Python, and its member "alice".
sub hxpy_cluster
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	push @nodes, $node;
	$node->init(allows_streaming => scalar grep { /^wal_level/ } @settings);
	# Each print is a message: how many come within a time is chance.
	$node->append_conf('postgresql.conf', join("\n", 'hxpy.output_delay = 0', @settings, ''));
	$node->start;
	$node->safe_psql(
		'postgres', q{
		CREATE EXTENSION hxpy;
		CREATE ROLE hxpy_user NOLOGIN;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO hxpy_user;
		CREATE ROLE alice LOGIN IN ROLE hxpy_user;
		CREATE ROLE bob LOGIN IN ROLE hxpy_user;
		CREATE ROLE nobody LOGIN;});
	$cluster_id{$name} =
	  $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
	return $node;
}

# Make and start a standby of a running cluster, on the same engine.
sub hxpy_standby
{
	my ($primary, $name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	push @nodes, $node;
	$cluster_id{$name} = $cluster_id{ $primary->name };
	$primary->backup('hxpy');
	$node->init_from_backup($primary, 'hxpy', has_streaming => 1);
	$node->start;
	return $node;
}

# Change settings of a running cluster.
sub reconfigure
{
	my ($node, @settings) = @_;
	$node->append_conf('postgresql.conf', join("\n", @settings, ''));
	$node->reload;
}

# Start a server again that was killed: its processes may still be about to end.
sub start_again
{
	my ($node) = @_;
	wait_until(sub { $node->{_pid} = undef; $node->start(fail_ok => 1) }, 20) or die $node->name . ' does not start';
}

# Run the docker client; returns its output, in list context (output, status).
sub docker
{
	my @command = ('docker', @_);
	open(my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command) or die "docker: $!";
	local $/;
	my $output = <$pipe> // '';
	close $pipe;
	my $status = $? >> 8;
	$output =~ s/\s+\z//;
	return wantarray ? ($output, $status) : $output;
}

# Run the docker client, which must succeed.
sub docker_ok
{
	my ($output, $status) = docker(@_);
	croak "docker @_: $output" if $status;
	return $output;
}

# Return the ids of a cluster's containers, running or not; of one session by name.
sub containers
{
	my ($node, $session) = @_;
	my @filter = ('--filter', 'label=hxpy.cluster=' . $cluster_id{ $node->name });
	push @filter, '--filter', "label=hxpy.session=$session" if defined $session;
	return split /\n/, docker_ok('ps', '-aq', '--no-trunc', @filter);
}

# Describe a container or an image as the engine does; undef when there is none.
sub inspect
{
	my ($id) = @_;
	my ($output, $status) = docker('inspect', $id);
	return $status ? undef : JSON::PP::decode_json($output)->[0];
}

# Return the id of the container of a session that a psql process has open.
sub session_container
{
	my ($psql, $session) = @_;
	my $id = $psql->query("SELECT container FROM py_sessions() WHERE session = '$session'")->{out};
	return docker_ok('inspect', '--format', '{{.Id}}', $id);
}

# Return what names a process for ever besides its pid: its start, in clock ticks.
sub process_start
{
	my ($pid) = @_;
	open(my $file, '<', "/proc/$pid/stat") or return '';
	my ($rest) = <$file> =~ /.*\) (.*)/ or return '';
	return (split / /, $rest)[19];
}

# Return the ids of the containers that a running server's launcher has started, those
# that sessions have taken, too; of a standby on the same engine they are not its.
sub pool_containers
{
	my ($node) = @_;
	my $pid = $node->{_pid};
	return split /\n/, docker_ok('ps', '-aq', '--no-trunc',
		'--filter', 'label=hxpy.cluster=' . $cluster_id{ $node->name },
		'--filter', "label=hxpy.postmaster=$pid:" . process_start($pid),
		'--filter', 'label=hxpy.pool=1');
}

# Ask a server that may be about to crash or to start; returns undef when it does not answer.
# psql() itself dies when psql has ended before it could be written to.
sub ask
{
	my ($node, $sql) = @_;
	my ($status, $out) = eval { $node->psql('postgres', $sql) };
	return defined $status && $status == 0 ? $out : undef;
}

# Wait until a server that crashes has restarted; its log ended at $log before.  A server
# that answers need not have noticed yet that a backend was killed.
sub wait_restarted
{
	my ($node, $log) = @_;
	return wait_until(sub { log_after($node, $log) =~ /database system is ready to accept connections/ && defined ask($node, 'SELECT 1') }, 60);
}

# Return what hxpy_stat_pool tells of an image, as a hash; undef when the server is not there.
sub pool_stat
{
	my ($node, $image) = @_;
	$image //= hxpy_image();
	my $out = ask($node, "SELECT row_to_json(p) FROM hxpy_stat_pool p WHERE image = '$image'");
	return $out ? JSON::PP::decode_json($out) : undef;
}

# Wait until the pool has so many containers of an image ready, and no other wish;
# returns the seconds it took, or undef.
sub wait_pool_full
{
	my ($node, $count, $image, $seconds) = @_;
	my $start = time;
	return wait_until(
		sub {
			my $stat = pool_stat($node, $image);
			$stat && $stat->{wanted} == $count && $stat->{ready} == $count && $stat->{starting} == 0;
		}, $seconds // 30) ? time - $start : undef;
}

# Return the launcher's process id, '' when there is none.
sub launcher_pid
{
	my ($node) = @_;
	return ask($node, q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'hxpy launcher'}) // '';
}

# Tell whether a cluster's containers and directories are those of its idle pool, no more.
sub only_pool
{
	my ($node) = @_;
	my $out = ask($node, 'SELECT coalesce(sum(ready), 0), coalesce(sum(starting), 0) FROM hxpy_stat_pool');
	return 0 if !defined $out;
	my ($ready, $starting) = split /\|/, $out;
	return $starting == 0 && containers($node) == $ready && socket_dirs($node) == $ready;
}

# Where the server's log ends now, and what has come since such a place.
sub log_size { return -s $_[0]->logfile // 0; }
sub log_after { return slurp_file($_[0]->logfile, $_[1]); }

# Return what is in the cluster's directory of sockets.
sub socket_dirs
{
	my ($node) = @_;
	my @paths = glob($node->data_dir . '/pgsql_tmp_hxpy/*');
	return @paths;
}

# How long something may take that takes no more than this on a machine of its own: while
# others want the processors, too, each gets its share of them only.
sub patience
{
	my ($seconds) = @_;
	my ($load) = slurp_file('/proc/loadavg') =~ /^(\S+)/;
	my $processors = () = slurp_file('/proc/cpuinfo') =~ /^processor/mg;
	return $seconds * max(1, min(10, $load / max(1, $processors)));
}

# Freeze a container; the engine gives that up after a moment when the machine is busy.
sub freeze
{
	my ($id) = @_;
	my ($output, $status);
	wait_until(sub { ($output, $status) = docker('pause', $id); $status == 0 }, 10) or croak $output;
}

# Call until it returns something true, which is returned; false after a time.
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = time + patience($seconds);

	for (;;)
	{
		my $result = $condition->();
		return $result if $result;
		return 0 if time > $end;
		sleep 0.02;
	}
}

# Wait until no container of the cluster is left; returns the seconds it took, or undef.
sub wait_gone
{
	my ($node, $seconds) = @_;
	my $start = time;
	return wait_until(sub { !containers($node) }, $seconds // 5) ? time - $start : undef;
}

# The middle value of a list.
sub median
{
	my @sorted = sort { $a <=> $b } @_;
	return @sorted ? $sorted[ $#sorted / 2 ] : 'none';
}

# Seconds as milliseconds to print.
sub ms
{
	return join ' ', map { /^[\d.e-]+$/ ? sprintf('%.1f', $_ * 1000) : $_ } @_;
}

# Start psql on a cluster: see HxpyTest::Psql.
sub hxpy_psql
{
	my ($node, %options) = @_;
	my $psql = HxpyTest::Psql->new($node, %options);
	push @psqls, $psql;
	return $psql;
}

# Check that a statement succeeds with this output.
sub gives
{
	my ($psql, $sql, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $psql->query($sql);
	my $ok = is($result->{state} eq '00000' ? $result->{out} : $result->{err}, $expected, $name // $sql);
	diag "messages: $result->{err}" if !$ok && $result->{err};
	return $ok;
}

# Check that a statement fails with this SQLSTATE and messages that match; returns the result.
sub fails
{
	my ($psql, $sql, $state, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = ref $sql ? $sql : $psql->query($sql);
	my $ok = $result->{state} eq $state && $result->{err} =~ $pattern;
	ok($ok, $name) or diag "expected $state, $pattern; got $result->{state}: $result->{err}\n$result->{out}";
	return $result;
}

# Return the first line of a result's error.
sub first_error
{
	my ($result) = @_;
	return $result->{err} =~ /^((?:ERROR|FATAL):.*)$/m ? $1 : "none ($result->{out})";
}

# Make an image that lacks the package ("dies"), one whose Python never connects ("sleeps"),
# or one that runs a program of test/t in its place ("hostile", "impostor").
sub variant_image
{
	my ($variant) = @_;
	my $name = "hxpytest:$variant-$$";
	my $program = "$ENV{HXPY_TOP}/test/t/$variant.py";
	my %change = (
		dies => q{import hxpy, shutil; shutil.rmtree(hxpy.__path__[0])},
		sleeps => q{import hxpy, shutil; shutil.rmtree(hxpy.__path__[0] + '/__pycache__', True); open(hxpy.__path__[0] + '/__main__.py', 'w').write('import time\ntime.sleep(600)\n')},
		program => q{import hxpy, os, shutil; shutil.rmtree(hxpy.__path__[0]); shutil.copytree('/hostile', hxpy.__path__[0]); os.chmod(hxpy.__path__[0], 0o755); os.chmod(hxpy.__path__[0] + '/__main__.py', 0o644)});
	my $run = join ', ', map { my $s = $_; $s =~ s/(["\\])/\\$1/g; qq{"$s"} } '/usr/bin/python3',
	  '-I', '-c', $change{ -e $program ? 'program' : $variant };
	my $dir = PostgreSQL::Test::Utils::tempdir();

	append_to_file("$dir/__main__.py", slurp_file($program)) if -e $program;
	build_image($name, $dir, 'USER 0', -e $program ? 'COPY __main__.py /hostile/' : (), "RUN [$run]");
	return $name;
}

# Build an image on top of ours, in a directory that holds what it copies.
sub build_image
{
	my ($name, $dir, @lines) = @_;
	append_to_file("$dir/Dockerfile", join("\n", 'FROM ' . hxpy_image(), @lines, ''));
	local $ENV{DOCKER_BUILDKIT} = docker('buildx', 'version') =~ /^github/ ? 1 : 0;
	local $ENV{DOCKER_CONFIG} = $dir;
	my ($output, $status) = docker('build', '-q', '--force-rm', '--network', 'none', '-t', $name, $dir);
	die "docker build: $output" if $status;
	push @images, $name;
}

# Give our image another name; removed at the test's end.
sub tag_image
{
	my ($name) = @_;
	docker_ok('tag', hxpy_image(), $name);
	push @images, $name;
}

# Give a name to an image that is ours but for a label, as one that was built anew.
sub label_image
{
	my ($name, $label) = @_;
	build_image($name, PostgreSQL::Test::Utils::tempdir(), "LABEL hxpytest=$label");
}

# Have an image removed at the end; returns its name.
sub our_image
{
	my ($name) = @_;
	push @images, $name;
	return $name;
}

# Start a program, which is killed at the end; returns its pid when $ready is true.
sub start_process
{
	my ($ready, @command) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		exec @command;
		die "$command[0]: $!";
	}
	push @processes, $pid;
	wait_until($ready, 10) or die "not ready: @command";
	return $pid;
}

# Kill such a program now.
sub stop_process
{
	my ($pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	@processes = grep { $_ != $pid } @processes;
}

# Start a program that listens on Unix sockets; returns when the socket $wait is there.
sub start_engine
{
	my ($wait, @arguments) = @_;
	return start_process(sub { -S $wait }, '/usr/bin/python3', "$ENV{HXPY_TOP}/test/t/engine.py", @arguments);
}

# End what the test has started.
sub stop_all
{
	$_->end for @psqls;
	@psqls = ();
	stop_process($processes[0]) while @processes;
}

# Make a network of Docker's, which the test's end removes; returns its name.
sub make_network
{
	my ($name, @options) = @_;
	docker_ok('network', 'create', @options, $name);
	push @networks, $name;
	return $name;
}

# Remove the images and networks that the test has made.
sub remove_made
{
	docker('rmi', '-f', @images) if @images;
	@images = ();
	docker('network', 'rm', @networks) if @networks;
	@networks = ();
}

# End a test: nothing may be left of it.
sub hxpy_finish
{
	stop_all();
	for my $node (@nodes)
	{
		if (defined $node->{_pid} && launcher_pid($node))
		{
			ok(wait_until(sub { only_pool($node) }, 15), $node->name . ': nothing but the pool is left')
			  or diag scalar docker('ps', '-a', '--filter', 'label=hxpy.cluster=' . $cluster_id{ $node->name });
			$node->stop;
		}
		ok(defined wait_gone($node, 5), $node->name . ': no container is left');
		ok(wait_until(sub { !socket_dirs($node) }, 2), $node->name . ': no socket directory is left')
		  or diag join ' ', socket_dirs($node);
		$node->stop if defined $node->{_pid};
	}
	remove_made();
	done_testing();
}

# What a test dies of goes to its log, which is removed with the directory: tell it here, too.
$SIG{__DIE__} = sub { diag "died: $_[0]" if defined $^S && !$^S && $$ == $owner; };

# Clean up after a test that did not come to its end; what is left makes it fail.
END
{
	if ($$ == $owner)
	{
		my $status = $?;
		local ($@, $!);

		if ($status)
		{
			for my $node (@nodes)
			{
				my @lines = eval { split /\n/, slurp_file($node->logfile) };
				diag join "\n", $node->name . "'s log ends:", @lines > 40 ? @lines[ -40 .. -1 ] : @lines;
			}
		}
		eval { stop_all() };
		for my $node (@nodes)
		{
			eval { $node->stop('immediate') if defined $node->{_pid}; };
			my @left;
			eval { @left = containers($node) unless defined wait_gone($node, 5); };
			next if !@left;
			diag "containers left behind and removed: @left";
			docker('rm', '-f', @left);
			$status ||= 1;
		}
		eval { remove_made() };
		$? = $status;
	}
}

# ---------------------------------------------------------------------------
# A psql process.  query() returns a hash:
#	out      what it printed
#	err      messages, with SQLSTATEs
#	state    SQLSTATE of the (last) statement, '' when the connection was lost
#	seconds  how long it took
#	ended    when it ended

package HxpyTest::Psql;

use strict;
use warnings FATAL => 'all';

use Carp;
use IO::Select;
use IPC::Open3;
use POSIX ':sys_wait_h';
use Symbol 'gensym';
use Time::HiRes qw(time sleep);

# Seconds that any one statement may take: more than hxpy.open_timeout and what undoes an
# open, so that hxpy's own error is seen and tells the reason.
our $DEADLINE = 90;

# Connect; options are user, dbname, and options for psql.
sub new
{
	my ($class, $node, %options) = @_;
	my $connection = $node->connstr($options{dbname} // 'postgres');
	$connection .= " user=$options{user}" if $options{user};
	my @command = ('psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=always', '-d', $connection);
	my $self = bless { count => 0, out => '', err => '', stderr => gensym }, $class;

	$self->{process} = open3($self->{in}, $self->{stdout}, $self->{stderr}, @command);
	$self->{select} = IO::Select->new($self->{stdout}, $self->{stderr});
	$self->{pid} = $self->must('SELECT pg_backend_pid()');
	$self->must($_) for @{ $options{setup} // [] };
	return $self;
}

# The process id of the backend.
sub pid { return $_[0]->{pid}; }

# Send a statement without waiting.
sub send
{
	my ($self, $sql) = @_;
	my $n = ++$self->{count};
	local $SIG{PIPE} = 'IGNORE';

	$sql =~ s/;\s*$//;
	$self->{out} = $self->{err} = '';
	$self->{started} = time;
	# psql may have gone; what is kept in a buffer would be written again, and fail, at its close.
	syswrite $self->{in}, "$sql;\n\\echo <<$n> :SQLSTATE\n\\warn <<$n>\n";
	return $self;
}

# Read what is there; false at the end of both streams, or when nothing came in time.
sub pump
{
	my ($self, $seconds) = @_;

	return 0 unless $self->{select}->count;
	my @ready = $self->{select}->can_read($seconds);
	for my $handle (@ready)
	{
		my $name = $handle == $self->{stdout} ? 'out' : 'err';
		my $count = sysread $handle, $self->{$name}, 65536, length $self->{$name};
		$self->{select}->remove($handle) if !$count;
	}
	return scalar @ready;
}

# Wait until a message matches while the statement runs; false when it ended without.
sub wait_message
{
	my ($self, $pattern, $seconds) = @_;
	my $end = time + ($seconds // $DEADLINE);
	my $n = $self->{count};

	until ($self->{err} =~ $pattern)
	{
		return 0 if $self->{err} =~ /^<<$n>\n/m || time > $end;
		return 0 if !$self->{select}->count;
		$self->pump($end - time);
	}
	return 1;
}

# Tell whether the statement has ended, without waiting.
sub is_done
{
	my ($self) = @_;
	my $n = $self->{count};
	$self->pump(0);
	return $self->{err} =~ /^<<$n>\n/m || !$self->{select}->count;
}

# Wait for the statement's end.
sub wait
{
	my ($self, $seconds) = @_;
	my $n = $self->{count};
	my $end = time + ($seconds // $DEADLINE);

	# psql goes on after an error that has no SQLSTATE: the end of its connection.
	until ($self->{out} =~ /^<<$n> \w*\n/m && $self->{err} =~ /^<<$n>\n/m)
	{
		last unless $self->{select}->count;
		croak "statement $n did not end: $self->{err}" if time > $end;
		$self->pump($end - time);
	}
	my $ended = time;
	my ($out, $err) = @{$self}{qw(out err)};
	my $state = $out =~ s/^<<$n> (\w*)\n//m ? $1 : '';
	$err =~ s/^<<$n>\n//m;
	chomp($out, $err);
	return { out => $out, err => $err, state => $state,
		seconds => $ended - $self->{started}, ended => $ended };
}

# Run a statement to its end.
sub query
{
	my ($self, $sql, $seconds) = @_;
	return $self->send($sql)->wait($seconds);
}

# Run a statement that the test builds on; returns what it printed.
sub must
{
	my ($self, $sql) = @_;
	my $result = $self->query($sql);
	croak "$sql: $result->{state} $result->{err}" if $result->{state} ne '00000';
	return $result->{out};
}

# Disconnect, and wait for psql's end; whatever happens it is gone then.
sub end
{
	my ($self) = @_;
	my $process = delete $self->{process} or return;
	local $SIG{PIPE} = 'IGNORE';

	close $self->{in};
	for (1 .. 250)
	{
		return if waitpid($process, WNOHANG) != 0;
		sleep 0.02;
	}
	kill 'KILL', $process;
	waitpid $process, 0;
	return;
}

1;
