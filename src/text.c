/*
 * text.c
 *	  Foreign text made safe, names, and lists in settings.
 *
 * Containers, workers and the engine are strangers: before their words go into
 * a message, what is no UTF-8, control characters but newline and tab (a
 * terminal may show the message), and what the server's encoding lacks become
 * '?'.  Here are also what a name is, and the lists that settings hold.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"

#include "hxpy.h"
#include "text.h"

/* Return whether a byte of verified UTF-8 text starts a control character. */
static bool
is_control(const char *text, int len)
{
	unsigned char c = text[0];

	if (len == 1)
		return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
	return len == 2 && c == 0xC2 && (unsigned char) text[1] < 0xA0;
}

/* Return UTF-8 text of anyone with '?' for what is invalid or a control. */
static char *
clean_utf8(const char *text, size_t len)
{
	char	   *clean = palloc(len + 1);
	size_t		used = 0;
	size_t		i = 0;

	while (i < len)
	{
		int			n = pg_encoding_verifymbchar(PG_UTF8, text + i,
												 (int) Min(len - i, 8));

		if (n <= 0 || is_control(text + i, n))
		{
			clean[used++] = '?';
			i += Max(n, 1);
			continue;
		}
		memcpy(clean + used, text + i, n);
		used += n;
		i += n;
	}
	clean[used] = '\0';
	return clean;
}

/* Replace all that is not ASCII, where no conversion can be had. */
static char *
strip_to_ascii(char *text)
{
	for (char *p = text; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return text;
}

/* Convert valid UTF-8 by proc, with '?' for what the server cannot hold. */
static char *
convert_lossy(Oid proc, char *text, int encoding)
{
	int			len = strlen(text);
	Size		size = (Size) len * MAX_CONVERSION_GROWTH + 16;
	char	   *result = palloc(size);
	Size		used = 0;

	for (;;)
	{
		int			done = pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding,
														 (unsigned char *) text, len,
														 (unsigned char *) result + used,
														 (int) (size - used), true);

		used += strlen(result + used);
		if (done >= len)
			return result;
		text += done;
		len -= done;
		result[used++] = '?';
		done = Min(pg_encoding_mblen(PG_UTF8, text), len);
		text += done;
		len -= done;
	}
}

/*
 * Return foreign text, given in UTF-8, in the server's encoding and safe to
 * show and to store; palloc'd.
 */
char *
hxpy_text_clean(const char *text, size_t len)
{
	int			encoding = GetDatabaseEncoding();
	char	   *clean = clean_utf8(text, len);
	Oid			proc;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return clean;
	if (!IsTransactionState())
		return strip_to_ascii(clean);
	proc = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(proc))
		return strip_to_ascii(clean);
	return convert_lossy(proc, clean, encoding);
}

/* Split a comma-separated list; items are trimmed and none is empty. */
List *
hxpy_text_split(const char *list)
{
	List	   *items = NIL;
	char	   *rest = pstrdup(list);
	char	   *item;

	while ((item = strsep(&rest, ",")) != NULL)
	{
		char	   *end;

		while (isspace((unsigned char) *item))
			item++;
		end = item + strlen(item);
		while (end > item && isspace((unsigned char) end[-1]))
			*--end = '\0';
		if (*item)
			items = lappend(items, item);
	}
	return items;
}

/*
 * Return whether the engine may call a thing so: at most 128 letters, digits, "_", "."
 * and "-", of which the first is a letter or a digit.
 */
bool
hxpy_text_is_name(const char *text)
{
	size_t		length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return length > 0 && length <= 128 && text[length] == '\0' && !strchr("_.-", text[0]);
}

/* Match a name with a pattern in which '*' stands for any characters. */
static bool
matches_pattern(const char *name, const char *pattern)
{
	for (; *pattern && *pattern != '*'; name++, pattern++)
	{
		if (*name != *pattern)
			return false;
	}
	if (!*pattern)
		return !*name;
	for (;; name++)
	{
		if (matches_pattern(name, pattern + 1))
			return true;
		if (!*name)
			return false;
	}
}

/* Return whether a name matches one of a list's patterns. */
bool
hxpy_text_in_patterns(const char *name, const char *patterns)
{
	ListCell   *cell;

	foreach(cell, hxpy_text_split(patterns))
	{
		if (matches_pattern(name, lfirst(cell)))
			return true;
	}
	return false;
}
