/*
 * guc.h
 *	  The settings of hxpy (prefix "hxpy.", one variable each).
 */
#ifndef HXPY_GUC_H
#define HXPY_GUC_H

/* Docker engine */
extern char *hxpy_docker_host;	/* unix:///path or tcp://host:port */
extern char *hxpy_docker_cert_path; /* directory of ca.pem, cert.pem, key.pem */
extern bool hxpy_docker_insecure;	/* allow tcp:// without TLS */
extern int	hxpy_docker_timeout;	/* ms, one request to the engine */

/* containers */
extern char *hxpy_image;		/* preference list */
extern char *hxpy_allowed_images;	/* patterns */
extern char *hxpy_network;		/* of new sessions */
extern char *hxpy_allowed_networks; /* patterns */
extern char *hxpy_publish_address;	/* of the engine's host, "" for none */
extern char *hxpy_runtime;		/* OCI runtime, "" for the engine's own */
extern char *hxpy_socket_directory; /* "" for one in the data directory */
extern int	hxpy_memory;		/* MB */
extern int	hxpy_max_memory;	/* MB */
extern double hxpy_cpus;
extern double hxpy_max_cpus;
extern int	hxpy_pids_limit;
extern int	hxpy_tmp_size;		/* MB */
extern int	hxpy_uid_base;		/* first of HXPY_UID_COUNT user ids */

/* pool */
extern char *hxpy_pool_images;	/* list */
extern char *hxpy_pool_imports; /* list */
extern int	hxpy_pool_size;		/* containers of each image */
extern int	hxpy_pool_starts;	/* at once */
extern int	hxpy_pool_idle;		/* s, 0 for none */

/* files */
extern char *hxpy_io_directory; /* "" for none */
extern int	hxpy_io_mode;		/* HXPY_IO_... */
extern int	hxpy_io_max_size;	/* MB, one py_io_read or py_io_write */

#define HXPY_IO_READ_ONLY		0
#define HXPY_IO_READ_WRITE		1

/* sessions */
extern char *hxpy_session;		/* in which functions of the language run */
extern int	hxpy_max_sessions;	/* in one backend */
extern int	hxpy_max_role_sessions; /* of one role, 0 for any number */
extern int	hxpy_max_total_sessions;	/* in the cluster */
extern int	hxpy_max_total_memory;	/* MB, 0 for any */
extern int	hxpy_share;			/* HXPY_SHARE_... */
extern int	hxpy_sessions_per_container;
extern int	hxpy_role_memory;	/* MB, of all shared containers of a role */
extern double hxpy_role_cpus;	/* the same */
extern int	hxpy_containers_per_role;
extern int	hxpy_open_timeout;	/* ms */
extern int	hxpy_eval_timeout;	/* ms, 0 for none */
extern int	hxpy_cancel_grace;	/* ms */
extern int	hxpy_idle_timeout;	/* ms, 0 for none */
extern int	hxpy_output;		/* elevel, or 0 for none */
extern int	hxpy_output_delay;	/* ms */
extern int	hxpy_output_limit;	/* kB, one instruction */
extern int	hxpy_spin;			/* µs */
extern int	hxpy_progress;		/* elevel, or 0 for none */
extern int	hxpy_echo;			/* HXPY_ECHO_... */
extern int	hxpy_width;			/* columns of the client's screen */
extern int	hxpy_sql;			/* HXPY_SQL_... */
extern bool hxpy_superuser_sql;
extern int	hxpy_max_frame_size;	/* MB */
extern int	hxpy_batch_size;	/* kB */
extern int	hxpy_numeric;		/* HXPY_NUMERIC_... */
extern int	hxpy_types;			/* HXPY_TYPES_... */
extern char *hxpy_start_proc;	/* function that runs first in a session, "" for none */
extern bool hxpy_start_proc_shared; /* and makes it the parent of those that come */
extern int	hxpy_unsupported;	/* HXPY_UNSUPPORTED_... */
extern bool hxpy_batching;		/* functions are called for many rows at once */
extern bool hxpy_batch_volatile;	/* VOLATILE ones, too */
extern int	hxpy_batch_rows;
extern int	hxpy_workers;

#define HXPY_SHARE_OFF			0
#define HXPY_SHARE_ROLE			1

#define HXPY_SQL_ON				0
#define HXPY_SQL_READ_ONLY		1
#define HXPY_SQL_OFF			2

#define HXPY_TYPES_NATIVE		0
#define HXPY_TYPES_PLPYTHON	1

#define HXPY_UNSUPPORTED_ERROR	0
#define HXPY_UNSUPPORTED_TEXT	1
#define HXPY_UNSUPPORTED_NULL	2

#define HXPY_ECHO_AUTO			0	/* where application_name is psql */
#define HXPY_ECHO_ON			1
#define HXPY_ECHO_OFF			2

#define HXPY_NUMERIC_FLOAT		0
#define HXPY_NUMERIC_DECIMAL	1

/* most that hxpy.max_sessions may be */
#define HXPY_MAX_SESSIONS		64

/* least that Python needs to start, MB and CPUs */
#define HXPY_MIN_MEMORY			64
#define HXPY_MIN_CPUS			0.01
#define HXPY_MAX_WORKERS		64

/* columns of a client's screen */
#define HXPY_MIN_WIDTH			20
#define HXPY_MAX_WIDTH			10000

/* these settings; in an operation for another role than the one that has logged in the server's */
extern const char *hxpy_guc_image(void);
extern const char *hxpy_guc_allowed_images(void);

extern void hxpy_guc_init(void);

#endif							/* HXPY_GUC_H */
