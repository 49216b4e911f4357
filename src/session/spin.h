/*
 * spin.h
 *	  A short look for what comes, before a wait sleeps.
 */
#ifndef HXPY_SPIN_H
#define HXPY_SPIN_H

/* All zero: looks at once. */
typedef struct Spin
{
	bool		useless;		/* this process has one CPU */
	int			pause;			/* how many waits sleep at once after one for which it looked in vain */
	int			left;			/* of these, how many are to come */
} Spin;

extern void hxpy_spin_init(Spin *spin);
extern bool hxpy_spin_wait(Spin *spin, pgsocket socket);

#endif							/* HXPY_SPIN_H */
