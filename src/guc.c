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
int			hxpy_max_sessions;
int			hxpy_max_role_sessions;
int			hxpy_max_total_sessions;
int			hxpy_open_timeout;
int			hxpy_eval_timeout;
int			hxpy_cancel_grace;
int			hxpy_idle_timeout;
int			hxpy_output;
int			hxpy_output_limit;
int			hxpy_progress;
int			hxpy_max_frame_size;
int			hxpy_batch_size;
int			hxpy_numeric;
int			hxpy_unsupported;

static const struct config_enum_entry output_levels[] = {
	{"none", 0, false},
	{"debug", DEBUG1, false},
	{"log", LOG, false},
	{"info", INFO, false},
	{"notice", NOTICE, false},
	{"warning", WARNING, false},
	{NULL, 0, false}
};

static const struct config_enum_entry numeric_modes[] = {
	{"float", HXPY_NUMERIC_FLOAT, false},
	{"decimal", HXPY_NUMERIC_DECIMAL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry unsupported_modes[] = {
	{"error", HXPY_UNSUPPORTED_ERROR, false},
	{"text", HXPY_UNSUPPORTED_TEXT, false},
	{"null", HXPY_UNSUPPORTED_NULL, false},
	{NULL, 0, false}
};

static const struct config_enum_entry io_modes[] = {
	{"read-only", HXPY_IO_READ_ONLY, false},
	{"read-write", HXPY_IO_READ_WRITE, false},
	{NULL, 0, false}
};

/* Define the settings of the Docker engine. */
static void
define_docker(void)
{
	DefineCustomStringVariable("hxpy.docker_host",
							   "Address of the Docker engine.",
							   "unix:///path of a socket, or tcp://host:port.",
							   &hxpy_docker_host, "unix:///var/run/docker.sock",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.docker_cert_path",
							   "Directory of ca.pem, cert.pem and key.pem for a tcp:// engine.",
							   NULL, &hxpy_docker_cert_path, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomBoolVariable("hxpy.docker_insecure",
							 "Allows a tcp:// engine without TLS.",
							 "Whoever can reach such an engine is root on its host.",
							 &hxpy_docker_insecure, false,
							 PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.docker_timeout",
							"Limit of one call of the Docker engine.",
							NULL, &hxpy_docker_timeout, 30000, 1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
}

/* Define the settings of containers. */
static void
define_containers(void)
{
	DefineCustomStringVariable("hxpy.image",
							   "Images for new sessions, the first that is there is taken.",
							   NULL, &hxpy_image, HXPY_DEFAULT_IMAGE,
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.allowed_images",
							   "Patterns of the images that sessions may use.",
							   "A comma-separated list with * as wildcard; when empty, only \""
							   HXPY_DEFAULT_IMAGE "\".",
							   &hxpy_allowed_images, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.network",
							   "Docker network of new sessions.",
							   "\"none\" for no network.", &hxpy_network, "none",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.allowed_networks",
							   "Patterns of the Docker networks that sessions may use.",
							   "A comma-separated list with * as wildcard; empty for none.",
							   &hxpy_allowed_networks, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.publish_address",
							   "Address of the engine's host on which sessions with a network are reached.",
							   "Empty where the server reaches the addresses of containers.",
							   &hxpy_publish_address, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.runtime",
							   "OCI runtime of containers, for example \"runsc\".",
							   "Empty for the engine's own.", &hxpy_runtime, "",
							   PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.socket_directory",
							   "Directory of the sockets between server and containers.",
							   "Only the server's user may enter it. Empty for one in the data directory.",
							   &hxpy_socket_directory, "",
							   PGC_SUSET, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.memory",
							"Memory of a new session's container.",
							"Counts what it keeps in /tmp, too.",
							&hxpy_memory, 1024, HXPY_MIN_MEMORY, INT_MAX,
							PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.max_memory",
							"Most memory that a session may ask for.",
							NULL, &hxpy_max_memory, 1024, HXPY_MIN_MEMORY, INT_MAX,
							PGC_SUSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomRealVariable("hxpy.cpus",
							 "CPUs of a new session's container.",
							 NULL, &hxpy_cpus, 1.0, HXPY_MIN_CPUS, 1024.0,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("hxpy.max_cpus",
							 "Most CPUs that a session may ask for.",
							 NULL, &hxpy_max_cpus, 1.0, HXPY_MIN_CPUS, 1024.0,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.pids_limit",
							"Most processes and threads of a container.",
							NULL, &hxpy_pids_limit, 64, 8, 4096,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.tmp_size",
							"Size of /tmp in a container, and of its largest file.",
							NULL, &hxpy_tmp_size, 64, 1, 1024 * 1024,
							PGC_SUSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.uid_base",
							"First of the 65536 user ids that containers run as.",
							"Nothing else on the engine's host may use them.",
							&hxpy_uid_base, 200000, 65536, INT_MAX - HXPY_UID_COUNT,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

/* Define the settings of the pool, which the launcher reads. */
static void
define_pool(void)
{
	DefineCustomIntVariable("hxpy.pool_size",
							"Containers of each image that wait for a session.",
							"Needs hxpy in shared_preload_libraries; 0 for no pool.",
							&hxpy_pool_size, 2, 0, 64,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.pool_images",
							   "Images that the pool keeps containers of.",
							   NULL, &hxpy_pool_images, HXPY_DEFAULT_IMAGE,
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("hxpy.pool_imports",
							   "Python modules that containers of the pool have imported.",
							   "A comma-separated list.", &hxpy_pool_imports, "numpy,pandas",
							   PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.pool_starts",
							"Most containers that are started at once.",
							"By the launcher and by sessions that find none in the pool.",
							&hxpy_pool_starts, 4, 1, 64,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.pool_idle",
							"Empties the pool of an image that no session has asked for in so long.",
							"The next session fills it again; 0 for never.",
							&hxpy_pool_idle, 3600, 0, 20 * SECS_PER_DAY,
							PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
}

/* Define the settings of files, which the launcher must see as backends do. */
static void
define_io(void)
{
	DefineCustomStringVariable("hxpy.io_directory",
							   "Directory of the databases' directories of files, /io in Python.",
							   "Owned by the server's user, mode 0700. Empty for none.",
							   &hxpy_io_directory, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomEnumVariable("hxpy.io_mode",
							 "What Python may do in /io.",
							 "A directory that is read-write has no quota.",
							 &hxpy_io_mode, HXPY_IO_READ_ONLY, io_modes,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.io_max_size",
							"Largest file that py_io_read and py_io_write take.",
							NULL, &hxpy_io_max_size, 256, 1, 1023,
							PGC_SUSET, GUC_UNIT_MB, NULL, NULL, NULL);
}

/* Define the settings of sessions. */
static void
define_sessions(void)
{
	DefineCustomIntVariable("hxpy.max_sessions",
							"Most Python sessions of one connection.",
							NULL, &hxpy_max_sessions, 8, 1, HXPY_MAX_SESSIONS,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.max_role_sessions",
							"Most Python sessions of one role in all connections.",
							"0 for any number.", &hxpy_max_role_sessions, 0, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	/* Where there is no shared memory it counts for nothing, but must not be refused. */
	DefineCustomIntVariable("hxpy.max_total_sessions",
							"Most Python sessions of the cluster.",
							"Needs hxpy in shared_preload_libraries.",
							&hxpy_max_total_sessions, 256, 1, 10000,
							process_shared_preload_libraries_in_progress ?
							PGC_POSTMASTER : PGC_SIGHUP,
							0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.open_timeout",
							"Limit of a session's start.",
							NULL, &hxpy_open_timeout, 60000, 1, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.eval_timeout",
							"Limit of the time that one call waits for Python.",
							"0 for none; py_timeout sets a session's own.",
							&hxpy_eval_timeout, 5 * 60 * 1000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.cancel_grace",
							"How long a cancel or timeout waits for Python before it kills it.",
							NULL, &hxpy_cancel_grace, 2000, 0, 60 * 1000,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.idle_timeout",
							"Ends sessions that were idle for so long.",
							"0 for never; read when a session is opened.",
							&hxpy_idle_timeout, 0, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomEnumVariable("hxpy.output",
							 "Level of the messages that carry Python's output.",
							 NULL, &hxpy_output, NOTICE, output_levels,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.output_limit",
							"Most output of one call, and most of its log; what exceeds it is cut.",
							"Read when a session is opened.",
							&hxpy_output_limit, 1024, 1, 1024 * 1024,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomEnumVariable("hxpy.progress",
							 "Level of the messages that carry Python's progress.",
							 NULL, &hxpy_progress, 0, output_levels,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.max_frame_size",
							"Most memory of the server that one frame from Python may take.",
							NULL, &hxpy_max_frame_size, 256, 1, 2048,
							PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("hxpy.batch_size",
							"Size of the batches that tables travel in.",
							NULL, &hxpy_batch_size, 512, 16, 1024 * 1024,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomEnumVariable("hxpy.numeric",
							 "What a numeric becomes in Python.",
							 "float: int when its scale is 0, else float; decimal: exact Decimal.",
							 &hxpy_numeric, HXPY_NUMERIC_FLOAT, numeric_modes,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("hxpy.unsupported",
							 "What becomes of a date, time or interval that Python cannot hold.",
							 "error; text: its text, a str; null: NULL.",
							 &hxpy_unsupported, HXPY_UNSUPPORTED_ERROR, unsupported_modes,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

/* Define all settings. */
void
hxpy_guc_init(void)
{
	define_docker();
	define_containers();
	define_pool();
	define_io();
	define_sessions();
	MarkGUCPrefixReserved("hxpy");
}
