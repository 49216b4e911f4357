# hxpy: PGXS build.  `make && make install`; tests are run by script/test.

EXTENSION = hxpy
MODULE_big = hxpy
DATA = hxpy--1.0.sql
DATA_built = hxpy-seccomp.json
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --dbname=hxpy_regression

HXPY_VERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" hxpy.control)
PG_CPPFLAGS = -DHXPY_VERSION='"$(HXPY_VERSION)"' -Isrc
PG_CFLAGS = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Wno-clobbered
SHLIB_LINK = -lcurl -ljansson

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h)

hxpy-seccomp.json: docker/seccomp.json
	cp $< $@
