/*
 * permit.h
 *	  What images and networks sessions may have.
 */
#ifndef HXPY_PERMIT_H
#define HXPY_PERMIT_H

extern bool hxpy_permit_image(const char *image);

/* The first image of a list, all of which must be allowed. */
extern const char *hxpy_permit_first_image(const char *images);

/* The id of the first image of such a list that the engine has; sets its name. */
extern const char *hxpy_permit_find_image(const char *images, const char **name);

extern bool hxpy_permit_no_network(const char *network);
extern void hxpy_permit_check_network(const char *network);

#endif							/* HXPY_PERMIT_H */
