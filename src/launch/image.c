/*
 * image.c
 *	  Which images sessions may use, and which of a list the engine has.
 */
#include "postgres.h"

#include "hxpy.h"
#include "engine/engine.h"
#include "guc.h"
#include "launch/image.h"
#include "text.h"

/* Tell whether sessions may use an image. */
bool
hxpy_image_is_allowed(const char *image)
{
	if (hxpy_text_split(hxpy_allowed_images) == NIL)
		return strcmp(image, HXPY_DEFAULT_IMAGE) == 0;
	return hxpy_text_in_patterns(image, hxpy_allowed_images);
}

/* Raise an error unless every image of a list is allowed. */
void
hxpy_image_check(const char *images)
{
	List	   *list = hxpy_text_split(images);
	ListCell   *cell;

	if (list == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no image is named"),
				 errhint("Set hxpy.image, for example to \"%s\".", HXPY_DEFAULT_IMAGE)));
	foreach(cell, list)
	{
		if (!hxpy_image_is_allowed(lfirst(cell)))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("image \"%s\" is not allowed", (char *) lfirst(cell)),
					 errdetail("hxpy.allowed_images is \"%s\"; when empty, only \"%s\" is allowed.",
							   hxpy_allowed_images, HXPY_DEFAULT_IMAGE),
					 errhint("Name an allowed image in hxpy.image or py_open, or have a superuser set hxpy.allowed_images to \"%s, %s\".",
							 hxpy_text_split(hxpy_allowed_images) == NIL ?
							 HXPY_DEFAULT_IMAGE : hxpy_allowed_images,
							 (char *) lfirst(cell))));
	}
}

/* Return the first image of a preference list, all of which must be allowed. */
const char *
hxpy_image_first(const char *images)
{
	hxpy_image_check(images);
	return linitial(hxpy_text_split(images));
}

/*
 * Find the first image of a preference list that the engine has; sets its name
 * and returns its id, a digest.
 */
const char *
hxpy_image_resolve(const char *images, const char **name)
{
	List	   *list = hxpy_text_split(images);
	ListCell   *cell;

	hxpy_image_check(images);
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
