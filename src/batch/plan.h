/*
 * plan.h
 *	  Has plans call functions of the language for many rows at once.
 */
#ifndef HXPY_PLAN_H
#define HXPY_PLAN_H

extern void hxpy_plan_init(void);

#endif							/* HXPY_PLAN_H */
