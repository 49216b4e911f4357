/*
 * function.h
 *	  Functions of the language: what the catalog says, what a worker knows.
 */
#ifndef HXPY_FUNCTION_H
#define HXPY_FUNCTION_H

#include "storage/itemptr.h"

#include "codec/protocol.h"
#include "session/session.h"

/* What becomes of a function's value. */
typedef enum FunctionKind
{
	FUNCTION_VALUE,				/* one value, perhaps a row */
	FUNCTION_VOID,				/* none */
	FUNCTION_SET,				/* any number of values or rows */
	FUNCTION_TRIGGER,			/* what to do with a row */
	FUNCTION_EVENT_TRIGGER
} FunctionKind;

/*
 * A function, or a callable of a session; lives in the memory context that was current when
 * it was loaded.
 */
typedef struct PyFunction
{
	Oid			oid;			/* of a callable that of py_call */
	TransactionId xmin;			/* of its row in pg_proc, with `tid` its version */
	ItemPointerData tid;
	FunctionKind kind;
	char	   *name;			/* of a callable the expression that gives it */
	bool		is_callable;
	char	   *session;		/* of a callable, or NULL for that of hxpy.session */
	int			first;			/* argument of a callable, after those of py_call */
	bool		is_procedure;
	bool		read_only;		/* STABLE or IMMUTABLE: its SQL changes nothing */
	bool		pins_image;		/* its own SET chooses the image */
	bool		takes_columns;	/* of the language hxpy_batch */
	Oid			result;			/* as declared */
	int			nargs;			/* that it is called with */
	Oid		   *types;			/* of these, as declared */
	List	   *transforms;		/* types of its TRANSFORM clause */
	char		key[HXPY_KEY_LENGTH + 1];	/* what workers call it */
} PyFunction;

extern PyFunction *hxpy_function_load(Oid oid);
extern char *hxpy_function_source(const PyFunction *function);
extern bool hxpy_function_is_current(const PyFunction *function);
extern PySession *hxpy_function_session(const PyFunction *function);
extern void hxpy_function_exchange(Exchange *exchange, const PyFunction *function,
								   PySession *session, uint8 type);
extern const char *hxpy_function_key(const PyFunction *function);
extern ColumnType *hxpy_function_type(const PyFunction *function, ColumnType *type);
extern void hxpy_function_check(const PyFunction *function);
extern void hxpy_function_do(const char *source, bool nonatomic);
extern void hxpy_function_context(void *function);

#endif							/* HXPY_FUNCTION_H */
