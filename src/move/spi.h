/*
 * spi.h
 *	  SQL that Python asks for.
 */
#ifndef HXPY_SPI_H
#define HXPY_SPI_H

extern void hxpy_spi_init(void);

#endif							/* HXPY_SPI_H */
