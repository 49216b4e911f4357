/*
 * scan.h
 *	  py_eval_grid, py_eval_rows and py_apply in FROM as scans that stream.
 */
#ifndef HXPY_SCAN_H
#define HXPY_SCAN_H

extern void hxpy_scan_init(void);

#endif							/* HXPY_SCAN_H */
