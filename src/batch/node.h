/*
 * node.h
 *	  The plan node that calls functions for many rows at once: its execution.
 */
#ifndef HXPY_NODE_H
#define HXPY_NODE_H

extern void hxpy_node_init(void);

#endif							/* HXPY_NODE_H */
