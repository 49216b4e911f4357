/*
 * transfer.h
 *	  Transfers by libcurl, driven while the process waits on its latch.
 */
#ifndef HXPY_TRANSFER_H
#define HXPY_TRANSFER_H

#include <curl/curl.h>

#include "wait.h"

/* A transfer; part of the request that it serves. */
typedef struct Transfer
{
	CURL	   *easy;			/* owned; NULL before it is created */
	bool		no_descriptor;	/* there was none left for a socket */
	bool		done;			/* the two below are valid */
	CURLcode	result;
	int			os_errno;
} Transfer;

/* Makes the handle, whose options are set before the transfer begins; NULL: out of memory. */
extern CURL *hxpy_transfer_create(Transfer *transfer);
extern CURLcode hxpy_transfer_begin(Transfer *transfer);
extern void hxpy_transfer_end(Transfer *transfer);

/*
 * Drives all transfers of the process for one wait: until one makes a step, other (or
 * PGINVALID_SOCKET) is readable (then true), the latch is set, or timeout_ms (-1: none)
 * is over; `what` is shown as the reason.
 */
extern bool hxpy_transfer_drive(pgsocket other, long timeout_ms, HxpyWait what);

#endif							/* HXPY_TRANSFER_H */
