/*
 * hosts.c
 *	  The engines that hxpy.docker_host lists, in order of preference.
 *
 * The lists are split again only when a setting has another value, as requests are many.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "hxpy.h"
#include "engine/docker/hosts.h"
#include "guc.h"
#include "text.h"

/* A setting that is a list, and its items. */
typedef struct Items
{
	MemoryContext context;		/* of all here; NULL before the first use */
	const char *setting;		/* the value that was split */
	List	   *items;
} Items;

static Items hosts;
static Items publish_addresses;
static int	selected = 0;

/* Return the items of a setting's value. */
static List *
split(Items *of, const char *setting)
{
	MemoryContext old;

	if (of->context == NULL)
		of->context = AllocSetContextCreate(TopMemoryContext, "hxpy engines",
											ALLOCSET_SMALL_SIZES);
	if (of->setting != NULL && strcmp(of->setting, setting) == 0)
		return of->items;
	of->setting = NULL;
	MemoryContextReset(of->context);
	old = MemoryContextSwitchTo(of->context);
	of->items = hxpy_text_split(setting);
	of->setting = pstrdup(setting);
	MemoryContextSwitchTo(old);
	return of->items;
}

/* Return how many engines there are; an empty setting counts as one, which is invalid. */
int
hxpy_hosts_count(void)
{
	return Max(1, list_length(split(&hosts, hxpy_docker_host)));
}

/* Let what begins from now on go to an engine. */
void
hxpy_hosts_select(int number)
{
	selected = number;
}

/* Return the number of the selected engine; a list may have become shorter. */
int
hxpy_hosts_selected(void)
{
	return selected < hxpy_hosts_count() ? selected : 0;
}

/* Return the selected engine's address. */
const char *
hxpy_hosts_address(void)
{
	List	   *items = split(&hosts, hxpy_docker_host);

	return items != NIL ? list_nth(items, hxpy_hosts_selected()) : "";
}

/* Return where the selected engine publishes ports, "" where it does not. */
const char *
hxpy_hosts_publish_address(void)
{
	List	   *items = split(&publish_addresses, hxpy_publish_address);

	if (items == NIL)
		return "";
	if (list_length(items) != hxpy_hosts_count())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("hxpy.publish_address has %d addresses for %d engines",
						list_length(items), hxpy_hosts_count()),
				 errhint("List one for each engine of hxpy.docker_host, in the same order.")));
	return list_nth(items, hxpy_hosts_selected());
}
