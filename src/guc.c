/*
 * guc.c
 *	  Every setting.
 *
 * What weakens the sandbox or reaches the engine is for superusers; users may
 * lower limits and choose among what is allowed.  docs/reference.md lists them.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"

#include "hxpy.h"
#include "guc.h"

char	   *hxpy_docker_host;
char	   *hxpy_docker_cert_path;
bool		hxpy_docker_insecure;
int			hxpy_docker_timeout;
char	   *hxpy_image;
char	   *hxpy_allowed_images;
char	   *hxpy_network;
char	   *hxpy_allowed_networks;
char	   *hxpy_publish_address;
char	   *hxpy_runtime;
char	   *hxpy_socket_directory;
int			hxpy_memory;
int			hxpy_max_memory;
double		hxpy_cpus;
double		hxpy_max_cpus;
int			hxpy_pids_limit;
int			hxpy_tmp_size;
int			hxpy_uid_base;
char	   *hxpy_pool_images;
char	   *hxpy_pool_imports;
int			hxpy_pool_size;
int			hxpy_pool_starts;
int			hxpy_pool_idle;
char	   *hxpy_io_directory;
int			hxpy_io_mode;
int			hxpy_io_max_size;
char	   *hxpy_session;
int			hxpy_max_sessions;
int			hxpy_max_role_sessions;
int			hxpy_max_total_sessions;
int			hxpy_max_total_memory;
int			hxpy_share;
int			hxpy_sessions_per_container;
int			hxpy_role_memory;
double		hxpy_role_cpus;
int			hxpy_containers_per_role;
int			hxpy_open_timeout;
int			hxpy_eval_timeout;
int			hxpy_cancel_grace;
int			hxpy_idle_timeout;
int			hxpy_output;
int			hxpy_output_delay;
int			hxpy_output_limit;
int			hxpy_spin;
int			hxpy_progress;
int			hxpy_width;
int			hxpy_echo;
int			hxpy_sql;
bool		hxpy_superuser_sql;
int			hxpy_max_frame_size;
int			hxpy_batch_size;
int			hxpy_numeric;
int			hxpy_types;
char	   *hxpy_start_proc;
bool		hxpy_start_proc_shared;
int			hxpy_unsupported;
bool		hxpy_batching;
bool		hxpy_batch_volatile;
int			hxpy_batch_rows;
int			hxpy_workers;

static const struct config_enum_entry output_levels[] = {
	{"none", 0, false},
	{"debug", DEBUG1, false},
	{"log", LOG, false},
	{"info", INFO, false},
	{"notice", NOTICE, false},
	{"warning", WARNING, false},
	{"on", NOTICE, true},
	{"off", 0, true},
	{NULL, 0, false}
};

static const struct config_enum_entry numeric_modes[] = {
	{"float", HXPY_NUMERIC_FLOAT, false},
	{"decimal", HXPY_NUMERIC_DECIMAL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry share_modes[] = {
	{"off", HXPY_SHARE_OFF, false},
	{"role", HXPY_SHARE_ROLE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry sql_modes[] = {
	{"on", HXPY_SQL_ON, false},
	{"read-only", HXPY_SQL_READ_ONLY, false},
	{"off", HXPY_SQL_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry types_modes[] = {
	{"native", HXPY_TYPES_NATIVE, false},
	{"plpython", HXPY_TYPES_PLPYTHON, false},
	{NULL, 0, false}
};

static const struct config_enum_entry unsupported_modes[] = {
	{"error", HXPY_UNSUPPORTED_ERROR, false},
	{"text", HXPY_UNSUPPORTED_TEXT, false},
	{"null", HXPY_UNSUPPORTED_NULL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry echo_modes[] = {
	{"auto", HXPY_ECHO_AUTO, false},
	{"on", HXPY_ECHO_ON, false},
	{"off", HXPY_ECHO_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry io_modes[] = {
	{"read-only", HXPY_IO_READ_ONLY, false},
	{"read-write", HXPY_IO_READ_WRITE, false},
	{NULL, 0, false}
};

/* The value of a setting that the server or the database has, whatever roles have set. */
typedef struct ServerValue
{
	char	   *value;			/* malloc'd */
	GucSource	source;
} ServerValue;

static ServerValue server_image;
static ServerValue server_allowed_images;

/* Keep the value of a setting if it comes from the server or the database. */
static bool
keep_server_value(const char *value, GucSource source, ServerValue *kept)
{
	char	   *copy;

	/* One that has gone from postgresql.conf comes as the default. */
	if (source > PGC_S_DATABASE || (source < kept->source && source != PGC_S_DEFAULT))
		return true;
	copy = strdup(value);
	if (copy == NULL)
		return false;
	free(kept->value);
	kept->value = copy;
	kept->source = source;
	return true;
}

/* See a new value of hxpy.image. */
static bool
check_image(char **value, void **extra, GucSource source)
{
	return keep_server_value(*value, source, &server_image);
}

/* See a new value of hxpy.allowed_images. */
static bool
check_allowed_images(char **value, void **extra, GucSource source)
{
	return keep_server_value(*value, source, &server_allowed_images);
}

/*
 * Return whether settings may be those of a stranger: a security-restricted operation is
 * under way for another role than the one that has logged in.
 */
static bool
is_foreign_operation(void)
{
	return InSecurityRestrictedOperation() && GetUserId() != GetSessionUserId();
}

/* Return the images that new sessions have here. */
const char *
hxpy_guc_image(void)
{
	return is_foreign_operation() ? server_image.value : hxpy_image;
}

/* Return the images that sessions may have here. */
const char *
hxpy_guc_allowed_images(void)
{
	return is_foreign_operation() ? server_allowed_images.value : hxpy_allowed_images;
}

/*
 * Define hxpy.name, kept in hxpy_name: its type, who may set it, flags, what it is in one
 * sentence, what else is to be said, and its default with bounds or choices.
 */
#define DEFINE(type, name, context, flags, text, more, ...) \
	DEFINE_CHECKED(type, name, NULL, context, flags, text, more, __VA_ARGS__)
#define DEFINE_CHECKED(type, name, check, context, flags, text, more, ...) \
	DefineCustom##type##Variable("hxpy." #name, text, more, &hxpy_##name, __VA_ARGS__, \
								 context, flags, check, NULL, NULL)

/* Define the settings of the Docker engine. */
static void
define_docker(void)
{
	DEFINE(String, docker_host, PGC_SUSET, GUC_SUPERUSER_ONLY,
		   "Addresses of Docker engines, in order of preference.",
		   "unix:///path of a socket, or tcp://host:port; several are separated by commas.", "unix:///var/run/docker.sock");
	DEFINE(String, docker_cert_path, PGC_SUSET, GUC_SUPERUSER_ONLY,
		   "Directory of ca.pem, cert.pem and key.pem for a tcp:// engine.", NULL, "");
	DEFINE(Bool, docker_insecure, PGC_SUSET, GUC_SUPERUSER_ONLY,
		   "Allows a tcp:// engine without TLS.",
		   "Whoever can reach such an engine is root on its host.", false);
	DEFINE(Int, docker_timeout, PGC_SUSET, GUC_UNIT_MS,
		   "Limit of one call of the Docker engine.", NULL, 30000, 1, INT_MAX);
}

/* Define the settings of containers. */
static void
define_containers(void)
{
	DEFINE_CHECKED(String, image, check_image, PGC_USERSET, 0,
		   "Images for new sessions, the first that is there is taken.", NULL, HXPY_DEFAULT_IMAGE);
	DEFINE_CHECKED(String, allowed_images, check_allowed_images, PGC_SUSET, 0,
		   "Patterns of the images that sessions may use.",
		   "A comma-separated list with * as wildcard; when empty, only \"" HXPY_DEFAULT_IMAGE "\".",
		   "");
	DEFINE(String, network, PGC_USERSET, 0,
		   "Docker network of new sessions.", "\"none\" for no network.", "none");
	DEFINE(String, allowed_networks, PGC_SUSET, 0,
		   "Patterns of the Docker networks that sessions may use.",
		   "A comma-separated list with * as wildcard; empty for none.", "");
	DEFINE(String, publish_address, PGC_SUSET, GUC_SUPERUSER_ONLY,
		   "Address of the engine's host on which sessions with a network are reached, one for each engine.",
		   "Empty where the server reaches the addresses of containers.", "");
	DEFINE(String, runtime, PGC_SUSET, 0,
		   "OCI runtime of containers, for example \"runsc\".", "Empty for the engine's own.", "");
	DEFINE(String, socket_directory, PGC_SUSET, GUC_SUPERUSER_ONLY,
		   "Directory of the sockets between server and containers.",
		   "Only the server's user may enter it. Empty for one in the data directory.", "");
	DEFINE(Int, memory, PGC_USERSET, GUC_UNIT_MB,
		   "Memory of a new session's container.",
		   "Counts what it keeps in /tmp, too.", 1024, HXPY_MIN_MEMORY, INT_MAX);
	DEFINE(Int, max_memory, PGC_SUSET, GUC_UNIT_MB,
		   "Most memory that a session may ask for.", NULL, 1024, HXPY_MIN_MEMORY, INT_MAX);
	DEFINE(Real, cpus, PGC_USERSET, 0,
		   "CPUs of a new session's container.", NULL, 1.0, HXPY_MIN_CPUS, 1024.0);
	DEFINE(Real, max_cpus, PGC_SUSET, 0,
		   "Most CPUs that a session may ask for.", NULL, 1.0, HXPY_MIN_CPUS, 1024.0);
	DEFINE(Int, pids_limit, PGC_SUSET, 0,
		   "Most processes and threads of a container.", NULL, 64, 8, 4096);
	DEFINE(Int, tmp_size, PGC_SUSET, GUC_UNIT_MB,
		   "Size of /tmp in a container, and of its largest file.", NULL, 64, 1, 1024 * 1024);
	DEFINE(Int, uid_base, PGC_SUSET, 0,
		   "First of the 65536 user ids that containers run as.",
		   "Nothing else on the engine's host may use them.", 200000, 65536, INT_MAX - HXPY_UID_COUNT);
}

/* Define the settings of the pool, which the launcher reads. */
static void
define_pool(void)
{
	DEFINE(Int, pool_size, PGC_SIGHUP, 0,
		   "Containers of each image that wait for a session.",
		   "Needs hxpy in shared_preload_libraries; 0 for no pool.", 2, 0, 64);
	DEFINE(String, pool_images, PGC_SIGHUP, 0,
		   "Images that the pool keeps containers of.", NULL, HXPY_DEFAULT_IMAGE);
	DEFINE(String, pool_imports, PGC_SIGHUP, 0,
		   "Python modules that containers of the pool have imported.",
		   "A comma-separated list; for one image \"image=list\", with a semicolon between these.",
		   "numpy,pandas");
	DEFINE(Int, pool_starts, PGC_SIGHUP, 0,
		   "Most containers that are started at once.",
		   "By the launcher and by sessions that find none in the pool.", 4, 1, 64);
	DEFINE(Int, pool_idle, PGC_SIGHUP, GUC_UNIT_S,
		   "Empties the pool of an image that no session has asked for in so long.",
		   "The next session fills it again; 0 for never.", 3600, 0, 20 * SECS_PER_DAY);
}

/* Define the settings of containers that several sessions share. */
static void
define_sharing(void)
{
	DEFINE(Enum, share, PGC_SUSET, 0,
		   "Which sessions share a container.",
		   "off: none; role: those of one role and database. Needs hxpy in shared_preload_libraries.",
		   HXPY_SHARE_OFF, share_modes);
	DEFINE(Int, sessions_per_container, PGC_SUSET, 0,
		   "Most sessions that share a container.", NULL, 100, 2, 1000);
	DEFINE(Int, role_memory, PGC_SUSET, GUC_UNIT_MB,
		   "Memory of the containers that a role's sessions share.", NULL, 4096, HXPY_MIN_MEMORY, INT_MAX);
	DEFINE(Real, role_cpus, PGC_SUSET, 0,
		   "CPUs of the containers that a role's sessions share.", NULL, 2.0, HXPY_MIN_CPUS, 1024.0);
	DEFINE(Int, containers_per_role, PGC_SUSET, 0,
		   "Most containers in which a role's sessions live at once.",
		   "Each has its part of hxpy.role_memory and hxpy.role_cpus.", 1, 1, 64);
	DEFINE(Int, max_total_memory, PGC_SIGHUP, GUC_UNIT_MB,
		   "Most memory that all sessions of the cluster may take, by their limits.",
		   "Needs hxpy in shared_preload_libraries; 0 for any.", 0, 0, INT_MAX);
}

/* Define the settings of files, which the launcher must see as backends do. */
static void
define_io(void)
{
	DEFINE(String, io_directory, PGC_SIGHUP, GUC_SUPERUSER_ONLY,
		   "Directory of the databases' directories of files, /io in Python.",
		   "Owned by the server's user, mode 0700. Empty for none.", "");
	DEFINE(Enum, io_mode, PGC_SIGHUP, 0,
		   "What Python may do in /io.",
		   "A directory that is read-write has no quota.", HXPY_IO_READ_ONLY, io_modes);
	DEFINE(Int, io_max_size, PGC_SUSET, GUC_UNIT_MB,
		   "Largest file that py_io_read and py_io_write take.", NULL, 256, 1, 1023);
}

/* Define the settings of sessions. */
static void
define_sessions(void)
{
	DEFINE(String, session, PGC_USERSET, 0,
		   "Session in which functions of the language hxpy run.",
		   "Opened at its first use.", "default");
	DEFINE(Enum, types, PGC_USERSET, 0,
		   "How values travel to and from functions of the language hxpy.",
		   "native: by docs/types.md; plpython: as in PL/Python.", HXPY_TYPES_NATIVE, types_modes);
	/* Sessions of SECURITY DEFINER functions are their owners'. */
	DEFINE(String, start_proc, PGC_SUSET, 0,
		   "Function that runs before the first of the language hxpy in a session.", NULL, "");
	DEFINE(Bool, start_proc_shared, PGC_SUSET, 0,
		   "Whether the role's later sessions are forked from the one in which hxpy.start_proc has run.",
		   "Where sessions share containers (hxpy.share).", false);
	DEFINE(Int, max_sessions, PGC_SUSET, 0,
		   "Most Python sessions of one connection.", NULL, 8, 1, HXPY_MAX_SESSIONS);
	DEFINE(Int, max_role_sessions, PGC_SUSET, 0,
		   "Most Python sessions of one role in all connections.",
		   "0 for any number.", 0, 0, 10000);
	/* Where there is no shared memory it counts for nothing, but must not be refused. */
	DEFINE(Int, max_total_sessions,
		   process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP, 0,
		   "Most Python sessions of the cluster.",
		   "Needs hxpy in shared_preload_libraries.", 256, 1, 10000);
	DEFINE(Int, open_timeout, PGC_USERSET, GUC_UNIT_MS,
		   "Limit of a session's start.", NULL, 60000, 1, INT_MAX);
	DEFINE(Int, eval_timeout, PGC_USERSET, GUC_UNIT_MS,
		   "Limit of the time that one call waits for Python.",
		   "0 for none; py_timeout sets a session's own.", 5 * 60 * 1000, 0, INT_MAX);
	DEFINE(Int, cancel_grace, PGC_USERSET, GUC_UNIT_MS,
		   "How long a cancel or timeout waits for Python before it kills it.",
		   NULL, 2000, 0, 60 * 1000);
	DEFINE(Int, idle_timeout, PGC_USERSET, GUC_UNIT_MS,
		   "Ends sessions that were idle for so long.",
		   "0 for never; read when a session is opened.", 0, 0, INT_MAX);
	DEFINE(Int, spin, PGC_USERSET, 0,
		   "Microseconds for which server and Python look for the other's message before they sleep.",
		   "0 for not at all. Python's side is read when a session is opened.", 100, 0, 1000);
	DEFINE(Enum, output, PGC_USERSET, 0,
		   "Level of the messages that carry Python's output.", NULL, NOTICE, output_levels);
	DEFINE(Int, output_delay, PGC_USERSET, GUC_UNIT_MS,
		   "Lines of Python's output that come within this time of the first one are one message.",
		   "0 for a message each.", 50, 0, 60 * 1000);
	DEFINE(Int, output_limit, PGC_USERSET, GUC_UNIT_KB,
		   "Most output of one call, and most of its log; what exceeds it is cut.",
		   "Read when a session is opened.", 1024, 1, 1024 * 1024);
	DEFINE(Enum, progress, PGC_USERSET, 0,
		   "Level of the messages that carry Python's progress.", NULL, 0, output_levels);
	DEFINE(Enum, echo, PGC_USERSET, 0,
		   "Whether py_exec shows the value of an expression that is its last statement.",
		   "auto: where application_name is psql; on; off.", HXPY_ECHO_AUTO, echo_modes);
	DEFINE(Int, width, PGC_USERSET, 0,
		   "Columns of the client's screen, to which tables and other values are fit.",
		   NULL, 80, HXPY_MIN_WIDTH, HXPY_MAX_WIDTH);
	DEFINE(Int, max_frame_size, PGC_USERSET, GUC_UNIT_MB,
		   "Most memory of the server that one frame from Python may take.", NULL, 256, 1, 2048);
	DEFINE(Int, batch_size, PGC_USERSET, GUC_UNIT_KB,
		   "Size of the batches that tables travel in.", NULL, 512, 16, 1024 * 1024);
	DEFINE(Enum, numeric, PGC_USERSET, 0,
		   "What a numeric becomes in Python.",
		   "float: int when its scale is 0, else float; decimal: exact Decimal.",
		   HXPY_NUMERIC_FLOAT, numeric_modes);
	DEFINE(Enum, unsupported, PGC_USERSET, 0,
		   "What becomes of a date, time or interval that Python cannot hold.",
		   "error; text: its text, a str; null: NULL.", HXPY_UNSUPPORTED_ERROR, unsupported_modes);
	DEFINE(Enum, sql, PGC_SUSET, 0,
		   "Whether Python may run SQL while a statement has called it.",
		   "on; read-only; off.", HXPY_SQL_ON, sql_modes);
	DEFINE(Bool, superuser_sql, PGC_SUSET, 0,
		   "Lets Python run SQL for superusers and members of the roles of server files and programs.",
		   "Whoever made the session's image could then do all that they may.", false);
}

/* Have queries planned anew that were planned under another value of hxpy.batching. */
static void
assign_batching(bool newval, void *extra)
{
	if (newval != hxpy_batching)
		ResetPlanCache();
}

/* The same for hxpy.batch_volatile. */
static void
assign_batch_volatile(bool newval, void *extra)
{
	if (newval != hxpy_batch_volatile)
		ResetPlanCache();
}

/* Define the settings of functions that are called for many rows at once. */
static void
define_batches(void)
{
	DefineCustomBoolVariable("hxpy.batching",
							 "Calls functions of the language hxpy for many rows of a query at once.",
							 NULL, &hxpy_batching, true, PGC_USERSET, 0, NULL, assign_batching, NULL);
	DefineCustomBoolVariable("hxpy.batch_volatile",
							 "Does so with VOLATILE functions, too.",
							 "Their calls then come ahead of the rows that the query gives.",
							 &hxpy_batch_volatile, false, PGC_USERSET, 0, NULL, assign_batch_volatile, NULL);
	DEFINE(Int, batch_rows, PGC_USERSET, 0,
		   "Most rows for which functions are called at once.", NULL, 4096, 1, 1024 * 1024);
	DEFINE(Int, workers, PGC_USERSET, 0,
		   "Processes of a session that work for one call, on batches beside each other.",
		   "For py_apply and functions that are called for many rows at once; they share the session's CPUs and memory.",
		   1, 1, HXPY_MAX_WORKERS);
}

/* Define all settings. */
void
hxpy_guc_init(void)
{
	define_docker();
	define_containers();
	define_pool();
	define_sharing();
	define_io();
	define_sessions();
	define_batches();
	MarkGUCPrefixReserved("hxpy");
}
