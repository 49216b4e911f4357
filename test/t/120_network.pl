# Sessions with a network: which ones are allowed, the sandbox, the key and its proof
# against strangers in the network and against the container itself, and all that
# sessions do, over TCP.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $network = make_network("hxpytest-$$", '--internal');
my $open = make_network("hxpytest-$$-open");
my $node = hxpy_cluster('network', q{hxpy.allowed_networks = 'hxpytest-*, missing'},
	'hxpy.max_sessions = 16', 'log_statement = all');
my $psql = hxpy_psql($node);

# What the engine says of the container of a session.
sub inspect_session
{
	my ($session) = @_;
	return decode_json(docker_ok('inspect', containers($node, $session)))->[0];
}

# ---- a peer that is gone without a word; looked after at the end

my $gone = hxpy_psql($node);
$gone->must("SELECT py_timeout(py_open('gone', network => '$network'), '5 min')");
my ($gone_id) = containers($node, 'gone');
$gone->send(q{SELECT py_exec('gone', 'import time; time.sleep(250)')});
docker_ok('network', 'disconnect', '-f', $network, $gone_id);
my $gone_since = time;

# ---- which networks

my $alice = hxpy_psql($node, user => 'alice');
fails($alice, q{SELECT py_open('x', network => 'bridge')}, '42501', qr/network "bridge" is not allowed.*DETAIL:.*"hxpytest-\*, missing".*HINT/s, 'a network that is not on the list');
fails($alice, q{SELECT py_open('x', network => 'missing')}, '42704', qr/has no network "missing".*HINT:.*docker network create/s, 'one that is not there');
fails($alice, q{SET hxpy.allowed_networks = '*'}, '42501', qr/permission denied/, 'the list is for superusers');
fails($alice, q{SET hxpy.publish_address = '127.0.0.1'}, '42501', qr/permission denied/, 'the address, too');
my $id = docker_ok('network', 'inspect', '--format', '{{.Id}}', $network);
{
	my $all = hxpy_psql($node, setup => [q{SET hxpy.allowed_networks = '*'}]);
	fails($all, "SELECT py_open('x', network => '$_')", '42501', qr/is not allowed.*HINT/s, "never $_") for 'host', 'default', "container:$gone_id";
	fails($all, "SELECT py_open('x', network => '$id')", '42704', qr/has no network/, 'not by its id');
	fails($all, "SELECT py_open('x', network => '" . substr($id, 0, 12) . "')", '42704', qr/has no network/, 'nor by the beginning of that');
	gives($all, q{SELECT py_open('x', network => 'none'), py_open('x')}, 'x|x', 'none is always allowed');
	$all->query(q{SELECT py_close('x')});
	$all->end;
}
$alice->must("SET hxpy.network = '$network'");
gives($alice, q{SELECT py_eval('6 * 7')}, '42', 'hxpy.network, for the default session');
is(inspect_session('default')->{HostConfig}{NetworkMode}, $network, '... is its network');
gives($alice, "SELECT py_open('default', network => '$network')", 'default', 'the same network again');
fails($alice, q{SELECT py_open('default', network => 'none')}, '42710', qr/open with another network/, 'another network');
$alice->query('SELECT py_close_all()');
$alice->end;

# ---- the container

$psql->must(qq{SELECT py_open('s', network => '$network'), py_open('plain')});
my $with = inspect_session('s');
my $without = inspect_session('plain');
my $json = JSON::PP->new->canonical->allow_nonref;
is($with->{HostConfig}{NetworkMode}, $network, 'NetworkMode');
is(join(',', keys %{ $with->{NetworkSettings}{Networks} }), $network, 'in no other network');
ok(!$with->{Config}{NetworkDisabled}, 'NetworkDisabled is not set');
is($json->encode($with->{HostConfig}{PortBindings} // {}), '{}', 'nothing is published');
is(scalar @{ $with->{Mounts} }, 1, 'one mount');
is("$with->{Mounts}[0]{Type} $with->{Mounts}[0]{Destination}", 'volume /run/hxpy', 'of a volume for the key');
my $volume = $with->{Mounts}[0]{Name};
isnt($with->{Config}{User}, $without->{Config}{User}, 'a user of its own');
my ($uid) = $with->{Config}{User} =~ /^(\d+)/;
ok(-d $node->data_dir . "/pgsql_tmp_hxpy/$uid", '... which the server has claimed');
my ($seccomp) = map { decode_json(s/^seccomp=//r) } $with->{HostConfig}{SecurityOpt}[1];
my $profile = decode_json(slurp_file("$ENV{HXPY_TOP}/docker/seccomp.json"));
my @added = splice @{ $seccomp->{syscalls} }, scalar @{ $profile->{syscalls} };
is($json->encode($seccomp), $json->encode($profile), 'the seccomp profile, and more at its end');
is(join(' ', map { my $rule = $_; join '', @{ $rule->{names} }, map { ',' . ($_->{valueTwo} // $_->{value}) } @{ $rule->{args} } } @added),
	join(' ', map { my $family = $_; map { "socket,$family,$_" } '1,0', '1,6', '2,0', '2,17' } 2, 10), '... namely TCP and UDP of two families');
for my $key (sort keys %{ $with->{HostConfig} })
{
	next if $key =~ /^(?:NetworkMode|Mounts|SecurityOpt)$/;
	is($json->encode($with->{HostConfig}{$key}), $json->encode($without->{HostConfig}{$key}), "as without a network: $key");
}
is($json->encode($with->{Config}{$_}), $json->encode($without->{Config}{$_}), "as without a network: $_") for qw(Env Entrypoint Cmd Volumes ExposedPorts);

# ---- what code in the session can do

gives($psql, q{SELECT py_eval('s', $$__import__('json').loads(__import__('json').dumps(check()))$$) FROM py_exec('s', $$
import os, socket
def attempt(f):
    try:
        f()
        return True
    except OSError:
        return False
KEY = '/run/hxpy/key'
def check():
    tries = {
        'create': lambda: open('/run/hxpy/x', 'w'),
        'write': lambda: open(KEY, 'r+b'),
        'append': lambda: open(KEY, 'ab'),
        'chmod': lambda: os.chmod(KEY, 0o660),
        'chown': lambda: os.chown(KEY, os.getuid(), os.getgid()),
        'unlink': lambda: os.unlink(KEY),
        'rename': lambda: os.rename(KEY, '/run/hxpy/y'),
        'link': lambda: os.link(KEY, '/run/hxpy/y'),
        'mkdir': lambda: os.mkdir('/run/hxpy/y'),
        'chmod directory': lambda: os.chmod('/run/hxpy', 0o777),
        'truncate': lambda: os.truncate(KEY, 0),
        'utime': lambda: os.utime(KEY, (1, 1)),
        'setxattr': lambda: os.setxattr(KEY, 'user.x', b'x'),
        'packet': lambda: socket.socket(17, socket.SOCK_RAW),
        'netlink': lambda: socket.socket(16, socket.SOCK_RAW),
        'vsock': lambda: socket.socket(40, socket.SOCK_STREAM),
        'alg': lambda: socket.socket(38, 5),
        'raw': lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        'pair': lambda: socket.socketpair(socket.AF_INET),
        'mptcp': lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
        'udplite': lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 136),
        'icmp': lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1),
        'icmp6': lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 58),
        'sctp': lambda: socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, 132),
        'supervisor': lambda: open('/proc/1/environ').read(),
    }
    return [name for name, f in tries.items() if attempt(f)] + [
        attempt(lambda: socket.socket(family, kind).close())
        for family in (1, 2, 10) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)] + [
        attempt(lambda: socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol).close())
        for family in (2, 10) for kind, protocol in ((socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 17))]
$$)}, '[true, true, true, true, true, true, true, true, true, true]', 'no change of the key, no sockets but Internet and Unix ones');
gives($psql, q{SELECT py_eval('s', $$[oct(os.stat(p).st_mode & 0o7777) + ' ' + str(os.stat(p).st_uid) for p in ('/run/hxpy', KEY)] + os.listdir('/run/hxpy')$$)},
	'["0o755 0", "0o440 0", "key"]', 'directory and key are root\'s');
gives($psql, q{SELECT py_eval('s', $$[line.split()[1] for f in ('tcp', 'tcp6') for line in open('/proc/1/net/' + f) if ':1EBC' in line.split()[1] and line.split()[3] == '0A']$$)},
	'[]', 'nobody listens any more');
fails($psql, q{SELECT py_eval('plain', $$__import__('socket').socket(2)$$)}, '38000', qr/PermissionError/, 'without a network there are no such sockets');

# ---- the key is known to nobody else

my $key = pack 'H*', $psql->must(q{SELECT py_eval('s', 'open(KEY, "rb").read().hex()')::text}) =~ s/"//gr;
is(length $key, 32, 'a key of 32 bytes');
my $process = docker_ok('inspect', '--format', '{{.State.Pid}}', $with->{Id});
my %place = (
	inspect => docker_ok('inspect', $with->{Id}),
	'the volume' => docker_ok('volume', 'inspect', $volume),
	'the output' => docker_ok('logs', $with->{Id}),
	'the command lines' => join(' ', map { slurp_file($_) } grep { -r } glob("/proc/$process/cmdline"), '/proc/' . $psql->pid . '/cmdline'),
	'the variables' => $psql->must(q{SELECT py_eval('s', 'dict(os.environ)')}),
);
# The log has the statements of the test, and the answer above went to the client only.
$place{'the server log'} = slurp_file($node->logfile);
for my $place (sort keys %place)
{
	my @found = grep { index(lc $place{$place}, lc $_) >= 0 } unpack('H*', $key), substr(unpack('H*', $key), 0, 16), encode_base64($key, ''), $key, substr($key, 0, 8);
	is(scalar @found, 0, "the key is not in $place");
}
gives($psql, "SELECT py_open('s2', network => '$network')", 's2', 'another session');
isnt($psql->must(q{SELECT py_eval('s2', 'open("/run/hxpy/key", "rb").read().hex()')::text}) =~ s/"//gr, unpack('H*', $key), '... has another key');

# ---- the main path

gives($psql, q{SELECT py_eval(py_exec(py_define(py_define(py_timeout('s', '1 min'), 'a', 100), 'b', 2),
               'def mult(x, y): return x * y'), 'mult(a, b)')}, '200', 'define, exec, eval');
like($psql->query(q{SELECT py_exec('s', $$print('one'); os.system('echo two'); print('three')$$)})->{err}, qr/one.*two.*three/s, 'output, in its order');
fails($psql, q{SELECT py_eval('s', '1 / 0')}, '38000', qr/ZeroDivisionError/, 'errors');
gives($psql, q{SELECT py_define_grid('s', 'g', 'SELECT i, i * 0.5::float8 AS f, md5(i::text) AS t FROM generate_series(1, 300000) i'), py_eval('s', '[len(g), float(g.to_dataframe().f.sum())]')},
	's|[300000, 22500075000.0]', 'a big table in');
gives($psql, q{SELECT count(*), sum(i), count(DISTINCT t) FROM py_eval_grid('s', 'g') AS r(i int, f float8, t text)}, '300000|45000150000|300000', '... and out');
gives($psql, q{SELECT sum(b) FROM py_apply('s', 'lambda d: d * 2', 'SELECT i AS b FROM generate_series(1, 200000) i') AS r(b bigint)}, '40000200000', 'a stream both ways');
gives($psql, q{SELECT length(py_eval('s', 'bytes(64 << 20)', NULL::bytea)), py_define('s', 'x', repeat('x', 40000000)), py_eval('s', 'len(x)')}, '67108864|s|40000000', 'large values');
gives($psql, q{SELECT count(*) FROM (SELECT * FROM py_eval_grid('s', '({"i": i} for i in range(10**9))') AS r(i int) LIMIT 10) s}, '10', 'LIMIT stops a stream');
gives($psql, q{SELECT count(*) FROM generate_series(1, 200) i WHERE py_eval('s', i::text) = to_jsonb(i)}, '200', 'many small requests');

my $other = hxpy_psql($node);
$other->must("SELECT py_exec(py_open('s', network => '$network'), 'x = 0')");
$other->send(q{SELECT count(*) FROM generate_series(1, 500) WHERE (py_eval(py_exec('s', 'x += 1'), 'x') > '0')});
gives($psql, q{SELECT count(*) FROM generate_series(1, 500) i WHERE py_eval('s', i::text) = to_jsonb(i)}, '500', 'two sessions at once');
is($other->wait->{out}, '500', '... both of them');

# ---- cancel and timeouts

for my $code ('while True: pass', 'import time; time.sleep(100)')
{
	$psql->send("SELECT py_exec('s', E'print(\"ready\")\\n$code')")->wait_message(qr/ready/);
	my $start = time;
	kill 'INT', $psql->pid;
	my $result = fails($psql, $psql->wait, '57014', qr/keeps its variables/, "cancel: $code");
	note 'it took ' . ms($result->{ended} - $start) . ' ms';
	ok($result->{ended} - $start < patience(2), '... in time');
}
fails($psql, q{SELECT py_timeout('s', '200 ms'), py_exec('s', 'while True: pass')}, '57014', qr/py_timeout/, 'a timeout');
gives($psql, q{SELECT py_timeout('s', NULL), py_eval('s', 'mult(a, 3)')}, 's|300', 'the session lives on');

# ---- deaths

fails($psql, q{SELECT py_exec('s2', 'import os; os.kill(os.getpid(), 9)')}, '08006', qr/terminated by SIGKILL/, 'Python is killed');
fails($psql, q{SELECT py_open('s2', memory => '256MB', network => '} . $network . q{'), py_exec('s2', 'x = bytearray(b"x") * (1 << 30)')}, '08006', qr/out of memory/, 'out of memory');
$psql->must("SELECT py_open('s2', network => '$network')");
docker_ok('kill', containers($node, 's2'));
fails($psql, q{SELECT py_eval('s2', '1')}, '08006', qr/was lost/, 'the container is killed');
$psql->must("SELECT py_open('s2', network => '$network', timeout => '1 min')");
$psql->send(q{SELECT py_exec('s2', 'import time; time.sleep(50)')});
sleep 0.3;
docker_ok('rm', '-f', '-v', containers($node, 's2'));
my $result = fails($psql, $psql->wait, '08006', qr/was lost/, 'the container is removed under a request');
ok($result->{seconds} < patience(10), '... which is noticed, ' . ms($result->{seconds}) . ' ms');
kill 'TERM', $other->pid;
ok(wait_until(sub { 1 == containers($node, 's') }, 5), 'a backend that ends takes its container along');
$other->end;

# ---- strangers in the network: another session, whose code knocks at every door, while a
# slow engine makes containers listen long before the server comes

my ($real) = docker_ok('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}') =~ m{^unix://(.*)};
$real ||= '/var/run/docker.sock';
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $number = 0;

# Return the address of a proxy before the engine that obeys a rule (engine.py).
sub proxy
{
	my ($rule) = @_;
	my $socket = "$dir/" . ++$number;
	start_engine($socket, 'proxy', $socket, $real, $rule);
	return "unix://$socket";
}

my $stranger = hxpy_psql($node);
$stranger->must("SELECT py_timeout(py_open('stranger', network => '$network'), '5 min')");
$stranger->must(q{SELECT py_exec('stranger', $$
import os, socket, struct, threading, time
from collections import Counter
$$)});
my $base = inspect_session('stranger')->{NetworkSettings}{Networks}{$network}{IPAddress};
my ($prefix, $last) = $base =~ /^(.*\.)(\d+)$/;
$stranger->must("SELECT py_define('stranger', 'prefix', '$prefix'), py_define('stranger', 'last', $last)");
$stranger->must(q{SELECT py_exec('stranger', $$
def frame(kind, payload, length=None):
    return struct.pack('<HBBIQ', 0x7868, 1, kind, 0, len(payload) if length is None else length) + payload

KNOCKS = [b'', b'GET / HTTP/1.1\r\n\r\n' + bytes(99), os.urandom(300), frame(1, bytes(50)), frame(0x11, b'', 1 << 40),
          frame(0x11, bytes([1]) + bytes(32)), frame(0x11, bytes([1]) + bytes(32)) + frame(0x12, bytes(32)),
          frame(0x11, bytes([2]) + bytes(32)) + frame(0x12, os.urandom(32))]
count = Counter()

def is_enough():
    return time.monotonic() > until and count['connected'] > 50 and count['proofs'] > 10

def knock(host):
    held = []
    while not is_enough():
        for number, data in enumerate(KNOCKS):
            try:
                sock = socket.create_connection((prefix + str(host), 7868), 0.3)
            except OSError:
                time.sleep(0.005)
                continue
            count['connected'] += 1
            try:
                sock.sendall(data)
                sock.settimeout(0.02)
                if len(sock.recv(80)) == 80:
                    count['proofs'] += 1
            except OSError:
                pass
            held = held[-8:] + [sock]

def attack(seconds):
    global until
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=knock, args=(i,)) for i in range(2, 12) if i != last]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return dict(count)
$$)});
my $besieged = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy('late:/containers/[0-9a-f]+/json=0.7') . "'"]);
# For some seconds, and until it has reached them often: a busy machine needs longer for that.
$stranger->send(q{SELECT py_eval('stranger', 'attack(10)')});
my ($opened, @failures) = (0);
until ($stranger->is_done)
{
	my $result = $besieged->query(qq{SELECT py_eval(py_open('besieged', network => '$network'), '6 * 7'), py_close('besieged')});
	if ($result->{out} eq '42|t') { $opened++ }
	else { push @failures, $result->{state} . ' ' . $result->{err} }
}
$result = $stranger->wait;
my %count = (connected => 0, proofs => 0, %{ decode_json($result->{out} || '{}') });
note "while a stranger made $count{connected} connections and got $count{proofs} proofs $opened sessions were opened";
ok($opened >= 2, 'sessions open under attack') or diag @failures;
is(scalar(grep { !/^08/ } @failures), 0, scalar(@failures) . ' opens failed, all of them cleanly') or diag @failures;
ok(@failures <= $opened, '... and not most of them') or diag @failures;
ok($count{connected} > 50 && $count{proofs} > 10, 'the stranger did reach them') or diag $result->{err};
$besieged->end;
$stranger->query('SELECT py_close_all()');
$stranger->end;

# ---- containers that do not prove the key, or not as they should

my $image = variant_image('impostor');
my $fooled = hxpy_psql($node, setup => [q{SET hxpy.allowed_images = '*'}]);
my @impostor = (
	[ 100, '08004', qr/does not have the session's key/, 'another key' ],
	[ 101, '08004', qr/does not have the session's key/, 'another protocol' ],
	[ 102, '08004', qr/does not have the session's key/, 'an echo' ],
	[ 103, '08004', qr/does not have the session's key/, 'a proof of another length' ],
	[ 104, '08004', qr/does not have the session's key/, 'the proof that is the server\'s' ],
	[ 105, '08004', qr/does not have the session's key/, 'a proof over another nonce' ],
	[ 106, '08004', qr/does not have the session's key/, 'a proof for the other connection' ],
	[ 107, '08001', qr/could not connect to Python in its network.*DETAIL:.*7868.*HINT/s, 'half a proof, again and again' ],
	[ 108, '08001', qr/could not connect to Python in its network/, 'half a proof, and silence' ],
	[ 109, '08001', qr/could not connect to Python in its network/, 'silence' ],
	[ 111, '08004', qr/ended before Python could connect/, 'the end after the first proof' ],
	[ 112, '08006', qr/was lost/, 'the end after both proofs' ],
	[ 113, '08004', qr/does not have the session's key/, 'the first proof again' ],
	[ 114, '08004', qr/does not have the session's key/, 'a wrong second proof' ],
	[ 115, '08001', qr/could not connect to Python in its network.*refused.*HINT:.*hxpy.publish_address/s, 'nobody listens' ],
);
for my $case (@impostor)
{
	my ($choice, $state, $pattern, $name) = @$case;
	# Those that end by the limit; the others must not come near it.
	my $limit = $state eq '08001' ? '3s' : '30s';
	my $result = fails($fooled, "SET hxpy.open_timeout = '$limit'; SELECT py_open('f', image => '$image', memory => '${choice}MB', network => '$network')", $state, $pattern, "impostor: $name");
	ok($result->{seconds} < patience(10), '... in time, ' . ms($result->{seconds}) . ' ms');
	ok(wait_until(sub { !containers($node, 'f') }, 3), '... and nothing is left');
}
$fooled->query(q{SET hxpy.open_timeout = '1min'});
$fooled->send("SELECT py_open('f', image => '$image', memory => '115MB', network => '$network')");
sleep 1;
my $start = time;
kill 'INT', $fooled->pid;
$result = fails($fooled, $fooled->wait, '57014', qr/user request/, 'cancel while nobody listens');
ok($result->{ended} - $start < patience(1.5), '... took ' . ms($result->{ended} - $start) . ' ms');
gives($fooled, "SELECT py_eval(py_open('f', network => '$network'), '6 * 7')", '42', 'the same backend goes on');
$fooled->end;

# ---- published ports

my $far = hxpy_psql($node, setup => [q{SET hxpy.publish_address = '127.0.0.1'}]);
gives($far, "SELECT py_eval(py_open('p', network => '$open'), '6 * 7')", '42', 'by a port of the engine\'s host');
my $published = inspect_session('p');
is($published->{HostConfig}{PortBindings}{'7868/tcp'}[0]{HostIp}, '127.0.0.1', '... on the address asked for');
is(join(',', keys %{ $published->{NetworkSettings}{Ports} }), '7868/tcp', '... and no other');
gives($far, q{SELECT count(*) FROM generate_series(1, 200) i WHERE py_eval('p', i::text) = to_jsonb(i)}, '200', '... many requests');
fails($far, "SELECT py_open('q', network => '$network')", '22023', qr/does not publish ports of the internal network.*HINT/s, 'not on an internal network');
fails($far, "SET hxpy.publish_address = 'localhost'; SELECT py_open('q', network => '$open')", '22023', qr/hxpy.publish_address.*HINT/s, 'not by a name');
fails($far, "SET hxpy.publish_address = '192.0.2.77'; SELECT py_open('q', network => '$open')", '58000', qr/could not start container/, 'not on an address that is another\'s');
gives($far, q{SELECT py_open('n')}, 'n', 'without a network nothing changes');
is($json->encode(inspect_session('n')->{HostConfig}{PortBindings} // {}), '{}', '... and nothing is published');
$far->end;

# ---- an engine that does something else

for my $rule ('set:NetworkMode="bridge"', 'set:NetworkMode="host"', "set:NetworkMode=\"$open\"", 'strip:NetworkMode', 'strip:Mounts', 'set:PublishAllPorts=true',
	'set:PortBindings={"80/tcp":[{"HostIp":"127.0.0.1","HostPort":""}]}', 'set:SecurityOpt=["no-new-privileges","seccomp=unconfined"]')
{
	my $psql = hxpy_psql($node, setup => ["SET hxpy.docker_host = '" . proxy($rule) . "'"]);
	my $result = $psql->query("SELECT py_open('e', network => '$network')");
	ok($result->{state} =~ /^(0A000|42704)$/ && $result->{err} =~ /HINT/, "refused: $rule") or diag "$result->{state} $result->{err}";
	is(scalar containers($node, 'e'), 0, '... and nothing is left') or docker('rm', '-f', containers($node, 'e'));
	$psql->end;
}

# ---- the end

my $asked = time;
$result = $gone->wait(90);
fails($gone, $result, '08006', qr/was lost/, 'a peer that is gone is noticed');
# Somebody looks only now; 50 s are documented.
ok($result->{ended} - $asked < patience(1) || $result->{ended} - $gone_since < patience(75), '... within a minute')
  or diag $result->{ended} - $gone_since;
ok(wait_until(sub { !containers($node, 'gone') }, 30), '... and the container notices, too')
  or diag docker('inspect', '--format', '{{json .State}}', $gone_id), docker('top', $gone_id), docker('logs', $gone_id);
$gone->end;
$psql->query('SELECT py_close_all()');
ok(defined wait_gone($node, 5), 'no container is left');
my ($output, $status) = docker('volume', 'inspect', $volume);
isnt($status, 0, 'nor the volume of the key');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP:/, 'no backend has died');
hxpy_finish();
