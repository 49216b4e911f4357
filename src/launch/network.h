/*
 * network.h
 *	  Which networks sessions may have.
 */
#ifndef HXPY_NETWORK_H
#define HXPY_NETWORK_H

extern bool hxpy_network_is_none(const char *network);
extern void hxpy_network_check(const char *network);

#endif							/* HXPY_NETWORK_H */
