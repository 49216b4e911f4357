/*
 * coltype.c
 *	  How SQL types travel: the set-up that is done once for many values.
 *
 * The table of docs/types.md in C.  A ColumnType belongs to the memory context
 * that was current when it was made.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_language.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "hxpy.h"
#include "codec/coltype.h"
#include "codec/wire.h"
#include "guc.h"

/* Return text in UTF-8, palloc'd. */
char *
hxpy_coltype_to_utf8(const char *text)
{
	char	   *converted = pg_server_to_any(text, strlen(text), PG_UTF8);

	return converted == text ? pstrdup(text) : converted;
}

/* The tags of the base types that have one of their own; back, the first of a tag counts */
static const struct
{
	Oid			type;
	uint8		tag;
}			scalar_tags[] = {
	{BOOLOID, HXPY_TAG_BOOL},
	{INT2OID, HXPY_TAG_INT16},
	{INT4OID, HXPY_TAG_INT32},
	{INT8OID, HXPY_TAG_INT64},
	{FLOAT4OID, HXPY_TAG_FLOAT32},
	{FLOAT8OID, HXPY_TAG_FLOAT64},
	{DATEOID, HXPY_TAG_DATE},
	{TIMEOID, HXPY_TAG_TIME},
	{TIMESTAMPOID, HXPY_TAG_TIMESTAMP},
	{TIMESTAMPTZOID, HXPY_TAG_TIMESTAMPTZ},
	{INTERVALOID, HXPY_TAG_INTERVAL},
	{UUIDOID, HXPY_TAG_UUID},
	{NUMERICOID, HXPY_TAG_NUMERIC},
	{JSONBOID, HXPY_TAG_JSON},
	{JSONOID, HXPY_TAG_JSON},
	{BYTEAOID, HXPY_TAG_BYTEA},
	{TEXTOID, HXPY_TAG_TEXT},
	{VARCHAROID, HXPY_TAG_TEXT},
	{BPCHAROID, HXPY_TAG_TEXT},
	{NAMEOID, HXPY_TAG_TEXT},
	{CHAROID, HXPY_TAG_TEXT},
	{UNKNOWNOID, HXPY_TAG_TEXT}
};

/* The tags of the Haystack domains */
static const struct
{
	const char *name;
	uint8		tag;
}			domain_tags[] = {
	{"hs_ref", HXPY_TAG_REF},
	{"hs_uri", HXPY_TAG_URI},
	{"hs_symbol", HXPY_TAG_SYMBOL}
};

/* Return the tag of one of the Haystack domains of this extension, 0 for other domains. */
static uint8
haystack_domain_tag(Oid domain, const char *name)
{
	for (int i = 0; i < lengthof(domain_tags); i++)
	{
		if (strcmp(name, domain_tags[i].name) == 0 &&
			getExtensionOfObject(TypeRelationId, domain) == get_extension_oid("hxpy", true))
			return domain_tags[i].tag;
	}
	return 0;
}

/*
 * Strip domains off a type: sets the base type and its typmod, and returns the
 * tag of a Haystack domain met on the way, else 0.
 */
static uint8
strip_domains(ColumnType *type, Oid type_id, int32 typmod)
{
	uint8		tag = 0;

	for (;;)
	{
		HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type_id));
		Form_pg_type form;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for type %u", type_id);
		form = (Form_pg_type) GETSTRUCT(tuple);
		if (form->typtype != TYPTYPE_DOMAIN)
		{
			type->base_id = type_id;
			type->typmod = typmod;
			type->typlen = form->typlen;
			type->typbyval = form->typbyval;
			type->typalign = form->typalign;
			ReleaseSysCache(tuple);
			return tag;
		}
		if (tag == 0)
			tag = haystack_domain_tag(type_id, NameStr(form->typname));
		typmod = form->typtypmod;
		type_id = form->typbasetype;
		ReleaseSysCache(tuple);
	}
}

/* Return the tag of a base type that is neither array nor composite. */
static uint8
scalar_tag(Oid base_id)
{
	for (int i = 0; i < lengthof(scalar_tags); i++)
	{
		if (scalar_tags[i].type == base_id)
			return scalar_tags[i].tag;
	}
	return type_is_enum(base_id) ? HXPY_TAG_TEXT : HXPY_TAG_OTHER;
}

/* Return the `extra` of a type's columns. */
static char *
type_extra(const ColumnType *type)
{
	switch (type->tag)
	{
		case HXPY_TAG_NUMERIC:
			return hxpy_numeric == HXPY_NUMERIC_DECIMAL ? "decimal" : "";
		case HXPY_TAG_DATE:
		case HXPY_TAG_TIMESTAMP:
			return type->for_input ? pstrdup(pg_get_timezone_name(session_timezone)) : "";
		case HXPY_TAG_TIMESTAMPTZ:
			return pstrdup(pg_get_timezone_name(session_timezone));
		case HXPY_TAG_OTHER:
		case HXPY_TAG_RECORD:
			return hxpy_coltype_to_utf8(format_type_be(type->base_id));
		case HXPY_TAG_TEXT:
			return type_is_enum(type->base_id) ?
				hxpy_coltype_to_utf8(format_type_be(type->base_id)) : "";
		default:
			return "";
	}
}

/* Look up the output or input function of a type that travels as text. */
static void
set_conversion(ColumnType *type)
{
	Oid			function;
	bool		is_varlena;

	type->is_varlena_text = type->base_id == TEXTOID || type->base_id == VARCHAROID ||
		type->base_id == BPCHAROID || type->base_id == JSONOID;
	if (type->for_input)
		getTypeInputInfo(type->base_id, &function, &type->ioparam);
	else
		getTypeOutputInfo(type->base_id, &function, &is_varlena);
	fmgr_info(function, &type->convert);
}

/*
 * Give a record type its fields.  The descriptor is copied.
 */
void
hxpy_coltype_set_record(ColumnType *type, TupleDesc tupdesc)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(type));

	type->tupdesc = CreateTupleDescCopy(tupdesc);
	if (type->tupdesc->tdtypeid == RECORDOID)
		type->tupdesc = BlessTupleDesc(type->tupdesc);
	type->children = palloc0(tupdesc->natts * sizeof(ColumnType *));
	type->nchildren = 0;
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);
		ColumnType *field;

		if (attribute->attisdropped)
			continue;
		field = hxpy_coltype_create(attribute->atttypid, attribute->atttypmod, type->for_input);
		field->name = hxpy_coltype_to_utf8(NameStr(attribute->attname));
		hxpy_coltype_adapt(field, type->is_plain, type->transforms);
		type->children[type->nchildren++] = field;
	}
	MemoryContextSwitchTo(old);
}

/*
 * Return whether a type is a vector: an array of its own kind, with one dimension from 0
 * and no NULLs, which only its input function knows to make.
 */
static bool
is_vector(Oid base_id)
{
	return base_id == INT2VECTOROID || base_id == OIDVECTOROID;
}

/*
 * Return the element of a type that travels as array, else InvalidOid: a type may
 * call itself an array of others and still have a form of its own.
 */
static Oid
array_element(const ColumnType *type)
{
	Oid			element;

	if (type->base_id == RECORDARRAYOID)
		return RECORDOID;
	element = type->typlen == -1 ? get_element_type(type->base_id) : InvalidOid;
	if (OidIsValid(element) && !is_vector(type->base_id) &&
		get_array_type(element) != type->base_id)
		return InvalidOid;
	return element;
}

/* Set up an array type's element. */
static void
set_element(ColumnType *type, Oid element)
{
	type->tag = HXPY_TAG_ARRAY;
	type->nchildren = 1;
	type->children = palloc(sizeof(ColumnType *));
	type->children[0] = hxpy_coltype_create(element, type->typmod, type->for_input);
}

/* Set up a composite type; an anonymous record gets its fields from its first value. */
static void
set_composite(ColumnType *type)
{
	TupleDesc	tupdesc;

	type->tag = HXPY_TAG_RECORD;
	if (type->base_id == RECORDOID)
	{
		if (type->for_input)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a value of type record has no known fields"),
					 errhint("Name a composite type, for example NULL::my_type.")));
		return;
	}
	tupdesc = lookup_rowtype_tupdesc(type->base_id, type->typmod);
	hxpy_coltype_set_record(type, tupdesc);
	ReleaseTupleDesc(tupdesc);
}

/*
 * Set up the travel of a type: to Python, or (`for_input`) back from it.
 */
ColumnType *
hxpy_coltype_create(Oid type_id, int32 typmod, bool for_input)
{
	ColumnType *type = palloc0(sizeof(ColumnType));
	Oid			element;

	check_stack_depth();
	type->name = "";
	type->type_id = type_id;
	type->for_input = for_input;
	type->tag = strip_domains(type, type_id, typmod);
	if (type->tag == 0)
	{
		if (type_is_rowtype(type->base_id))
			set_composite(type);
		else if (OidIsValid(element = array_element(type)))
			set_element(type, element);
		else
			type->tag = scalar_tag(type->base_id);
	}
	type->extra = type_extra(type);
	if (hxpy_wire_is_text(type->tag) || is_vector(type->base_id))
		set_conversion(type);
	return type;
}

/* Set up the travel of rows whose fields are known, whatever their type is called. */
ColumnType *
hxpy_coltype_create_record(TupleDesc tupdesc, bool for_input)
{
	ColumnType *type = palloc0(sizeof(ColumnType));

	type->tag = HXPY_TAG_RECORD;
	type->type_id = type->base_id = tupdesc->tdtypeid;
	type->typmod = tupdesc->tdtypmod;
	type->typlen = -1;
	type->typalign = TYPALIGN_DOUBLE;
	type->for_input = for_input;
	type->extra = type_extra(type);
	hxpy_coltype_set_record(type, tupdesc);
	return type;
}

/* Set up the travel of a list of rows that have no type in SQL as one value. */
ColumnType *
hxpy_coltype_create_list(int nfields, ColumnType **fields)
{
	ColumnType *row = palloc0(sizeof(ColumnType));
	ColumnType *list = palloc0(sizeof(ColumnType));

	row->tag = HXPY_TAG_RECORD;
	row->name = row->extra = "";
	row->nchildren = nfields;
	row->children = fields;
	list->tag = HXPY_TAG_ARRAY;
	list->name = list->extra = "";
	list->nchildren = 1;
	list->children = palloc(sizeof(ColumnType *));
	list->children[0] = row;
	return list;
}

/*
 * Return what the worker calls a type's form as dict or list, NULL when it has none.
 */
const char *
hxpy_coltype_transform(Oid base_id)
{
	static const char *const contributed[] = {"hstore", "ltree"};
	HeapTuple	tuple;
	const char *found = NULL;

	if (base_id == JSONBOID)
		return "jsonb";
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(base_id));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	for (int i = 0; i < lengthof(contributed); i++)
	{
		if (strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), contributed[i]) == 0 &&
			getExtensionOfObject(TypeRelationId, base_id) ==
			get_extension_oid(contributed[i], true))
			found = contributed[i];
	}
	ReleaseSysCache(tuple);
	return found;
}

/*
 * Have a type travel as in PL/Python: to Python numbers, booleans, bytea and texts as what
 * they are, numeric as Decimal, oid as int, arrays as lists, and all else as text; back
 * booleans by their truth, bytea, and all else by the text of what Python gives.
 */
static void
set_plain(ColumnType *type)
{
	switch (type->tag)
	{
		case HXPY_TAG_ARRAY:
			type->extra = "list";
			return;
		case HXPY_TAG_RECORD:
		case HXPY_TAG_BYTEA:
			return;
		case HXPY_TAG_BOOL:
			type->extra = type->for_input ? "truth" : "";
			return;
		case HXPY_TAG_NUMERIC:
			if (type->for_input)
				break;
			type->extra = "decimal";
			return;
		case HXPY_TAG_INT16:
		case HXPY_TAG_INT32:
		case HXPY_TAG_INT64:
		case HXPY_TAG_FLOAT32:
		case HXPY_TAG_FLOAT64:
		case HXPY_TAG_TEXT:
			if (type->for_input)
				break;
			return;
		default:
			break;
	}
	type->tag = HXPY_TAG_PLAIN;
	type->extra = type->base_id == OIDOID && !type->for_input ? "int" : "";
	set_conversion(type);
}

/*
 * Have a type travel as a function wants: plain as in PL/Python, and the types of its
 * transforms, with what they are within, as dicts and lists.
 */
void
hxpy_coltype_adapt(ColumnType *type, bool plain, List *transforms)
{
	bool		transformed = list_member_oid(transforms, type->base_id);

	type->is_plain = plain;
	type->transforms = transforms;
	for (int i = 0; i < type->nchildren; i++)
		hxpy_coltype_adapt(type->children[i], plain, transforms);
	/* By itself jsonb travels so, with Haystack's kinds of values. */
	if (transformed && (plain || type->tag != HXPY_TAG_JSON))
	{
		type->tag = HXPY_TAG_PLAIN;
		type->extra = pstrdup(hxpy_coltype_transform(type->base_id));
		set_conversion(type);
	}
	else if (plain && !transformed)
		set_plain(type);
}

/* Return how many columns a type makes: its own, and those of elements or fields. */
uint32
hxpy_coltype_count(const ColumnType *type)
{
	uint32		count = 1;

	for (int i = 0; i < type->nchildren; i++)
		count += hxpy_coltype_count(type->children[i]);
	return count;
}

/*
 * Return whether making values of a type may run code, which may call Python: they
 * are checked by a domain.
 */
bool
hxpy_coltype_runs_code(const ColumnType *type)
{
	/* Others may hold one out of sight, as ranges do. */
	if (type->type_id != type->base_id || type->tag == HXPY_TAG_OTHER || type->tag == HXPY_TAG_PLAIN)
		return true;
	for (int i = 0; i < type->nchildren; i++)
	{
		if (hxpy_coltype_runs_code(type->children[i]))
			return true;
	}
	return false;
}

/* Return the extension's schema, that of its language's handler. */
static Oid
extension_schema(void)
{
	HeapTuple	tuple = SearchSysCache1(LANGNAME, CStringGetDatum("hxpy"));
	Oid			handler;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	handler = ((Form_pg_language) GETSTRUCT(tuple))->lanplcallfoid;
	ReleaseSysCache(tuple);
	return get_func_namespace(handler);
}

/* Return the SQL type for values that Python has chosen the tag of. */
Oid
hxpy_coltype_of_wire(const WireColumn *column)
{
	Oid			type = InvalidOid;

	if (column->tag == HXPY_TAG_ARRAY)
	{
		type = get_array_type(hxpy_coltype_of_wire(column->children));
		return OidIsValid(type) ? type : JSONBOID;
	}
	for (int i = 0; i < lengthof(scalar_tags); i++)
	{
		if (scalar_tags[i].tag == column->tag)
			return scalar_tags[i].type;
	}
	for (int i = 0; i < lengthof(domain_tags); i++)
	{
		if (domain_tags[i].tag == column->tag)
			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
								   CStringGetDatum(domain_tags[i].name),
								   ObjectIdGetDatum(extension_schema()));
	}
	return OidIsValid(type) ? type : TEXTOID;
}
