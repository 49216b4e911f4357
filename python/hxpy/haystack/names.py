"""Names of tags and columns."""

from __future__ import annotations

import re

__all__ = ["is_tag_name", "to_tag_name"]

_LEGAL = re.compile(r"[a-z][A-Za-z0-9_]*|_[A-Za-z0-9_]+", re.ASCII).fullmatch
_CAPITALS = re.compile(r"[A-Z]{2,}").match
_WORD_START = re.compile(r" +(.)")
_SEPARATORS = re.compile(r"[./-](?=.)")
_DROPPED = re.compile(r"[^A-Za-z0-9_]+")


def is_tag_name(name: str) -> bool:
    """Tell whether a name may be that of a tag or column.

    Haystack's [a-z][A-Za-z0-9_]*, and what Haxall allows beside it: "_" and one
    character or more.
    """
    return _LEGAL(name) is not None


def to_tag_name(name: str) -> str:
    """Return a name made legal as Haxall's Etc.toTagName does; a legal name as it is.

    A run of leading capitals goes lower case, words are joined in camel case,
    ". - /" become "_" (unless last), what else is illegal is dropped, "v" comes
    before a leading digit or "_": "Zone Temp" → "zoneTemp", "ID" → "id",
    "2nd" → "v2nd".  Nothing left is "v".  Different names may become the same.
    """
    if is_tag_name(name):
        return name
    name = name.strip()
    capitals = _CAPITALS(name)
    if capitals:
        name = capitals[0].lower() + name[capitals.end():]
    name = _WORD_START.sub(lambda match: match[1].upper(), name)
    name = _DROPPED.sub("", _SEPARATORS.sub("_", name))
    if not name:
        return "v"
    return name[0].lower() + name[1:] if name[0].isalpha() else "v" + name
