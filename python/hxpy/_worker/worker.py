"""The worker: the child process that runs the user's Python.

It holds the data connection and answers one instruction after another.  The
supervisor interrupts it with SIGINT; a page of shared memory says which
request runs and which one an interrupt means, so that no interrupt hits a
later request (docs/protocol.md, "Interrupts").
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from _signal import getsignal    # type: ignore[import-not-found]  # signal's makes an enum of it
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from types import CodeType, ModuleType
from typing import Any, NoReturn

import hxpy

from .. import hayson, plpy
from .._tables.conversion import decode_column, encode_column
from .._tables.single import ValueWriter
from .._tables.wire import (BATCH, Buffer, Column, ProtocolError, decode_batch, decode_columns,
                            decode_texts, encode_batch, encode_texts, first_text)
from ..errors import OBJECT_FIELDS, ConversionError, Error, HxpyError, SQLError
from . import functions, protocol
from .batch import Batch
from .channel import Channel
from .crew import Crew
from .hints import next_step
from .output import LogHandler, Messages, Output, Progress
from .page import ENDED, PRELOADING, PRINTING, RUNNING, TARGET
from .protocol import Connection, ConnectionClosed
from .session import Session, describe_exception
from .sql import Sql
from .stopwatch import Stopwatch
from .team import CopyError

__all__ = ["Worker", "run"]

_SIGINT = int(signal.SIGINT)
EXIT_CLOSED = 70    # exit status: the server went away

_STREAMS = (protocol.GRID, protocol.APPLY, protocol.LOAD)   # instructions that rows follow
_CACHED_PAYLOADS = 256
_CHUNK_ROWS = 16384     # of a table on its way to the server
_CACHED_LENGTH = 4096
_OPTIONS = ("output_limit", "log_level", "spin")    # that each session has
_ROOM = 100         # calls that fit when a request asks, for one that nests and fails


class Worker(Channel):
    """One session's request loop."""

    def __init__(self, connection: Connection, shared: memoryview, last_words: int) -> None:
        super().__init__(connection, shared)
        self.last_words = last_words
        self.session = Session()
        self.functions = functions.Functions(self.session)
        self.sql = Sql(self)
        self.streams = (Output(self, 1), Output(self, 2))
        self.progress = Progress(self)
        self.replaced: Any = None   # the old value of the variable that the next request sets
        self.streaming = False      # frames of the request's stream are still to come
        self.ahead: deque[tuple[int, bytearray]] = deque()     # of these, what came before an answer
        self.crew = Crew(self)
        self.is_copy = False        # that works for the session; it can ask the server nothing
        self.failed: Batch | None = None    # whose error is about to be told
        self.image = ""
        self.width = 0      # that pandas was last told
        self.place = ""     # where that has happened, a line of its context
        self.evaluations: OrderedDict[bytes, tuple[CodeType, ValueWriter]] = OrderedDict()
        self.writers: dict[bytes, ValueWriter] = {}     # by the wanted column's bytes
        self.handlers: dict[int, Callable[[bytearray], Sequence[Buffer]]] = {
            protocol.OPEN: self.open, protocol.DEFINE: self.define,
            protocol.EXEC: self.execute, protocol.EVAL: self.evaluate,
            protocol.GRID: self.grid, protocol.EVAL_GRID: self.evaluate_grid,
            protocol.APPLY: self.apply, protocol.CALL: self.call,
            protocol.CODEC: self.convert, protocol.FUNCTION: self.functions.define,
            protocol.INVOKE: self.functions.invoke,
            protocol.INVOKE_ROWS: self.invoke_rows, protocol.CALLS: self.make_calls,
            protocol.SAVE: self.save, protocol.LOAD: self.load, protocol.FORK: self.fork,
        }

    def preload(self, modules: Sequence[str]) -> None:
        """Import modules ahead of need, one by one, until a request waits or is interrupted."""
        try:
            self.shared[PRELOADING] = 1
            try:
                for module in modules:
                    if self.connection.pending() or select.select(
                            [self.connection.sock], [], [], 0)[0]:
                        break
                    try:
                        __import__(module)
                    except Exception:
                        pass        # the user's own import will say why
            finally:
                self.shared[ENDED] = time.monotonic_ns()    # no idle time until now
                self.shared[PRELOADING] = 0
        except KeyboardInterrupt:
            self.shared[PRELOADING] = 0
        self.forget()

    # Processes that the user's code forks ----------------------------------

    def after_fork(self) -> None:
        """Leave the unfinished lines of output to the worker."""
        for stream in self.streams:
            stream.rest = ""

    def leave_if_forked(self) -> None:
        """End a process that the user's code has forked and that has come back from it."""
        if not self.is_forked():
            return
        error = sys.exception()
        self.flush()
        if isinstance(error, SystemExit):
            leave(error, 2)
        if error is not None and not isinstance(error, KeyboardInterrupt):
            message, context = describe_exception(error)
            os.write(2, f"{context}\n{message}\n".encode("utf-8", "backslashreplace"))
        os._exit(error is not None)

    def rebind(self, shared: memoryview) -> None:
        """Serve another session, in a process that was forked from this one."""
        super().rebind(shared)
        self.replaced = self.failed = None
        self.streaming = False
        self.ahead.clear()
        self.sql.rebind()

    def become_copy(self) -> None:
        """Work for the session that this process was forked from."""
        self.is_copy = True
        self.last_words = 2
        self.output_limit = sys.maxsize     # the session's counts

    def pass_on(self, kind: int, payload: bytearray) -> None:
        """Send what a copy tells the server beside its answer."""
        if kind == protocol.OUTPUT:
            self.streams[payload[0] - 1].pass_on(bytes(payload[1:]))
        else:
            self.send(kind, self.shared[RUNNING], (payload,))

    # The loop --------------------------------------------------------------

    def live(self, ahead: Sequence[str] = ()) -> NoReturn:
        """Greet the server and serve it until it goes away.

        ahead: what is imported before a request has come.
        """
        try:
            self.connection.send(protocol.HELLO, 0, encode_texts(
                role="worker", python=sys.version.split()[0]))
            kind, request, payload = self.connection.receive()
            if kind != protocol.OPEN:
                raise ProtocolError("the first frame is not OPEN")
            self.reply(request, self.open, payload)
            gc.freeze()
            self.preload(ahead)
            self.loop()
        except (ConnectionClosed, ConnectionError, ProtocolError) as error:
            hang_up(error, self.last_words)

    def loop(self) -> NoReturn:
        """Answer requests until the server closes the connection, which is an error."""
        while True:
            self.crew.wait()
            self.serve(*self.connection.receive())

    def serve(self, kind: int, request: int, payload: bytearray) -> None:
        """Answer a request."""
        if self.streaming:
            # The request has failed already: skip the rest of its stream.
            self.streaming = kind == protocol.BATCH
            return
        handler = self.handlers.get(kind)
        if handler is None or request == 0:
            raise ProtocolError(f"unexpected frame of type {kind}")
        self.streaming = kind in _STREAMS
        if kind != protocol.CALLS:
            self.crew.leave()       # what they have is the session's no more
        if kind == protocol.GRID:
            # As long as no interrupt can mean the request: however it ends, the old
            # value is gone.
            self.replaced = self.session.undefine(decode_column(decode_batch(payload)[0])[0])
        self.reply(request, handler, payload)

    def reply(self, request: int, handler: Callable[[bytearray], Sequence[Buffer]],
              payload: bytearray) -> None:
        """Run one request and send its result or its error."""
        self.output_left = self.output_limit
        shared, sql = self.shared, self.sql
        depth, sql.depth = sql.depth, 0
        outer, shared[PRINTING] = shared[PRINTING], request
        sql.epoch += 1
        if getsignal(_SIGINT) != self.on_interrupt:
            signal.signal(signal.SIGINT, self.on_interrupt)
        answer: Sequence[Buffer]
        try:
            try:
                shared[RUNNING] = request
                self.replaced = None        # what its end calls can be interrupted
                if shared[TARGET] == request:
                    raise KeyboardInterrupt     # it came before the request did
                answer, kind = handler(payload), protocol.RESULT
                if not self.here[0]:
                    self.leave_if_forked()
                sql.forget()
                self.flush()
                self.end_request()
            except BaseException as error:
                self.leave_if_forked()
                self.end_request()
                answer, kind = self.failure(error), protocol.ERROR
        except KeyboardInterrupt as error:
            self.shared[RUNNING] = 0
            answer, kind = self.failure(error), protocol.ERROR
        self.postponed = False
        sql.depth = depth
        if self.broken_off:
            self.forget()
        if self.drain_output(0.5, standstill=10.0):
            self.shared[ENDED] = time.monotonic_ns()
        shared[PRINTING] = outer
        self.transmit(kind, request, answer)    # whole: no request runs, so none is interrupted

    def end_request(self) -> None:
        """Say that no request runs; the moment first, or the session seems idle since the last."""
        self.shared[ENDED] = time.monotonic_ns()
        self.shared[RUNNING] = 0

    def flush(self) -> None:
        """Send unfinished lines of output."""
        for stream in self.streams:
            if stream.rest:
                stream.finish()

    def failure(self, error: BaseException) -> list[Buffer]:
        """Return an ERROR frame's payload; a SystemExit ends the process instead."""
        self.ahead.clear()
        self.flush()
        if isinstance(error, SystemExit):
            leave(error, self.last_words)
        if isinstance(error, CopyError):
            return [error.payload]
        if isinstance(error, HxpyError):
            fields = (error.sqlstate, error.message, error.detail, error.hint, "")
        else:
            message, context = describe_exception(error)
            # What the traceback holds keeps the frames' variables alive.
            error.__traceback__ = None
            fields = ("38000", message, "", next_step(error, self.image), context)
        names = ("sqlstate", "message", "detail", "hint", "context")
        texts = dict(zip(names, fields))
        if isinstance(error, Error) or isinstance(error, SQLError) and not error._number:
            # Fields that the user has given.
            texts["failure"] = ""
            for name in ("sqlstate", "detail", "hint", *OBJECT_FIELDS):
                texts[name] = getattr(error, name) or texts.get(name, "")
        elif isinstance(error, SQLError):
            # The server knows its own error again; else it is as Python tells.
            texts.update(sqlstate=error.sqlstate, message=error.message, detail=error.detail,
                         hint=error.hint, failure=error._number)
        if self.place:
            texts["context"] = f"{texts['context']}\n{self.place}".lstrip("\n")
            self.place = ""
        if self.failed is not None:
            batch, self.failed = self.failed, None
            texts["context"] = f"{texts['context']}\nArguments: {batch.told}".lstrip("\n")
            for name in ("failure", *OBJECT_FIELDS):
                texts.setdefault(name, "")
            texts["call"] = str(batch.failed)
        return encode_texts(**texts)

    # Requests within a request ---------------------------------------------

    def ask(self, kind: int, parts: Sequence[Buffer] = (),
            take: Callable[[bytearray], None] | None = None) -> bytearray:
        """Ask the server something for the request that runs; return the answer's payload.

        kind: one of the types from ASK on.  take: is given the rows of the answer as they
        come, the payloads of COLUMNS and of batches; what it raises is raised after the
        answer, and the rest of the rows is skipped.  Before the answer comes the server may
        send other requests, which run within this one.  Raises KeyboardInterrupt when
        the server breaks the request off, or has interrupted it meanwhile.
        """
        request = self.shared[RUNNING]
        if self.is_copy:
            raise HxpyError("0A000", "a copy of the session cannot run SQL", "",
                            "Give the function what it needs as rows, or set workers to 1.")
        if not request or self.is_forked() or threading.get_ident() != self.main_thread:
            raise RuntimeError("only the main thread can ask the server, while a request runs")
        make_room(_ROOM)
        self.masked = True
        try:
            self.transmit(kind, request, parts)
            payload, error = self.wait(request, kind - protocol.ASK + protocol.ANSWER, take)
        except (ConnectionClosed, ConnectionError, ProtocolError) as failure:
            hang_up(failure, self.last_words)   # not for the user's code to catch
        finally:
            self.masked = False
        if payload is None or self.postponed:
            self.postponed = False
            raise KeyboardInterrupt
        if error is not None:
            raise error
        return payload

    def wait(self, request: int, kind: int, take: Callable[[bytearray], None] | None
             ) -> tuple[bytearray | None, Exception | None]:
        """Serve until the answer to a request comes, of this type, or None: an ABORT.

        Return it, and what taking its rows has raised.
        """
        # What the requests within this one must not find.
        streaming, self.streaming = self.streaming, False
        ahead, self.ahead = self.ahead, deque()
        has_rows = False
        failure: Exception | None = None
        while True:
            came, number, payload = self.connection.receive()
            if number != request:
                self.nest(request, came, number, payload)
                continue
            if came == protocol.COLUMNS or has_rows and came == protocol.BATCH:
                has_rows = True
                if take is not None and failure is None:
                    try:
                        take(payload)
                    except Exception as error:
                        failure = error
            elif streaming and came in (protocol.BATCH, protocol.END, protocol.ABORT):
                ahead.append((came, payload))   # sent before the server was asked
                streaming = came == protocol.BATCH
            elif came in (kind, protocol.ABORT):
                break
            else:
                raise ProtocolError(f"unexpected frame of type {came}")
        self.streaming, self.ahead = streaming, ahead
        return payload if came == kind else None, failure

    def nest(self, request: int, kind: int, number: int, payload: bytearray) -> None:
        """Answer another request while one waits."""
        left, postponed = self.output_left, self.postponed
        self.shared[RUNNING] = 0
        self.masked = False
        self.serve(kind, number, payload)
        self.masked = True
        self.shared[RUNNING] = request
        self.output_left = left
        self.postponed = postponed or self.shared[TARGET] == request

    # Instructions ----------------------------------------------------------

    def open(self, payload: Buffer) -> Sequence[Buffer]:
        """Take the session's options; a server that does not tell them all is too old (55000)."""
        options = decode_texts(payload)
        missing = [name for name in _OPTIONS if name not in options]
        if missing:
            raise HxpyError("55000", "the session's image is newer than the extension hxpy",
                            f'The server does not tell "{missing[0]}".',
                            "Build and install the extension and the image of the same version, "
                            "with make install and docker/build.")
        self.output_limit = int(options["output_limit"])
        self.image = options.get("image", "")
        self.connection.spin(int(options["spin"]) * 1000)
        if "memory" in options:     # of a session that shares its container
            from . import siblings

            siblings.limit_memory(int(options["memory"]))
        level = options["log_level"]
        if level:
            logging.basicConfig(level=level.upper(), handlers=[LogHandler(self)], force=True)
        return encode_batch([])

    def define(self, payload: Buffer) -> Sequence[Buffer]:
        """Set a variable for each column, which holds one value."""
        for column in decode_batch(payload):
            self.session.define(column.name, decode_column(column)[0])
        return encode_batch([])

    def execute(self, payload: Buffer) -> Sequence[Buffer]:
        """Run the code, and print the value of its last expression if `echo` is not empty.

        `width`: columns that the client's screen has.
        """
        code, *rest = decode_batch(payload)
        source = decode_column(code)[0]
        if not rest:
            self.session.execute(source)
            return encode_batch([])
        from . import explore

        width, echo = (decode_column(column)[0] for column in rest)
        self.width = explore.fit(int(width), self.width)
        if not echo:
            self.session.execute(source)
            return encode_batch([])
        value = self.session.run(source)
        if value is not None:
            text = repr(value) if isinstance(value, str) else \
                explore.describe(value, explore.ROWS, int(width))
            print("\n" + text if "\n" in text else text)
        return encode_batch([])

    def evaluate(self, payload: Buffer) -> Sequence[Buffer]:
        """Return the value of the expression in column 1 as the type of column 2."""
        key = bytes(payload) if len(payload) <= _CACHED_LENGTH else b""
        code, writer = self.evaluations.get(key) or self.parse(payload, key)
        return writer.write(eval(code, self.session.namespace))

    def batches(self, watch: Stopwatch) -> Iterator[list[Column]]:
        """Yield the batches of the request's stream as they come, as `payloads`."""
        return map(decode_batch, self.payloads(watch))

    def has_frame(self) -> bool:
        """Return whether a frame of the request's stream is here, at least in part."""
        return bool(self.ahead) or self.connection.pending()

    def payloads(self, watch: Stopwatch) -> Iterator[bytearray]:
        """Yield the batches of the request's stream as they come, undecoded.

        An abort by the server raises KeyboardInterrupt.
        """
        while True:
            self.leave_if_forked()
            watch.stop()
            self.masked = True
            try:
                kind, payload = self.ahead.popleft() if self.ahead else \
                    self.connection.receive()[::2]
            finally:
                self.masked = False
            watch.go()
            if kind != protocol.BATCH:
                self.streaming = False
            if kind == protocol.ABORT or self.postponed:
                self.postponed = False
                raise KeyboardInterrupt
            if kind == protocol.END:
                return
            if kind != protocol.BATCH:
                raise ProtocolError(f"frame of type {kind} within a stream")
            yield payload

    def grid(self, payload: Buffer) -> Sequence[Buffer]:
        """Set a variable to the streamed table, as a Grid or a matrix.

        When the stream fails, the variable stays undefined.
        """
        tables = import_tables()
        name, kind, meta, *schema = decode_batch(payload)
        self.session.check_name(decode_column(name)[0])
        matrix = decode_column(kind)[0] == "matrix"
        reader = tables.TableReader(schema, hayson.loads(decode_column(meta)[0]), matrix)
        for batch in self.batches(Stopwatch()):
            reader.add(batch)
        self.session.define(decode_column(name)[0], reader.matrix() if matrix else reader.grid())
        return encode_batch([])

    def evaluate_grid(self, payload: Buffer) -> Sequence[Buffer]:
        """Stream the rows of an expression's value, or of one that hxpy.to_table has kept.

        mode "table": the wanted columns; "rows": one Hayson dict a row; "append":
        those of the wanted columns that the value has, by name; "create": whatever
        it has, with inferred types.  The latter two send a batch without rows first,
        which tells the columns; "columns" sends no other.
        """
        watch = Stopwatch()
        source, mode, *want = decode_batch(payload)
        text, how = decode_column(source)[0], decode_column(mode)[0]
        if source.name == "explore":
            from . import explore

            value = explore.FUNCTIONS[text](
                self.session, *(decode_column(column)[0] for column in want if column.count))
            self.send_rows(value, how, [column for column in want if not column.count], watch)
            return watch.stamped(encode_batch([]))
        if source.name != "kept":
            self.send_rows(self.session.evaluate(text), how, want, watch)
            return watch.stamped(encode_batch([]))
        kept = self.sql.kept[text]
        try:
            self.send_rows(kept.value, how, want, watch)
        except Exception as error:
            # What an interrupt has made of it does not count.
            if self.shared[TARGET] != self.shared[RUNNING]:
                kept.fail(error)
            raise
        return watch.stamped(encode_batch([]))

    def send_rows(self, value: Any, mode: str, want: list[Column], watch: Stopwatch,
                  start: int = 0) -> int:
        """Send a table value in chunks as ROWS frames; return how many rows it has.

        start: rows sent before, for the row numbers of errors.
        """
        tables = import_tables()
        names: list[str] | None = None
        mapping: list[int] = []
        rows = 0
        soon = {"table": [column.name for column in want], "rows": []}.get(mode)
        stream = tables.chunks(value, _CHUNK_ROWS, soon)
        if isinstance(value, Sized) and not isinstance(value, Mapping) and \
                len(value) > _CHUNK_ROWS and mode in ("create", "append"):
            self.progress.expect(len(value))
        if mode in ("create", "columns"):
            want, stream = tables.inferred(value, stream)
        if mode == "columns":
            if not want:
                raise ConversionError("42804", "the value has no columns")
            self.tell_columns(want, watch)
            return 0
        for chunk in stream:
            self.leave_if_forked()
            self.sql.abandon()
            chunk.start += start
            rows += chunk.count
            if mode == "rows":
                self.send_part(tables.encode_rows(chunk), watch)
                continue
            if names is None and mode != "table":
                want = self.announce(chunk, mode, want, watch)
            if names != chunk.names:
                mapping = tables.match(want, chunk.names, unnamed=chunk.unnamed)
                names = chunk.names
            self.send_part(tables.encode_chunk(want, chunk, mapping), watch)
        return rows

    def send_part(self, batch: Sequence[Buffer], watch: Stopwatch) -> None:
        """Send rows of the request that runs, and how long Python has worked for them."""
        self.send(protocol.ROWS, self.shared[RUNNING], watch.stamped(batch))
        watch.go()

    def announce(self, chunk: Any, mode: str, want: list[Column],
                 watch: Stopwatch) -> list[Column]:
        """Tell the server, by a batch without rows, which columns come; return them."""
        if mode == "append":
            places = import_tables().match(want, chunk.names, True, chunk.unnamed)
            want = [column for column, place in zip(want, places) if place >= 0]
        self.tell_columns(want, watch)
        return want

    def tell_columns(self, want: list[Column], watch: Stopwatch) -> None:
        """Send columns without rows."""
        self.send_part(encode_batch([encode_column(column, []) for column in want]), watch)

    def apply(self, payload: Buffer) -> Sequence[Buffer]:
        """Send the streamed table through a callable, part by part, and its rows back."""
        import_tables()
        from .passing import Passing

        passing = Passing(self, payload)
        passing.run()
        return passing.watch.stamped(encode_batch([]))

    def call(self, payload: Buffer) -> Sequence[Buffer]:
        """Return what a callable makes of a group of rows."""
        import_tables()
        from .._tables import vectors

        source, want, *columns = decode_batch(payload)
        function = self.session.callable(decode_column(source)[0])
        value = function(*(array for array, in vectors.groups(columns, [columns[0].count])))
        return encode_batch([encode_column(want, [value])])

    def invoke_rows(self, payload: Buffer) -> Sequence[Buffer]:
        """Call a function that returns a set, and send its rows as they come."""
        watch = Stopwatch()
        value, is_row, want = self.functions.invoke_set(payload)
        if isinstance(value, Iterator):
            value = self.sql.outside(value)
        for part in functions.batches(value, is_row, want):
            self.leave_if_forked()
            if isinstance(part, functions.Table):
                self.send_rows(part.value, "table", want, watch)
            else:
                self.send_part(part, watch)
        return watch.stamped(encode_batch([]))

    def make_calls(self, payload: Buffer) -> Sequence[Buffer]:
        """Call functions for many rows, up to one that fails, and send their values."""
        answer = self.crew.answer(payload)
        return self.call_batch(Batch(self.functions, payload)) if answer is None else answer

    def call_batch(self, batch: Batch) -> Sequence[Buffer]:
        """Make the calls of a batch, up to one that fails, and send their values."""
        began = time.monotonic()
        try:
            return self.send_steps(batch)
        except Exception as error:
            if error is batch.error:
                self.failed = batch
            raise
        finally:
            self.crew.spent += time.monotonic() - began

    def send_steps(self, made: Batch) -> Sequence[Buffer]:
        """Send values as they are made; return the last ones, or raise an error after them."""
        answer = made.step()
        while not made.ended():
            self.leave_if_forked()
            self.send(protocol.ROWS, self.shared[RUNNING], answer)
            answer = made.step()
        if made.error is not None:
            self.leave_if_forked()
            self.send(protocol.ROWS, self.shared[RUNNING], answer)
            raise made.error
        return answer

    def save(self, payload: Buffer) -> Sequence[Buffer]:
        """Send what load makes an expression's value of again, as rows of the wanted column."""
        from . import saving

        source, want = decode_batch(payload)
        for piece in saving.pieces(self.session.evaluate(decode_column(source)[0])):
            self.leave_if_forked()
            self.sql.abandon()
            self.send(protocol.ROWS, self.shared[RUNNING],
                      encode_batch([encode_column(want, [piece])]))
        return encode_batch([])

    def load(self, payload: Buffer) -> Sequence[Buffer]:
        """Set a variable to a saved value, which is streamed; it stays as it was until that is whole.

        Versions that are others than those that have saved it are a WARNING.
        """
        from . import saving

        name = decode_column(decode_batch(payload)[0])[0]
        self.session.check_name(name)
        loader = saving.Loader()
        for column, in self.batches(Stopwatch()):
            loader.add(column.data)
        loader.finish()
        made, here = loader.differences()
        if made:
            plpy.warning(f"the value was saved with {made}, here is {here}",
                         hint="What it computes may differ. Make it anew here, or load it in the "
                              "image that has saved it.")
        self.session.define(name, loader.value())
        return encode_batch([])

    def fork(self, payload: Buffer) -> Sequence[Buffer]:
        """Fork this process into another session's worker, or a parent of such."""
        from . import forking

        forking.fork(self, **decode_texts(payload))
        return encode_batch([])

    def convert(self, payload: Buffer) -> Sequence[Buffer]:
        """Return a value as a codec of the package makes it ("zinc.loads"), as the wanted column.

        What the codec cannot read or write is an error of the data, not of Python.
        """
        codec, want, argument = decode_batch(payload)
        module, _, function = decode_column(codec)[0].partition(".")
        convert = getattr(importlib.import_module(f"hxpy.{module}"), function)
        try:
            value = convert(decode_column(argument)[0])
        except (hayson.HaysonError, hayson.HaysonTypeError) as error:
            state = "22P02" if function == "loads" else "22023"
            raise HxpyError(state, str(error)) from None
        return encode_batch([encode_column(want, [value])])

    def parse(self, payload: Buffer, key: bytes) -> tuple[CodeType, ValueWriter]:
        """Return an EVAL's code and what writes its value; kept by this key unless it is empty."""
        source, end = first_text(payload)
        wanted = bytes(payload[end:])
        writer = self.writers.get(wanted)
        if writer is None:
            (want,), _ = decode_columns(memoryview(wanted), 0, 1)
            writer = ValueWriter(want, BATCH.pack(1, 0))
            if len(self.writers) >= _CACHED_PAYLOADS:
                self.writers.clear()
            self.writers[wanted] = writer
        parsed = self.session.compile(source, "eval", not key), writer
        if key:
            self.evaluations[key] = parsed
            if len(self.evaluations) > _CACHED_PAYLOADS:
                self.evaluations.popitem(last=False)
        return parsed


def import_tables() -> ModuleType:
    """Return the module tables; pandas comes first, whose import an interrupt may break off."""
    import pandas  # noqa: F401

    from .._tables import tables
    return tables


def leave(error: SystemExit, last_words: int) -> None:
    """End the process with the status that SystemExit asks for; a text goes to `last_words`."""
    code = error.code
    if code is None:
        status = 0
    elif isinstance(code, int):
        status = code & 0xFF
    else:
        os.write(last_words, f"{code}\n".encode("utf-8", "backslashreplace")[:4096])
        status = 1
    os._exit(status)


def hang_up(error: Exception, last_words: int) -> NoReturn:
    """End the process, as the server has gone away or breaks the protocol."""
    if not isinstance(error, ConnectionClosed):
        os.write(last_words, f"hxpy: {error}\n".encode())
    os._exit(EXIT_CLOSED)


def make_room(calls: int) -> None:
    """Raise RecursionError unless so many calls more fit on the stack."""
    if calls:
        make_room(calls - 1)


def run(shared: memoryview, connect: Callable[[], socket.socket], last_words: int,
        ahead: Sequence[str] = ("traceback", "numpy", "pandas")) -> None:
    """Connect to the server and answer it until it goes away.  Does not return.

    What explains a death (a crash's traceback, the text of exit()) goes to the
    descriptor `last_words`.  ahead: what is imported before a request has come.
    """
    faulthandler.enable(last_words, all_threads=False)
    try:
        connection = Connection(connect())
    except ConnectionError as error:
        hang_up(error, last_words)
    worker = Worker(connection, shared, last_words)
    signal.signal(signal.SIGINT, worker.on_interrupt)
    os.register_at_fork(after_in_child=worker.after_fork)
    sys.stdin = open(os.devnull)
    sys.stdout, sys.stderr = worker.streams
    hxpy._report = worker.progress
    plpy._tell = Messages(worker, worker.streams)
    sys.modules["plpy"] = plpy
    hxpy._sql = plpy._sql = worker.sql
    hxpy._evaluate = worker.session.evaluate
    worker.live(ahead)
