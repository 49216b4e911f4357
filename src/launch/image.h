/*
 * image.h
 *	  Images of sessions.
 */
#ifndef HXPY_IMAGE_H
#define HXPY_IMAGE_H

/* Tells whether sessions may use an image. */
extern bool hxpy_image_is_allowed(const char *image);

/* Raises an error unless every image of a preference list is allowed. */
extern void hxpy_image_check(const char *images);

/* Checks a list, and returns its first image. */
extern const char *hxpy_image_first(const char *images);

/* Returns the id of the first image that the engine has, and sets its name. */
extern const char *hxpy_image_resolve(const char *images, const char **name);

#endif							/* HXPY_IMAGE_H */
