/*
 * permit.c
 *	  What images and networks sessions may have, and which image of a list is there.
 */
#include "postgres.h"

#include "hxpy.h"
#include "engine/engine.h"
#include "guc.h"
#include "launch/permit.h"
#include "text.h"

/* ---------- images ---------- */

/* Return whether sessions may use an image. */
bool
hxpy_permit_image(const char *image)
{
	const char *allowed = hxpy_guc_allowed_images();

	if (hxpy_text_split(allowed) == NIL)
		return strcmp(image, HXPY_DEFAULT_IMAGE) == 0;
	return hxpy_text_in_patterns(image, allowed);
}

/* Return the first image of a preference list, all of which must be allowed. */
const char *
hxpy_permit_first_image(const char *images)
{
	List	   *list = hxpy_text_split(images);
	const char *allowed = hxpy_guc_allowed_images();
	ListCell   *cell;

	if (list == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no image is named"),
				 errhint("Set hxpy.image, for example to \"%s\".", HXPY_DEFAULT_IMAGE)));
	foreach(cell, list)
	{
		if (!hxpy_permit_image(lfirst(cell)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("image \"%s\" is not allowed", (char *) lfirst(cell)),
					 errdetail("hxpy.allowed_images is \"%s\"; when empty, only \"%s\" is allowed.",
							   allowed, HXPY_DEFAULT_IMAGE),
					 errhint("Name an allowed image in hxpy.image or py_open, or have a superuser set hxpy.allowed_images to \"%s, %s\".",
							 hxpy_text_split(allowed) == NIL ? HXPY_DEFAULT_IMAGE : allowed,
							 (char *) lfirst(cell))));
	}
	return linitial(list);
}

/*
 * Find the first image of a preference list that the engine has; set its name and return
 * its id, a digest.
 */
const char *
hxpy_permit_find_image(const char *images, const char **name)
{
	List	   *list = hxpy_text_split(images);
	ListCell   *cell;

	foreach(cell, list)
	{
		const char *id = hxpy_engine->find_image(lfirst(cell));

		if (id != NULL)
		{
			*name = lfirst(cell);
			return id;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("the Docker engine has no image \"%s\"", images),
			 errhint("Build it with docker/build, or get it with: docker pull %s",
					 (char *) linitial(list))));
}

/* ---------- networks ---------- */

/* Return whether a session of this network is one without. */
bool
hxpy_permit_no_network(const char *network)
{
	return strcmp(network, HXPY_NO_NETWORK) == 0;
}

/* Return whether Docker takes a name for something else than a network of its own. */
static bool
is_special(const char *network)
{
	return strcmp(network, "host") == 0 || strcmp(network, "default") == 0 ||
		strncmp(network, "container:", strlen("container:")) == 0;
}

/* Raise an error unless sessions may use a network. */
void
hxpy_permit_check_network(const char *network)
{
	if (hxpy_permit_no_network(network))
		return;
	if (is_special(network))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("network \"%s\" is not allowed", network),
				 errdetail("Sessions never share the network of the host or of another container."),
				 errhint("Make a network with: docker network create --internal NAME")));
	if (!hxpy_text_is_name(network))
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
