/*
 * network.c
 *	  Which networks sessions may have.
 */
#include "postgres.h"

#include "hxpy.h"
#include "guc.h"
#include "text.h"
#include "launch/network.h"

#define NETWORK_CHARACTERS \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* Tell whether a session of this network, or NULL, is one without. */
bool
hxpy_network_is_none(const char *network)
{
	return network == NULL || strcmp(network, HXPY_NO_NETWORK) == 0;
}

/* Tell whether Docker takes a name for something else than a network of its own. */
static bool
is_special(const char *network)
{
	return strcmp(network, "host") == 0 || strcmp(network, "default") == 0 ||
		strncmp(network, "container:", strlen("container:")) == 0;
}

/* Raise an error unless sessions may use a network. */
void
hxpy_network_check(const char *network)
{
	if (hxpy_network_is_none(network))
		return;
	if (is_special(network))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("network \"%s\" is not allowed", network),
				 errdetail("Sessions never share the network of the host or of another container."),
				 errhint("Make a network with: docker network create --internal NAME")));
	if (network[0] == '\0' || strchr("_.-", network[0]) || strlen(network) > 128 ||
		network[strspn(network, NETWORK_CHARACTERS)] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid network name \"%s\"", network),
				 errhint("A name has at most 128 letters, digits, \"_\", \".\" and \"-\", and begins with a letter or a digit. Sessions without a network have \"%s\".",
						 HXPY_NO_NETWORK)));
	if (!hxpy_text_in_patterns(network, hxpy_allowed_networks))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("network \"%s\" is not allowed", network),
				 errdetail("hxpy.allowed_networks is \"%s\".", hxpy_allowed_networks),
				 errhint("A superuser can add it to hxpy.allowed_networks; without a network sessions need no leave.")));
}
