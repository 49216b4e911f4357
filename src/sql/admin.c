/*
 * admin.c
 *	  The SQL functions of the Docker side: images, containers, the engine.  py_pull
 *	  and py_run have files of their own.
 *
 * What only shows can be granted; what changes the engine, or shows a session's
 * output, is for superusers even when it is granted.  Nothing here takes part in the
 * transaction: what is done stays done after ROLLBACK.
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "sql/admin.h"
#include "sql/arguments.h"
#include "engine/docker/choice.h"
#include "engine/docker/docker.h"
#include "engine/docker/hosts.h"
#include "guc.h"
#include "launch/permit.h"
#include "engine/docker/json.h"
#include "launch/owner.h"
#include "sql/rowset.h"
#include "launch/registry.h"
#include "text.h"

PG_FUNCTION_INFO_V1(py_images);
PG_FUNCTION_INFO_V1(py_containers);
PG_FUNCTION_INFO_V1(py_remove_container);
PG_FUNCTION_INFO_V1(py_engine);
PG_FUNCTION_INFO_V1(py_container_logs);

#define SHORT_ID_LEN		12
#define LOGS_MAX_LINES		100000

/* A row of py_images */
typedef struct ImageRow
{
	char	   *name;
	json_t	   *image;
} ImageRow;

/* Refuse everybody but superusers, whatever was granted to them. */
void
hxpy_admin_check_superuser(const char *what)
{
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to %s", what),
				 errhint("A superuser can wrap the call in a SECURITY DEFINER function that fixes its arguments.")));
}

/* Refuse those who may not monitor the server, also when EXECUTE was granted to them. */
static void
check_monitor(const char *what)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_MONITOR))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", what),
				 errhint("Only roles with the privileges of pg_monitor may do so.")));
}

/* ---------- values of JSON ---------- */

/* Return an object's text in the server's encoding; NULL when it has none. */
static char *
text_of(json_t *object, const char *key)
{
	json_t	   *value = json_object_get(object, key);

	if (!json_is_string(value))
		return NULL;
	return hxpy_text_clean(json_string_value(value), json_string_length(value));
}

/* Put an object's time, given in seconds since 1970. */
static void
put_time(RowSet *rows, json_t *object, const char *key)
{
	json_t	   *value = json_object_get(object, key);

	hxpy_rowset_put(rows, TimestampTzGetDatum(time_t_to_timestamptz((pg_time_t) json_integer_value(value))),
				  !json_is_integer(value));
}

/* Put JSON of the engine. */
static void
put_jsonb(RowSet *rows, json_t *value)
{
	bool		isnull = value == NULL || json_is_null(value);
	char	   *text = isnull ? NULL : hxpy_json_write(value);

	hxpy_rowset_put(rows, isnull ? (Datum) 0 :
				  DirectFunctionCall1(jsonb_in, CStringGetDatum(hxpy_text_clean(text, strlen(text)))),
				  isnull);
}

/* Add a text to an array that is being built. */
static void
add_text(ArrayBuildState *array, const char *text)
{
	accumArrayResult(array, CStringGetTextDatum(hxpy_text_clean(text, strlen(text))), false, TEXTOID,
					 CurrentMemoryContext);
}

/* Make an array of the strings of a JSON array, or of the keys of an object. */
static Datum
text_array(json_t *json)
{
	ArrayBuildState *array = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	const char *key;
	json_t	   *value;
	size_t		index;

	json_object_foreach(json, key, value)
		add_text(array, key);
	json_array_foreach(json, index, value)
	{
		if (json_is_string(value))
			add_text(array, json_string_value(value));
	}
	return makeArrayResult(array, CurrentMemoryContext);
}

/* ---------- images ---------- */

/* Return an image's tags: a list of texts.  That of an untagged one may be "<none>:<none>". */
static List *
image_tags(json_t *image)
{
	List	   *tags = NIL;
	json_t	   *tag;
	size_t		index;

	json_array_foreach(json_object_get(image, "RepoTags"), index, tag)
	{
		if (json_is_string(tag) && strcmp(json_string_value(tag), "<none>:<none>") != 0)
			tags = lappend(tags, hxpy_text_clean(json_string_value(tag), json_string_length(tag)));
	}
	return tags;
}

/* Compare rows of py_images by name. */
static int
compare_images(const ListCell *a, const ListCell *b)
{
	return strcmp(((ImageRow *) lfirst(a))->name, ((ImageRow *) lfirst(b))->name);
}

/* List the tags of all images, sorted. */
static List *
list_images(void)
{
	json_t	   *images = hxpy_docker_images();
	List	   *rows = NIL;
	json_t	   *image;
	size_t		index;

	json_array_foreach(images, index, image)
	{
		ListCell   *cell;

		foreach(cell, image_tags(image))
		{
			ImageRow   *row = palloc(sizeof(ImageRow));

			row->name = lfirst(cell);
			row->image = image;
			rows = lappend(rows, row);
		}
	}
	list_sort(rows, compare_images);
	return rows;
}

/* Append the words of a JSON array to a command, separated by blanks. */
static void
append_words(StringInfo command, json_t *words)
{
	json_t	   *word;
	size_t		index;

	json_array_foreach(words, index, word)
	{
		if (json_is_string(word))
			appendStringInfo(command, "%s%s", command->len > 0 ? " " : "", json_string_value(word));
	}
}

/* Return what an image runs unless told otherwise; NULL for nothing. */
static char *
image_command(json_t *image)
{
	json_t	   *config = json_object_get(image, "Config");
	StringInfoData command;

	initStringInfo(&command);
	append_words(&command, json_object_get(config, "Entrypoint"));
	append_words(&command, json_object_get(config, "Cmd"));
	return command.len > 0 ? hxpy_text_clean(command.data, command.len) : NULL;
}

/*
 * py_images(): the engine's images by name.
 */
Datum
py_images(PG_FUNCTION_ARGS)
{
	RowSet	rows;
	ListCell   *cell;

	hxpy_rowset_begin(&rows, fcinfo);
	(void) hxpy_choice_make();
	foreach(cell, list_images())
	{
		ImageRow   *row = lfirst(cell);
		json_t	   *size = json_object_get(row->image, "Size");
		json_t	   *labels = json_object_get(row->image, "Labels");
		json_t	   *details = hxpy_docker_inspect_image(row->name);

		hxpy_rowset_put_text(&rows, row->name);
		hxpy_rowset_put_text(&rows, text_of(row->image, "Id"));
		put_time(&rows, row->image, "Created");
		hxpy_rowset_put(&rows, Int64GetDatum((int64) json_integer_value(size)), !json_is_integer(size));
		hxpy_rowset_put(&rows, BoolGetDatum(hxpy_permit_image(row->name)), false);
		hxpy_rowset_put_text(&rows, text_of(labels, "hxpy.version"));
		put_jsonb(&rows, labels);
		hxpy_rowset_put_text(&rows, image_command(details));
		put_jsonb(&rows, details);
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}

/* ---------- containers ---------- */

/* Return the name of a container's image, which it may know by its id only. */
static char *
image_name(json_t *container, json_t *images)
{
	const char *id = json_string_value(json_object_get(container, "ImageID"));
	json_t	   *image;
	size_t		index;

	json_array_foreach(images, index, image)
	{
		const char *other = json_string_value(json_object_get(image, "Id"));
		List	   *tags = image_tags(image);

		if (id != NULL && other != NULL && strcmp(id, other) == 0 && tags != NIL)
			return linitial(tags);
	}
	return text_of(container, "Image");
}

/* Return whether a container with these labels is this cluster's. */
static bool
is_ours(json_t *labels)
{
	EngineLabel cluster = hxpy_owner_cluster();
	const char *value = json_string_value(json_object_get(labels, cluster.key));

	return value != NULL && strcmp(value, cluster.value) == 0;
}

/*
 * Put the columns of a container that only this cluster's have.  Labels never change:
 * one that a session has taken out of the pool does not name that session.
 */
static void
put_owner(RowSet *rows, const char *name, json_t *labels)
{
	bool		ours = is_ours(labels);
	const char *pid = json_string_value(json_object_get(labels, "hxpy.backend"));
	bool		from_pool = json_object_get(labels, "hxpy.pool") != NULL;

	hxpy_rowset_put_text(rows, !ours ? NULL : json_object_get(labels, "hxpy.run") != NULL ? "run" :
					   from_pool && !(name != NULL && hxpy_registry_count_users(name) > 0) ? "pool" :
					   "session");
	hxpy_rowset_put_text(rows, ours ? text_of(labels, "hxpy.database") : NULL);
	hxpy_rowset_put(rows, Int32GetDatum(pid != NULL ? atoi(pid) : 0), !ours || pid == NULL || from_pool);
	hxpy_rowset_put_text(rows, ours ? text_of(labels, "hxpy.role") : NULL);
	hxpy_rowset_put_text(rows, ours ? text_of(labels, "hxpy.session") : NULL);
}

/*
 * py_containers(all_of_engine): this cluster's containers, or all.
 */
Datum
py_containers(PG_FUNCTION_ARGS)
{
	bool		all = !PG_ARGISNULL(0) && PG_GETARG_BOOL(0);
	EngineLabel cluster = hxpy_owner_cluster();
	RowSet	rows;
	json_t	   *containers;
	json_t	   *images;
	json_t	   *container;
	size_t		index;

	check_monitor("see containers");
	hxpy_rowset_begin(&rows, fcinfo);
	(void) hxpy_choice_make();
	containers = hxpy_docker_list(all ? NULL : psprintf("%s=%s", cluster.key, cluster.value));
	images = hxpy_docker_images();
	json_array_foreach(containers, index, container)
	{
		char	   *id = text_of(container, "Id");
		const char *name = hxpy_docker_entry_name(container);
		json_t	   *labels = json_object_get(container, "Labels");

		hxpy_rowset_put_text(&rows, id != NULL ? pnstrdup(id, SHORT_ID_LEN) : NULL);
		hxpy_rowset_put_text(&rows, name != NULL ? hxpy_text_clean(name, strlen(name)) : NULL);
		hxpy_rowset_put_text(&rows, image_name(container, images));
		hxpy_rowset_put_text(&rows, text_of(container, "State"));
		hxpy_rowset_put_text(&rows, text_of(container, "Status"));
		put_time(&rows, container, "Created");
		put_owner(&rows, name, labels);
		put_jsonb(&rows, labels);
		hxpy_rowset_put_text(&rows, text_of(container, "Command"));
		put_jsonb(&rows, container);
		hxpy_rowset_end_row(&rows);
	}
	return (Datum) 0;
}

/*
 * Return the full id of a container of this cluster, given by its name or by at least
 * 12 digits of its id; NULL when there is none.
 */
static const char *
find_own_container(const char *name)
{
	json_t	   *container = hxpy_docker_inspect(name);
	const char *id = json_string_value(json_object_get(container, "Id"));
	char	   *real_name = text_of(container, "Name");

	if (id == NULL)
		return NULL;
	/* The engine takes shorter ids, too, but those are easily another's. */
	if ((real_name == NULL || strcmp(real_name + (real_name[0] == '/'), name) != 0) &&
		(strlen(name) < SHORT_ID_LEN || strncmp(id, name, strlen(name)) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" does not name a container", name),
				 errhint("Give its name, or at least %d digits of its id, as py_containers() shows.",
						 SHORT_ID_LEN)));
	if (!is_ours(json_object_get(json_object_get(container, "Config"), "Labels")))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("container \"%s\" is not one of this cluster", name),
				 errdetail("Its label \"hxpy.cluster\" is not this cluster's system identifier."),
				 errhint("Use the docker command on the engine's host.")));
	return id;
}

/*
 * py_remove_container(id): end and remove a container of this cluster; false when
 * there is none.
 */
Datum
py_remove_container(PG_FUNCTION_ARGS)
{
	const char *id;

	hxpy_admin_check_superuser("remove a container");
	(void) hxpy_choice_make();
	id = find_own_container(hxpy_argument_text(fcinfo, 0, "id"));
	PG_RETURN_BOOL(id != NULL && hxpy_docker_remove(id, hxpy_docker_timeout));
}

/*
 * py_container_logs(id, lines): the last output of a container of this cluster.
 */
Datum
py_container_logs(PG_FUNCTION_ARGS)
{
	char	   *name;
	int			lines;
	const char *id;

	hxpy_admin_check_superuser("read a container's output");
	name = hxpy_argument_text(fcinfo, 0, "id");
	lines = PG_ARGISNULL(1) ? 100 : PG_GETARG_INT32(1);
	if (lines < 1 || lines > LOGS_MAX_LINES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lines must be between 1 and %d", LOGS_MAX_LINES)));
	(void) hxpy_choice_make();
	id = find_own_container(name);
	if (id == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no container \"%s\"", name),
				 errhint("List them with py_containers().")));
	PG_RETURN_TEXT_P(cstring_to_text(hxpy_docker_logs(id, lines)));
}

/* ---------- the engine ---------- */

/*
 * py_engine(): what the engine is, and what it offers to sandboxes; one row.
 */
Datum
py_engine(PG_FUNCTION_ARGS)
{
	RowSet	rows;
	const char *api_version;
	json_t	   *info;
	json_t	   *live;

	check_monitor("see the Docker engine");
	hxpy_rowset_begin(&rows, fcinfo);
	(void) hxpy_choice_make();
	api_version = hxpy_docker_ping();
	info = hxpy_docker_info();
	live = json_object_get(info, "LiveRestoreEnabled");
	hxpy_rowset_put_text(&rows, hxpy_hosts_address());
	hxpy_rowset_put_text(&rows, api_version);
	hxpy_rowset_put_text(&rows, text_of(hxpy_docker_version(), "Version"));
	hxpy_rowset_put_text(&rows, text_of(info, "OperatingSystem"));
	hxpy_rowset_put_text(&rows, text_of(info, "KernelVersion"));
	hxpy_rowset_put_text(&rows, text_of(info, "Architecture"));
	hxpy_rowset_put_text(&rows, text_of(info, "CgroupVersion"));
	hxpy_rowset_put(&rows, text_array(json_object_get(info, "SecurityOptions")), false);
	hxpy_rowset_put(&rows, text_array(json_object_get(info, "Runtimes")), false);
	hxpy_rowset_put_text(&rows, text_of(info, "DefaultRuntime"));
	hxpy_rowset_put(&rows, BoolGetDatum(json_is_true(live)), !json_is_boolean(live));
	hxpy_rowset_put(&rows, text_array(json_object_get(info, "Warnings")), false);
	hxpy_rowset_end_row(&rows);
	return (Datum) 0;
}
