"""Items of an iterator in lists: large ones for speed, but none that holds up what has come.

Who reads rows with LIMIT pays for few, and sees those of a slow generator soon.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import TypeVar

__all__ = ["blocks"]

_Item = TypeVar("_Item")

_FIRST = 16             # items of the first list, then twice as many each time
_PATIENCE = 0.1         # seconds until what is there is given out
_MOST_AT_ONCE = 256     # items that are taken without a look at the clock,
_AT_ONCE = 0.001        # as long as they take no longer


def blocks(items: Iterator[_Item], most: int) -> Iterator[list[_Item]]:
    """Yield the items in lists of at most `most`, not later than a moment after they have come.

    An item that comes late holds up those before it, at most _MOST_AT_ONCE; after it each is
    looked at.
    """
    block: list[_Item] = []
    size, step = _FIRST, 1
    start = looked = time.monotonic()
    while part := list(itertools.islice(items, min(step, size - len(block)))):
        block += part
        now = time.monotonic()
        step = min(2 * step, _MOST_AT_ONCE) if now - looked < _AT_ONCE else 1
        if len(block) == size or now - start > _PATIENCE:
            yield block
            block = []
            size = min(2 * size, most)
            now = start = time.monotonic()
        looked = now
    if block:
        yield block
