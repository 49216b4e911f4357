/*
 * hosts.h
 *	  The engines that hxpy.docker_host lists, in order of preference.
 *
 * One of them is selected at a time, in a process: requests that begin go to it, and stay
 * with it.  Engines are numbered from 0.  Returned text lives until the settings change.
 */
#ifndef HXPY_HOSTS_H
#define HXPY_HOSTS_H

extern int	hxpy_hosts_count(void);	/* at least 1 */
extern void hxpy_hosts_select(int number);
extern int	hxpy_hosts_selected(void);

/* of the selected one: its item of the list, and of hxpy.publish_address, "" for none */
extern const char *hxpy_hosts_address(void);
extern const char *hxpy_hosts_publish_address(void);

#endif							/* HXPY_HOSTS_H */
