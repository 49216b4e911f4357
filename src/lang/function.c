/*
 * function.c
 *	  Functions of the language: what the catalog says, what a worker knows.
 *
 * A worker compiles a function when it is told of it (FUNCTION), and runs it by its key
 * from then on (INVOKE).  A key says which version of which row of pg_proc it is, so that
 * a function that was replaced is another one; the worker then forgets the old one.
 * What a session's worker knows stands beside the session and ends with it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "hxpy.h"
#include "guc.h"
#include "lang/function.h"
#include "lang/language.h"
#include "session/share.h"

#define IMAGE_SETTING	"hxpy.image="
#define MIN_LIMIT		64		/* functions that a worker knows before dropped ones are looked for */

/* A function that a worker has compiled. */
typedef struct KnownFunction
{
	Oid			oid;			/* must be first: the hash table's key */
	TransactionId xmin;
	ItemPointerData tid;
} KnownFunction;

/* id of the session for which hxpy.start_proc runs, or 0 */
static uint64 starting = 0;

static const char *const kind_names[] = {
	[FUNCTION_VALUE] = "value",
	[FUNCTION_VOID] = "void",
	[FUNCTION_SET] = "set",
	[FUNCTION_TRIGGER] = "trigger",
	[FUNCTION_EVENT_TRIGGER] = "event_trigger"
};

/* ---------- the catalog ---------- */

/* Return a function's row of pg_proc. */
static HeapTuple
get_row(Oid oid)
{
	HeapTuple	row = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for function %u", oid);
	return row;
}

/* Return whether a function's own SET chooses the image. */
static bool
pins_image(HeapTuple row)
{
	bool		isnull;
	Datum		settings = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_proconfig, &isnull);
	Datum	   *items;
	int			nitems;
	bool		found = false;

	if (isnull)
		return false;
	deconstruct_array(DatumGetArrayTypeP(settings), TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &nitems);
	for (int i = 0; i < nitems; i++)
		found = found || strncmp(TextDatumGetCString(items[i]), IMAGE_SETTING,
								 strlen(IMAGE_SETTING)) == 0;
	return found;
}

/* Refuse types that Python cannot take or give. */
static void
check_types(const PyFunction *function)
{
	Oid			result = function->result;

	if (function->takes_columns && (function->kind != FUNCTION_VALUE || function->is_procedure))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("functions of the language hxpy_batch return one value for each row"),
				 errhint("For sets, triggers, procedures and void there is LANGUAGE hxpy.")));

	if (get_typtype(result) == TYPTYPE_PSEUDO && function->kind < FUNCTION_TRIGGER &&
		result != VOIDOID && result != RECORDOID && !IsPolymorphicType(result))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("hxpy functions cannot return type %s", format_type_be(result))));
	for (int i = 0; i < function->nargs; i++)
	{
		Oid			type = function->types[i];

		if (get_typtype(type) == TYPTYPE_PSEUDO && type != RECORDOID && type != RECORDARRAYOID &&
			!IsPolymorphicType(type))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("hxpy functions cannot accept type %s", format_type_be(type))));
	}
}

/* Return the types of a function's TRANSFORM clause. */
static List *
load_transforms(HeapTuple row)
{
	Oid		   *types;
	int			ntypes = get_func_trftypes(row, &types);
	List	   *list = NIL;

	for (int i = 0; i < ntypes; i++)
	{
		if (hxpy_coltype_transform(types[i]) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("hxpy does not transform type %s", format_type_be(types[i])),
					 errhint("It transforms jsonb, hstore and ltree.")));
		list = lappend_oid(list, types[i]);
	}
	return list;
}

/* Describe a function, in the current memory context. */
PyFunction *
hxpy_function_load(Oid oid)
{
	PyFunction *function = palloc0(sizeof(PyFunction));
	HeapTuple	row = get_row(oid);
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(row);

	function->oid = oid;
	function->xmin = HeapTupleHeaderGetRawXmin(row->t_data);
	function->tid = row->t_self;
	function->name = pstrdup(NameStr(form->proname));
	function->is_procedure = form->prokind == PROKIND_PROCEDURE;
	function->read_only = form->provolatile != PROVOLATILE_VOLATILE;
	function->pins_image = pins_image(row);
	function->takes_columns = hxpy_language_kind(form->prolang) == LANGUAGE_COLUMNS;
	function->result = form->prorettype;
	function->nargs = form->pronargs;
	function->types = palloc(Max(form->pronargs, 1) * sizeof(Oid));
	memcpy(function->types, form->proargtypes.values, form->pronargs * sizeof(Oid));
	function->kind = form->proretset ? FUNCTION_SET :
		form->prorettype == VOIDOID ? FUNCTION_VOID :
		form->prorettype == TRIGGEROID ? FUNCTION_TRIGGER :
		form->prorettype == EVENT_TRIGGEROID ? FUNCTION_EVENT_TRIGGER : FUNCTION_VALUE;
	function->transforms = load_transforms(row);
	ReleaseSysCache(row);
	snprintf(function->key, sizeof(function->key), "%08x%04x%08x%08x%04x", oid, function->kind,
			 function->xmin, ItemPointerGetBlockNumberNoCheck(&function->tid),
			 ItemPointerGetOffsetNumberNoCheck(&function->tid));
	check_types(function);
	return function;
}

/* Return a function's source. */
char *
hxpy_function_source(const PyFunction *function)
{
	HeapTuple	row = get_row(function->oid);
	bool		isnull;
	Datum		source = SysCacheGetAttr(PROCOID, row, Anum_pg_proc_prosrc, &isnull);
	char	   *body;

	if (isnull)
		elog(ERROR, "null prosrc");
	body = TextDatumGetCString(source);
	ReleaseSysCache(row);
	return body;
}

/* Return whether a function is still what was loaded. */
bool
hxpy_function_is_current(const PyFunction *function)
{
	HeapTuple	row;
	bool		current;

	if (function->is_callable)
		return true;
	row = get_row(function->oid);
	current = function->xmin == HeapTupleHeaderGetRawXmin(row->t_data) &&
		ItemPointerEquals(&row->t_self, unconstify(ItemPointerData *, &function->tid));
	ReleaseSysCache(row);
	return current;
}

/* Have a type travel as hxpy.types and the function's transforms want; returns it. */
ColumnType *
hxpy_function_type(const PyFunction *function, ColumnType *type)
{
	if (function->is_callable)
		return type;
	if (hxpy_types == HXPY_TYPES_PLPYTHON || function->transforms != NIL)
		hxpy_coltype_adapt(type, hxpy_types == HXPY_TYPES_PLPYTHON, function->transforms);
	return type;
}

/* ---------- the worker ---------- */

/* Call the function that hxpy.start_proc names. */
static void
call_start_proc(void)
{
	Oid			oid = LookupFuncName(HxpyParseName(hxpy_start_proc), 0, NULL,
									 false);
	AclResult	right = HxpyFunctionAclCheck(oid);
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo	info;

	if (right != ACLCHECK_OK)
		aclcheck_error(right, OBJECT_FUNCTION, hxpy_start_proc);
	fmgr_info(oid, &info);
	InitFunctionCallInfoData(*fcinfo, &info, 0, InvalidOid, NULL, NULL);
	(void) FunctionCallInvoke(fcinfo);
}

/* Return the current role's session of the setting; hxpy.start_proc has run in it. */
static PySession *
get_session(bool pins_image)
{
	PySession  *session = hxpy_session_use(hxpy_session, pins_image);
	uint64		id = session->id;
	uint64		outer = starting;
	bool		fresh = session->worker->request == 1;	/* nothing but OPEN was sent */

	if (session->started || starting == id)
		return session;
	if (hxpy_start_proc[0])
	{
		PG_TRY();
		{
			starting = id;
			call_start_proc();
		}
		PG_FINALLY();
		{
			starting = outer;
		}
		PG_END_TRY();
		/* It may have closed the session. */
		session = hxpy_session_use(hxpy_session, pins_image);
	}
	session->started = session->id == id;
	if (session->started && fresh && hxpy_start_proc[0])
		hxpy_share_start(session);
	return session;
}

/* Make a column of the names of a function's parameters, "" for those without. */
static Column *
parameter_column(HeapTuple row)
{
	Column	   *column = hxpy_column_create(hxpy_coltype_create(TEXTOID, -1, false), "parameters",
											CurrentMemoryContext);
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			nargs = get_func_arg_info(row, &types, &names, &modes);

	for (int i = 0; i < nargs; i++)
	{
		const char *name = names != NULL ? names[i] : "";

		if (modes == NULL || modes[i] == PROARGMODE_IN || modes[i] == PROARGMODE_INOUT ||
			modes[i] == PROARGMODE_VARIADIC)
			hxpy_column_append(column, CStringGetTextDatum(name), false);
	}
	return column;
}

/*
 * Return whether a function still exists.  The syscache is not asked, since it would keep for
 * ever that a dropped one does not.
 */
static bool
has_row(Relation catalog, Oid oid)
{
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, Anum_pg_proc_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(catalog, ProcedureOidIndexId, true, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	return found;
}

/*
 * Make a column of the functions that a session's worker knows and that were dropped, as
 * their keys begin, and forget them.  Looked for when the worker knows twice as many as were
 * left the last time.
 */
static Column *
dropped_column(PySession *session)
{
	Column	   *column = hxpy_column_create(hxpy_coltype_create(TEXTOID, -1, false), "dropped",
											CurrentMemoryContext);
	HASH_SEQ_STATUS status;
	KnownFunction *known;
	Relation	catalog;

	if (session->functions == NULL ||
		hash_get_num_entries(session->functions) < Max(session->functions_limit, MIN_LIMIT))
		return column;
	catalog = table_open(ProcedureRelationId, AccessShareLock);
	hash_seq_init(&status, session->functions);
	while ((known = hash_seq_search(&status)) != NULL)
	{
		if (has_row(catalog, known->oid))
			continue;
		hxpy_column_append(column, CStringGetTextDatum(psprintf("%08x", known->oid)), false);
		(void) hash_search(session->functions, &known->oid, HASH_REMOVE, NULL);
	}
	table_close(catalog, AccessShareLock);
	session->functions_limit = 2 * hash_get_num_entries(session->functions);
	return column;
}

/* Send an instruction that has a worker compile something. */
static void
send_source(PySession *session, const char *kind, const char *key, const char *name,
			const char *source, Column *parameters, bool nonatomic)
{
	Exchange	exchange;

	hxpy_session_exchange(&exchange, session, HXPY_FRAME_FUNCTION);
	hxpy_exchange_add_text(&exchange, "kind", kind);
	hxpy_exchange_add_text(&exchange, "key", key);
	hxpy_exchange_add_text(&exchange, "name", name);
	hxpy_exchange_add_text(&exchange, "source", source);
	exchange.shown = name;
	exchange.isolated = true;
	exchange.columns = list_make2(parameters, dropped_column(session));
	exchange.nonatomic = nonatomic;
	hxpy_exchange_run(&exchange);
}

/* Have a session's worker compile a function; with an empty key only to see whether it can. */
static void
compile_function(const PyFunction *function, PySession *session, const char *key)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "hxpy compile",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	HeapTuple	row = get_row(function->oid);
	Column	   *parameters = parameter_column(row);

	ReleaseSysCache(row);
	send_source(session, function->takes_columns ? "columns" : kind_names[function->kind], key,
				function->name, hxpy_function_source(function), parameters, false);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Return by what a worker finds a function: its key, or a callable's expression. */
const char *
hxpy_function_key(const PyFunction *function)
{
	return function->is_callable ? function->name : function->key;
}

/* Return the session in which a function runs, whose worker knows it. */
PySession *
hxpy_function_session(const PyFunction *function)
{
	PySession  *session;
	KnownFunction *known;
	bool		found;

	if (function->is_callable)
		return hxpy_session_get(function->session != NULL ? function->session :
								hxpy_session_default_name());
	session = get_session(function->pins_image);
	if (session->functions == NULL)
	{
		HASHCTL		control = {
			.keysize = sizeof(Oid),.entrysize = sizeof(KnownFunction),.hcxt = session->context
		};

		session->functions = hash_create("hxpy functions", 32, &control,
										 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	known = hash_search(session->functions, &function->oid, HASH_FIND, NULL);
	if (known != NULL && known->xmin == function->xmin &&
		ItemPointerEquals(&known->tid, unconstify(ItemPointerData *, &function->tid)))
		return session;
	compile_function(function, session, function->key);
	known = hash_search(session->functions, &function->oid, HASH_ENTER, &found);
	known->xmin = function->xmin;
	known->tid = function->tid;
	return session;
}

/* Make an exchange that calls a function in a session; its head is the caller's. */
void
hxpy_function_exchange(Exchange *exchange, const PyFunction *function, PySession *session,
					   uint8 type)
{
	hxpy_session_exchange(exchange, session, type);
	exchange->shown = function->name;
	exchange->read_only = function->read_only;
	exchange->transforms = function->transforms;
	exchange->isolated = !function->is_callable;
}

/* Have the worker look whether it could compile a function. */
void
hxpy_function_check(const PyFunction *function)
{
	compile_function(function, hxpy_session_use(hxpy_session, false), "");
}

/* Run the source of a DO, which may end the transaction if it is not atomic. */
void
hxpy_function_do(const char *source, bool nonatomic)
{
	send_source(get_session(false), "do", "", "inline_code_block", source,
				hxpy_column_create(hxpy_coltype_create(TEXTOID, -1, false), "parameters",
								   CurrentMemoryContext), nonatomic);
}

/* Name a function in an error's context. */
void
hxpy_function_context(void *function)
{
	const PyFunction *own = function;

	errcontext("hxpy %s \"%s\"", own->is_callable ? "callable" :
			   own->is_procedure ? "procedure" : "function", own->name);
}
