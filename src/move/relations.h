/*
 * relations.h
 *	  Transition tables of the trigger in which Python is called.
 */
#ifndef HXPY_RELATIONS_H
#define HXPY_RELATIONS_H

#include "executor/spi.h"
#include "parser/parse_node.h"
#include "utils/queryenvironment.h"

/*
 * In the place of SPI_connect(): returns the tables that can be named around, or NULL.
 * The set-up hook lets a query name them, which is then told what it reads.
 */
extern QueryEnvironment *hxpy_relations_connect(bool isolated);
extern void hxpy_relations_setup(ParseState *pstate, void *around);
extern bool hxpy_relations_register(SPIPlanPtr plan, QueryEnvironment *around);

#endif							/* HXPY_RELATIONS_H */
