/*
 * endpoint.c
 *	  Where a container listens in its network, and the key that it proves.
 *
 * With a network the worker listens and the server connects (launch/connect.c); both prove
 * a random key of the session.  The engine's API puts the key into a volume of
 * the container's own, where root owns everything, so that the container's user
 * can read it and no more.  It is in no label, variable, command line or log,
 * and the volume goes with the container.
 */
#include "postgres.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "pgtar.h"

#include "hxpy.h"
#include "codec/protocol.h"
#include "engine/docker/docker.h"
#include "engine/docker/endpoint.h"
#include "engine/docker/hosts.h"

#define KEY_DIRECTORY		"/run/hxpy"
#define KEY_NAME			"key"

/* Raise an error unless an item of hxpy.publish_address is a numeric address of one host. */
static void
check_publish_address(const char *address)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(address, NULL, &hints, &found) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for parameter \"%s\": \"%s\"",
						"hxpy.publish_address", address),
				 errhint("Set it to a numeric address of the engine's host, for example \"10.0.0.5\", or leave it empty.")));
	freeaddrinfo(found);
}

/* Raise an error unless the engine has a network of this name that serves. */
void
hxpy_endpoint_check_network(const char *network)
{
	json_t	   *found = hxpy_docker_inspect_network(network);
	const char *name = json_string_value(json_object_get(found, "Name"));
	const char *driver = json_string_value(json_object_get(found, "Driver"));
	const char *address = hxpy_hosts_publish_address();

	/* The engine finds networks by the beginning of their ids, too. */
	if (name == NULL || strcmp(name, network) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the Docker engine has no network \"%s\"", network),
				 errhint("Make it with: docker network create --internal %s", network)));
	if (driver == NULL || strcmp(driver, "host") == 0 || strcmp(driver, "null") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("network \"%s\" is not allowed", network),
				 errdetail("Its driver is \"%s\".", driver ? driver : ""),
				 errhint("Make a network with: docker network create --internal NAME")));
	if (!address[0])
		return;
	check_publish_address(address);
	if (json_is_true(json_object_get(found, "Internal")))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the engine does not publish ports of the internal network \"%s\"", network),
				 errhint("Use one that was made without --internal, or empty hxpy.publish_address where the server reaches the addresses of containers.")));
}

/* Return how the worker's port is called in the engine's configuration. */
static const char *
port_key(void)
{
	return psprintf("%d/tcp", HXPY_TCP_PORT);
}

/* Return whether sessions of a network are reached on the engine's host. */
static bool
is_published(const char *network)
{
	return network != NULL && hxpy_hosts_publish_address()[0];
}

/* Make the engine's ExposedPorts: the worker's port, when it is to be published. */
json_t *
hxpy_endpoint_exposed(const char *network)
{
	return is_published(network) ? json_pack("{s:{}}", port_key()) : json_pack("{}");
}

/* Make the engine's PortBindings: where the worker's port is to be published. */
json_t *
hxpy_endpoint_bindings(const char *network)
{
	if (!is_published(network))
		return json_pack("{}");
	return json_pack("{s:[{s:s, s:s}]}", port_key(),
					 "HostIp", hxpy_hosts_publish_address(), "HostPort", "");
}

/* Raise an error unless a container is in the network asked for and in no other. */
void
hxpy_endpoint_check_attached(json_t *container, const char *network)
{
	json_t	   *networks = json_object_get(json_object_get(container, "NetworkSettings"),
										   "Networks");

	/* "none" need not be called a network. */
	if (strcmp(network, HXPY_NO_NETWORK) == 0 && json_object_size(networks) == 0)
		return;
	if (json_object_size(networks) != 1 || json_object_get(networks, network) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the Docker engine did not apply the network \"%s\"", network),
				 errhint("Use an engine that supports it; see docs/security.md.")));
}

/* ---------- the key ---------- */

/*
 * Begin to hand a session's key to its container, which was not started yet.  Its
 * group may read it; the owner could change the mode, and then fill the disk.
 */
EngineRequest *
hxpy_endpoint_begin_key(const char *container, const uint8 *key, int gid)
{
	/* A directory, a file of one block, and two empty blocks: the end. */
	char		archive[5 * TAR_BLOCK_SIZE] = {0};
	EngineRequest *request;

	StaticAssertStmt(HXPY_KEY_SIZE <= TAR_BLOCK_SIZE, "the key needs more blocks");
	tarCreateHeader(archive, ".", NULL, 0, S_IFDIR | 0755, 0, 0, 0);
	tarCreateHeader(archive + TAR_BLOCK_SIZE, KEY_NAME, NULL, HXPY_KEY_SIZE, S_IFREG | 0440,
					0, gid, 0);
	memcpy(archive + 2 * TAR_BLOCK_SIZE, key, HXPY_KEY_SIZE);
	request = hxpy_docker_begin_put(container, KEY_DIRECTORY, archive, sizeof(archive));
	explicit_bzero(archive, sizeof(archive));
	return request;
}

/* ---------- where the container is ---------- */

/* Return the address of a container in its network, or NULL. */
static const char *
inner_address(json_t *settings, const char *network)
{
	json_t	   *endpoint = json_object_get(json_object_get(settings, "Networks"), network);
	const char *address = json_string_value(json_object_get(endpoint, "IPAddress"));

	if (address == NULL || !address[0])
		address = json_string_value(json_object_get(endpoint, "GlobalIPv6Address"));
	return address != NULL && address[0] ? address : NULL;
}

/* Return the number of the host's port that the worker's is published on, or 0. */
static int
published_port(json_t *settings)
{
	json_t	   *binding = json_array_get(json_object_get(json_object_get(settings, "Ports"),
														 port_key()), 0);
	const char *port = json_string_value(json_object_get(binding, "HostPort"));
	int			number = port ? atoi(port) : 0;

	return number > 0 && number <= 65535 ? number : 0;
}

/*
 * Find out where a container listens that was started; false when it has ended, and
 * with that its address: who waits for it says why.
 */
bool
hxpy_endpoint_find(const char *container, const char *network, const char **address, int *port)
{
	json_t	   *inspected = hxpy_docker_inspect(container);
	json_t	   *settings = json_object_get(inspected, "NetworkSettings");

	if (is_published(network))
	{
		*address = pstrdup(hxpy_hosts_publish_address());
		*port = published_port(settings);
	}
	else
	{
		*address = inner_address(settings, network);
		*port = HXPY_TCP_PORT;
	}
	if (*address == NULL || *port == 0)
		return false;
	hxpy_endpoint_check_attached(inspected, network);
	return true;
}
