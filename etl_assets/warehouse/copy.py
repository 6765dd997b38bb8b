"""Bulk load with COPY FROM STDIN, fed with byte blocks as fast as libpq takes them."""

import re
import select
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

CHUNK_BYTES = 1 << 16
# The notice of a skipped row has its line before the column and the value, which are quoted, in every language.
_SKIPPED = re.compile(r'(\d+)[^"«„]*["«„]')


@dataclass(frozen=True)
class CopyResult:
    """Row count and skipped lines of a COPY."""

    rows: int
    skipped: tuple[int, ...]
    """Lines of the stream, from 1, at which `on_error ignore` left a row out; a row over several ends at its."""


def copy_in(connection: psycopg.Connection, statement: sql.Composable, blocks: Iterable[bytes]) -> CopyResult:
    """Run a `COPY ... FROM STDIN`, fed with blocks.

    psycopg's own `Copy.write` tries a non-blocking put again and again, which costs a second of CPU for 160 MB. A
    blocking put would keep all other threads from running until the server has taken it, and with them whoever reads
    the next page. So each block is sent as far as the server takes it, and the rest is waited for.

    Args:
        connection: Open; a transaction is begun where none is. Neither committed nor rolled back here.
        statement: With `on_error ignore, log_verbosity verbose` where rows may be skipped and are to be told.
        blocks: Bytes in the form that the statement says. What they raise ends the COPY and is raised here.

    Raises:
        psycopg.Error: What the server said; the transaction is then to be rolled back.
    """
    if not connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        connection.execute("select")
    skipped: list[int] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        found = _SKIPPED.search(diagnostic.message_primary or "")
        if found:
            skipped.append(int(found[1]))

    text = statement.as_bytes(connection)
    connection.add_notice_handler(note)
    try:
        with connection.lock:
            rows = _put(connection, text, blocks)
    finally:
        connection.remove_notice_handler(note)
    return CopyResult(rows, tuple(skipped))


def copy_line(values: Sequence[str | None]) -> bytes:
    """Format one row in COPY's text format."""
    return b"\t".join(rb"\N" if value is None else _escaped(value) for value in values) + b"\n"


def _escaped(value: str) -> bytes:
    text = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text.encode()


def _put(connection: psycopg.Connection, statement: bytes, blocks: Iterable[bytes]) -> int:
    pgconn = connection.pgconn
    before, pgconn.nonblocking = pgconn.nonblocking, 0
    try:
        begun = pgconn.exec_(statement)
        if begun.status != ExecStatus.COPY_IN:
            raise error_from_result(begun, encoding=connection.info.encoding)
        pgconn.nonblocking = 1
        try:
            for block in blocks:
                view = memoryview(block)
                for start in range(0, len(view), CHUNK_BYTES):
                    pgconn.put_copy_data(view[start : start + CHUNK_BYTES])
                    _flush(pgconn)
        except psycopg.OperationalError:
            _finish(connection)  # the server has given up; why is in its result
            raise
        except BaseException:
            pgconn.put_copy_end(b"the reader of the rows failed")
            _flush(pgconn)
            while _result(pgconn):
                pass
            raise
        pgconn.put_copy_end()
        _flush(pgconn)
        return _finish(connection)
    finally:
        pgconn.nonblocking = before


def _flush(pgconn: PGconn) -> None:
    """Send what is buffered. A server that does not read until its own notices are read has them read meanwhile."""
    while pgconn.flush():
        if _wait(pgconn, select.POLLIN | select.POLLOUT) & select.POLLIN:
            pgconn.consume_input()


def _result(pgconn: PGconn) -> PGresult | None:
    while pgconn.is_busy():
        _wait(pgconn, select.POLLIN)
        pgconn.consume_input()
    return pgconn.get_result()


def _wait(pgconn: PGconn, events: int) -> int:
    """Wait for the socket while other threads run; what it is ready for."""
    poll = select.poll()
    poll.register(pgconn.socket, events)
    return poll.poll()[0][1]


def _finish(connection: psycopg.Connection) -> int:
    rows = 0
    failure: psycopg.Error | None = None
    while result := _result(connection.pgconn):
        if result.status != ExecStatus.COMMAND_OK:
            failure = failure or error_from_result(result, encoding=connection.info.encoding)
        rows = result.command_tuples or 0
    if failure:
        raise failure
    return rows
