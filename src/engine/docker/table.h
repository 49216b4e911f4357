/*
 * table.h
 *	  Docker as an engine.
 */
#ifndef HXPY_TABLE_H
#define HXPY_TABLE_H

#include "engine/engine.h"

extern const Engine hxpy_docker_engine;

#endif							/* HXPY_TABLE_H */
