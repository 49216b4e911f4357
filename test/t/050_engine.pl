# The Docker engine down, broken, hostile, or without what it is asked for: each
# failure has its SQLSTATE, the engine's words and a hint, and leaves nothing.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('engine');
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my ($real) = docker_ok('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}') =~ m{^unix://(.*)};
$real ||= '/var/run/docker.sock';

# Every backend asks the engine anew, so each test has its own.
sub try_engine
{
	my ($host, $state, $pattern, $name, @setup) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '$host'", @setup]);
	my $result = fails($psql, q{SELECT py_eval('1')}, $state, $pattern, $name);
	like($result->{err}, qr/^DETAIL: .*^HINT: /ms, "$name: DETAIL and HINT") if $state ne '57014';
	is($psql->query('SELECT count(*) FROM py_sessions()')->{out}, '0', "$name: no session");
	# A limit that is too short for this engine may be too short for the real one, too.
	$psql->query('RESET hxpy.docker_host; RESET hxpy.docker_timeout');
	is($psql->query(q{SELECT py_eval('6 * 7')})->{out}, '42', "$name: the same backend works with the real engine");
	$psql->end;
	return $result;
}

# ---- no engine

try_engine("unix://$dir/missing", '08001', qr/could not connect to the Docker engine at "unix:.*No such file.*Start Docker/s, 'no socket');
my $dead = IO::Socket::UNIX->new(Local => "$dir/dead", Listen => 1);
close $dead;
try_engine("unix://$dir/dead", '08001', qr/Connection refused/, 'nobody listens');
my $closed = IO::Socket::UNIX->new(Local => "$dir/closed", Listen => 1);
chmod 0, "$dir/closed";
try_engine("unix://$dir/closed", '42501', qr/permission denied for the Docker engine.*HINT:.*group "docker"/s, 'no permission')
  if $> != 0;
mkdir "$dir/walled";
my $walled = IO::Socket::UNIX->new(Local => "$dir/walled/socket", Listen => 1);
chmod 0, "$dir/walled";
try_engine("unix://$dir/walled/socket", '42501', qr/permission denied for the Docker engine/, 'no permission for the directory')
  if $> != 0;
chmod 0700, "$dir/walled";
{
	my $psql = hxpy_psql($node);
	for my $host ('tcp://127.0.0.1:1', 'http://x', 'unix://', 'nonsense', '')
	{
		$psql->query("SET hxpy.docker_host = '$host'");
		my $result = $psql->query('SELECT py_open()');
		ok($result->{state} =~ /^(42501|22023)$/ && $result->{err} =~ /HINT/, "docker_host '$host'") or diag $result->{err};
	}
	$psql->end;
}

# ---- engines that misbehave

mkdir "$dir/fake";
start_engine("$dir/fake/redirect", 'fake', "$dir/fake");
wait_until(sub { 15 <= grep { -S } glob "$dir/fake/*" }, 5);
my %fake = (
	garbage => ['08\w+', qr/Docker engine/],
	half => ['08\w+', qr/Docker engine/],
	halfhead => ['08\w+', qr/Docker engine/],
	empty => ['08\w+', qr/Docker engine/],
	notjson => ['08P01', qr/could not understand the answer/],
	wrongjson => ['08P01', qr/could not understand the answer/],
	full => ['53100', qr/no space left on device.*HINT:.*docker system prune/s],
	broken => ['58000', qr/status 500: boom/],
	forbidden => ['42501', qr/status 403/],
	old => ['0A000', qr/not supported.*1\.40.*1\.41.*Upgrade Docker/s],
	noversion => ['0A000', qr/not supported/],
	unready => ['08001', qr/not ready.*status 503: starting/s],
	redirect => ['58000', qr/status 301/],
);
for my $name (sort keys %fake)
{
	my ($state, $pattern) = @{ $fake{$name} };
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = 'unix://$dir/fake/$name'"]);
	my $result = $psql->query('SELECT py_open()');
	ok($result->{state} =~ /^$state$/ && $result->{err} =~ $pattern, "engine that is $name: " . first_error($result))
	  or diag "$result->{state} $result->{err}";
	like($result->{err}, qr/^DETAIL: .*^HINT: /ms, "... with DETAIL and HINT");
	unlike($result->{err}, qr/\e/, '... and no control characters') if $name eq 'broken';
	$psql->end;
}
for my $name (qw(hang hanglater))
{
	my $host = "unix://$dir/fake/$name";
	my $result = try_engine($host, '08006', qr/did not answer in time.*within 29[0-9] ms|did not answer in time.*within 300 ms/s, "$name: hxpy.docker_timeout", q{SET hxpy.docker_timeout = '300ms'});
	ok($result->{seconds} < patience(1.3), "$name: ended in time, " . ms($result->{seconds}) . ' ms');
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '$host'"]);
	$result = fails($psql, q{SET statement_timeout = '300ms'; SELECT py_open()}, '57014', qr/statement timeout/, "$name: statement_timeout");
	ok($result->{seconds} < patience(1.3), "$name: ended in time, " . ms($result->{seconds}) . ' ms');
	$psql->query('RESET statement_timeout');
	$psql->send('SELECT py_open()');
	sleep 0.2;
	my $start = time;
	kill 'INT', $psql->pid;
	$result = fails($psql, $psql->wait, '57014', qr/user request/, "$name: cancel");
	ok($result->{ended} - $start < patience(1), "$name: cancel took " . ms($result->{ended} - $start) . ' ms');
	$psql->send('SELECT py_open()');
	sleep 0.2;
	$start = time;
	kill 'TERM', $psql->pid;
	$result = $psql->wait;
	like($result->{err}, qr/57P01/, "$name: terminate");
	ok($result->{ended} - $start < patience(1), "$name: terminate took " . ms($result->{ended} - $start) . ' ms');
	$psql->end;
}

# ---- a proxy that changes what is asked for, as an engine that ignores keys would

my $number = 0;

sub proxy
{
	my ($rule) = @_;
	my $socket = "$dir/proxy" . ++$number;
	start_engine($socket, 'proxy', $socket, $real, $rule);
	return "unix://$socket";
}

{
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy('none:') . "'"]);
	gives($psql, q{SELECT py_eval('1')}, '1', 'a proxy that changes nothing');
	$psql->end;
	ok(defined wait_gone($node, 3), '... and what it has made goes with the session');
}
for my $rule ('strip:PidsLimit', 'strip:SecurityOpt', 'strip:CapDrop', 'strip:ReadonlyRootfs', 'strip:Memory', 'strip:NanoCpus', 'strip:Ulimits', 'strip:Tmpfs',
	'strip:LogConfig', 'strip:OomScoreAdj', 'strip:NetworkMode', 'strip:MemorySwap', 'strip:AutoRemove', 'set:Privileged=true',
	'set:PidsLimit=4000', 'set:CapAdd=["SYS_ADMIN"]', 'set:SecurityOpt=["no-new-privileges"]', 'set:SecurityOpt=["no-new-privileges","seccomp=unconfined"]',
	'set:NetworkMode="host"', 'set:PidMode="host"', 'set:Binds=["/etc:/x"]', 'set:IpcMode="host"')
{
	my ($key) = $rule =~ /:(\w+)/;
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy($rule) . "'"]);
	my $result = $psql->query('SELECT py_open()');
	# An engine may refuse what is left itself.
	ok($result->{state} =~ /^(0A000|22023)$/ && $result->{err} =~ /HINT/, "refused: $rule") or diag "$result->{state} $result->{err}";
	like($result->{err}, qr/did not apply the sandbox setting "(?:$key|Memory|MemorySwap|SecurityOpt)"/, '... and named') if $result->{state} eq '0A000';
	is(scalar containers($node), 0, "... and nothing is left") or docker('rm', '-f', containers($node));
	$psql->end;
}

# ---- an engine that goes away half-way

for my $word ('/images/', '/create', '/containers/[0-9a-f]+/json', '/attach', '/start')
{
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy("dead:$word") . "'"]);
	my $result = $psql->query('SELECT py_open()');
	like($result->{state}, qr/^08\w+$/, "engine gone at $word: " . first_error($result)) or diag $result->{err};
	like($result->{err}, qr/HINT/, '... with HINT');
	$psql->query("SET hxpy.docker_host = 'unix://$real'");
	is($psql->query(q{SELECT py_eval('6 * 7')})->{out}, '42', '... and back again');
	$psql->send(q{SELECT py_exec('while True: pass')});
	sleep 0.1;
	kill 'INT', $psql->pid;
	fails($psql, $psql->wait, '57014', qr/user request/, '... and the backend can be interrupted');
	$psql->end;
	# What was made before stays until a session is opened in another backend, for its owner lived on.
	my $next = hxpy_psql($node);
	gives($next, q{SELECT py_eval('1')}, '1', '... as can others');
	$next->end;
	ok(defined wait_gone($node, 3), '... and nothing is left') or docker('rm', '-f', containers($node));
}

# ---- a slow engine: cancel and terminate while a call is under way

for my $case (['/create', 57014, 'INT', 'late'], ['/create', '57P01', 'TERM', 'late'], ['/create', 57014, 'INT'], ['/start', 57014, 'INT'], ['/containers/[0-9a-f]+/json', 57014, 'INT'], ['/create', '57P01', 'TERM'], ['/start', '57P01', 'TERM'])
{
	my ($word, $state, $signal, $rule) = @$case;
	$rule //= 'slow';
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy("$rule:$word=0.6") . "'"]);
	$psql->send('SELECT py_open()');
	sleep 0.35;
	my $start = time;
	kill $signal, $psql->pid;
	my $result = $psql->wait;
	is($result->{state}, $state, "SIG$signal while $word is $rule: " . first_error($result));
	note 'it took ' . ms($result->{ended} - $start) . ' ms';
	ok($result->{ended} - $start < patience(3), '... ends in time');
	$psql->end;
	sleep 0.8 if $rule eq 'late';
	ok(defined wait_gone($node, 3), '... and leaves nothing') or docker('rm', '-f', containers($node));
}

# ---- images that are no good

my $dies = variant_image('dies');
my $psql = hxpy_psql($node, setup => [q{SET hxpy.allowed_images = '*'}]);
fails($psql, q{SELECT py_open(image => 'nosuch:1')}, '42704', qr/has no image "nosuch:1".*HINT:.*docker pull nosuch:1/s, 'no such image');
my $result = fails($psql, "SELECT py_open(image => '$dies')", '08004', qr/ended before Python could connect.*DETAIL:.*No module named.*hxpy.*HINT/s,
	'a container that dies at once');
ok($result->{seconds} < patience(3), 'is noticed at once, ' . ms($result->{seconds}) . ' ms');
ok(defined wait_gone($node, 2), '... and leaves nothing');
is(scalar socket_dirs($node), 0, '... no directory either');
gives($psql, q{SELECT py_eval('6 * 7')}, '42', 'a good image after it');
$psql->query('SELECT py_close_all()');

# ---- directories that are no good

fails($psql, "SET hxpy.socket_directory = '$dir/no/such'; SELECT py_open()", '58P01', qr/could not create directory.*HINT/s, 'no socket directory');
mkdir "$dir/sockets", 0755;
my $shared = qr/directory ".*" cannot hold sockets.*HINT:.*hxpy.socket_directory.*0700/s;
for my $mode (0755, 0711, 0770, 0707)
{
	chmod $mode, "$dir/sockets";
	fails($psql, "SET hxpy.socket_directory = '$dir/sockets'; SELECT py_open()", 'F0000', $shared, sprintf 'a socket directory of mode %o', $mode);
}
is(scalar(my @none = glob "$dir/sockets/*"), 0, '... in which nothing is made');
chmod 0700, "$dir/sockets";
symlink "$dir/sockets", "$dir/link";
fails($psql, "SET hxpy.socket_directory = '$dir/link'; SELECT py_open()", 'F0000', $shared, 'a symbolic link');
fails($psql, "SET hxpy.socket_directory = '/usr'; SELECT py_open()", 'F0000', $shared, 'a directory of another user');
gives($psql, "SET hxpy.socket_directory = '$dir/sockets'; SELECT py_eval('6 * 7')", '42', 'another socket directory');
is(scalar(my @made = glob "$dir/sockets/*"), 1, '... is used');
$psql->query('SELECT py_close_all()');
is(scalar(@made = glob "$dir/sockets/*"), 0, '... and cleaned');

hxpy_finish();
