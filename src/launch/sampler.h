/*
 * sampler.h
 *	  Measures memory and CPU of sessions' containers, for the launcher.
 */
#ifndef HXPY_SAMPLER_H
#define HXPY_SAMPLER_H

extern void hxpy_sampler_begin(void);
extern void hxpy_sampler_step(void);

#endif							/* HXPY_SAMPLER_H */
