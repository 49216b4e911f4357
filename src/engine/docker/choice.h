/*
 * choice.h
 *	  Which of several engines is used.
 */
#ifndef HXPY_CHOICE_H
#define HXPY_CHOICE_H

#include "nodes/pg_list.h"

/* Selects the first engine that answers, in order of preference, and returns its number. */
extern int	hxpy_choice_make(void);

/* Numbers of the engines that answer; raises an error where none does. */
extern List *hxpy_choice_answering(void);

#endif							/* HXPY_CHOICE_H */
