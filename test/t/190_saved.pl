# Values that last: in another connection, after a restart, on a standby; beyond the limits
# of frames and of a bytea; broken off; and what they cost the server in memory.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use HxpyTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = hxpy_cluster('saved', q{shared_preload_libraries = 'hxpy'}, 'wal_level = replica', 'hxpy.pool_size = 1', 'shared_buffers = 16MB');
$node->safe_psql('postgres', 'GRANT USAGE ON LANGUAGE hxpy TO hxpy_user; CREATE SCHEMA AUTHORIZATION alice');
my $psql = hxpy_psql($node, user => 'alice');

# Most memory that a connection's backend has had, in MB.
sub peak
{
	my ($connection) = @_;
	my ($kb) = slurp_file('/proc/' . $connection->pid . '/status') =~ /^VmHWM:\s*(\d+)/m;
	return $kb / 1024;
}

# ---- train here, score there

$psql->query(q{
	CREATE TABLE model (name text, version int, owner name DEFAULT current_user, data bytea, PRIMARY KEY (name, version));
	ALTER TABLE model ALTER data SET STORAGE EXTERNAL;
	CREATE TABLE large_model (name text, data oid)});
$psql->query(q{DO LANGUAGE hxpy $$
import numpy as np
from sklearn.ensemble import RandomForestClassifier
class Scorer:
	def __init__(self, x, y):
		self.forest = RandomForestClassifier(n_estimators=20, random_state=0).fit(x, y)
	def score(self, x):
		return self.forest.predict_proba(x)[:, 1].tolist()
random = np.random.default_rng(0)
x = random.normal(size=(500, 4))
GD['points'] = x[:5]
GD['scorer'] = Scorer(x, x.sum(axis=1) > 0)
$$});
my $scores = $psql->query(q{SELECT py_eval('scorer.score(points)')})->{out};
like($scores, qr/^\[[01.]/, 'a model is trained');
$psql->query(q{INSERT INTO model (name, version, data) SELECT 'forest', 1, py_save('[scorer, points]')});
$psql->query(q{INSERT INTO large_model SELECT 'forest', py_save_lo('[scorer, points]')});
$node->safe_psql('postgres', q{
	CREATE FUNCTION alice.scores() RETURNS jsonb STABLE LANGUAGE hxpy AS $$
		if 'pair' not in GD:
			plpy.execute("SELECT py_load('pair', data) FROM alice.model WHERE name = 'forest' ORDER BY version DESC LIMIT 1")
		scorer, points = GD['pair']
		return scorer.score(points)
	$$});

# Check that a new connection scores as the first did, all ways.
sub scores
{
	my ($where, $name) = @_;
	my $there = hxpy_psql($where, user => 'alice');
	gives($there, 'SELECT alice.scores()', $scores, "$name: a function loads the model");
	gives($there, q{SELECT py_load('pair', data) FROM model}, 'default', "$name: loaded by hand");
	gives($there, q{SELECT py_eval('pair[0].score(pair[1])')}, $scores, '... it scores the same');
	gives($there, q{SELECT py_load_lo('large', data) FROM large_model}, 'default', "$name: as a large object");
	gives($there, q{SELECT py_eval('large[0].score(large[1])')}, $scores, '... it scores the same');
	return $there;
}
scores($node, 'another connection')->end;
my $standby = hxpy_standby($node, 'saved_standby');
my $there = scores($standby, 'a standby');
gives($there, q{SELECT length(py_save('large')) > 1000}, 't', 'a standby can save, too');
fails($there, q{SELECT py_save_lo('large')}, '25006', qr/read-only transaction/, '... but no large object');
$there->end;
$standby->stop;
$psql->end;
$node->restart;
scores($node, 'after a restart')->end;

# ---- large values

$psql = hxpy_psql($node, user => 'alice');
$psql->query(q{SET hxpy.max_frame_size = '1MB'});
$psql->query(q{SELECT py_exec('import hashlib, numpy as np; noise = np.random.default_rng(0).bytes(64 << 20); parts = lambda n: [np.frombuffer(noise, "u1") for _ in range(n)]')});
fails($psql, q{SELECT length(py_save('parts(17)'))}, '54000', qr/larger than 1 GB.*py_save_lo/s, 'more than a bytea holds');
gives($psql, q{SELECT py_eval('len(noise)')}, 64 << 20, '... the session stays');
$psql->query(q{INSERT INTO model (name, version, data) SELECT 'noise', 1, py_save('parts(3)')});
$psql->query(q{INSERT INTO large_model SELECT 'noise', py_save_lo('parts(3)')});
gives($psql, q{SELECT py_exec('digest = hashlib.sha256(noise).hexdigest(); whole = lambda arrays: [hashlib.sha256(a).hexdigest() for a in arrays] == [digest] * 3')}, 'default', 'three parts');
for my $way ('py_load(%s, data) FROM model', 'py_load_lo(%s, data) FROM large_model')
{
	my $loader = hxpy_psql($node, user => 'alice');
	$loader->query(q{SELECT py_eval('1')});
	my $before = peak($loader);
	gives($loader, 'SELECT ' . sprintf($way, "'arrays'") . q{ WHERE name = 'noise'}, 'default', "192 MB: $way");
	cmp_ok(peak($loader) - $before, '<', 48, '... take no memory in the server');
	gives($loader, q{SELECT py_load('whole', py_save('len')) IS NOT NULL}, 't', '... the session lives');
	gives($loader, q{SELECT py_eval($$len(arrays), __import__("hashlib").sha256(arrays[2]).hexdigest()$$)}, $psql->query(q{SELECT jsonb_build_array(3, py_eval('digest'))})->{out}, '... whole');
	$loader->end;
}

# ---- broken off

my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM pg_largeobject_metadata');
for my $call (q{length(py_save('parts(15)'))}, q{py_save_lo('parts(15)')}, q{py_load('x', data) FROM model WHERE name = 'noise'}, q{py_load_lo('x', data) FROM large_model WHERE name = 'noise'})
{
	$psql->send("SELECT $call");
	sleep 0.2;
	kill 'INT', $psql->pid;
	my $result = $psql->wait;
	SKIP:
	{
		skip "$call: it was faster", 2 if $result->{state} eq '00000';
		fails($psql, $result, '57014', qr/keeps its variables|user request/, "cancelled: $call");
		gives($psql, q{SELECT py_eval('len(noise)')}, 64 << 20, '... the session stays');
	}
}
my $container = session_container($psql, 'default');
$psql->send(q{SELECT py_save_lo('parts(60)')});
sleep 0.5;
docker_ok('kill', $container);
fails($psql, $psql->wait, '08006', qr/lost/, 'the container dies while it saves');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_largeobject_metadata'), $count, 'no large object is left of what was broken off');
$psql->end;

hxpy_finish($node);
