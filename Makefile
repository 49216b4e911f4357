# hxpy: PGXS build.  `make && make install`; tests are run by script/test.
# WERROR=1 makes errors of warnings.  `make -f …/hxpy/Makefile` builds in a directory
# of its own, and leaves the sources' alone.

EXTENSION = hxpy
MODULE_big = hxpy
DATA = hxpy--1.0.sql
# PGXS sets srcdir: what needs it is expanded late, or stands below the include.
OBJS = $(patsubst $(srcdir)/%.c,%.o,$(sort $(wildcard $(addprefix $(srcdir)/src/,*.c */*.c */*/*.c))))
REGRESS = $(patsubst %.sql,%,$(notdir $(sort $(wildcard $(srcdir)/sql/*.sql))))
REGRESS_OPTS = --dbname=hxpy_regression
EXTRA_CLEAN = src/built-for src/seccomp.inc

HXPY_VERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(srcdir)/hxpy.control)
PG_CPPFLAGS = -DHXPY_VERSION='"$(HXPY_VERSION)"' -Isrc -I$(srcdir)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(if $(WERROR),-Werror)
SHLIB_LINK = -lcurl -ljansson

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): src/built-for $(srcdir)/hxpy.control \
	$(wildcard $(addprefix $(srcdir)/src/,*.h */*.h */*/*.h))
src/engine/docker/sandbox.o src/engine/docker/sandbox.bc: src/seccomp.inc

# The PostgreSQL and the compiler that the objects are made for: they are made anew
# when it changes.
src/built-for: FORCE
	@mkdir -p $(sort $(dir $(OBJS)))
	@{ $(PG_CONFIG) && $(CC) --version; } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# The seccomp profile as a C string.
src/seccomp.inc: docker/seccomp.json | src/built-for
	sed 's/["\\]/\\&/g; s/.*/"&\\n"/' $< >$@

.PHONY: FORCE
FORCE:
