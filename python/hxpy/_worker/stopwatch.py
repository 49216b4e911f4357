"""How long Python works for a request, as EXPLAIN shows it.

What it waits for the server's rows, or until the server takes its own, does not count; SQL that it
asks for does.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from .._tables.wire import BATCH, Buffer

__all__ = ["Stopwatch"]

_MOST = (1 << 32) - 1   # µs that are told


class Stopwatch:
    """Runs from the start."""

    def __init__(self) -> None:
        self.spent = 0      # ns
        self.began = time.perf_counter_ns()     # 0 while it does not run

    def go(self) -> None:
        """Run on."""
        self.began = self.began or time.perf_counter_ns()

    def stop(self) -> None:
        """Stop until go()."""
        if self.began:
            self.spent += time.perf_counter_ns() - self.began
            self.began = 0

    def stamped(self, batch: Sequence[Buffer]) -> list[Buffer]:
        """Stop, and return a batch with the µs since the last one where others have a 0."""
        self.stop()
        spent, self.spent = min(self.spent // 1000, _MOST), 0
        head = bytes(batch[0])
        count, _ = BATCH.unpack_from(head)
        return [BATCH.pack(count, spent) + head[BATCH.size:], *batch[1:]]
