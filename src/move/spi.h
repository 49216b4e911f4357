/*
 * spi.h
 *	  SQL that Python asks for.
 */
#ifndef HXPY_SPI_H
#define HXPY_SPI_H

#include "codec/wire.h"
#include "session/exchange.h"

/* Does what Python asks, from the columns of its frame; writes the answer's payload. */
typedef void (*SpiRequest) (Exchange *exchange, const WireColumn *columns, uint32 ncolumns);

extern void hxpy_spi_init(void);
extern void hxpy_spi_answer(Exchange *exchange, const char *payload, size_t length,
							SpiRequest request);
pg_noreturn extern void hxpy_spi_raise_invalid(void);
extern char *hxpy_spi_text(const WireColumn *column);

#endif							/* HXPY_SPI_H */
