/*
 * pull.h
 *	  Pulling an image.
 */
#ifndef HXPY_PULL_H
#define HXPY_PULL_H

/* Pulls an image and returns its id; tells of the progress unless quiet. */
extern const char *hxpy_pull_image(const char *image, bool quiet);

#endif							/* HXPY_PULL_H */
