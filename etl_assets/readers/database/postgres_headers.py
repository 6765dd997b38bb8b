"""Header digests of a PostgreSQL table: which chunks of its pages were written to, without reading a value.

Of each row that is to be seen the header holds `xmin`, the transaction that wrote it, and `ctid`, where it lies. Every
insert, update and delete changes the set of these pairs; VACUUM, FREEZE and row locks do not. What changes values and
writes no row (a column renamed to another's name, a label of an enum) is found by the columns' names and types, which
belong to the storage, or by the sweep alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from etl_assets.declare.database_reader import HeaderDigest, HeaderDigests, SourceTable
from etl_assets.errors import TransientError
from etl_assets.readers.database.postgres_connection import PostgresConnection
from etl_assets.readers.database.postgres_left_out import left_out_of_postgres

CHUNK_PAGES = 128
"""Pages of a chunk: of 8 kB each, some thousand rows. What is read for one row that has changed."""
STATEMENT_CHUNKS = 64
"""Chunks of one statement: whoever wants to alter the table waits for a statement, and not for the table."""

_MAY_IDENTIFY = """
select bool_and(has_function_privilege(name, 'execute'))
from unnest(array['pg_control_system()', 'pg_control_checkpoint()']) as name"""
# After a failover the same transaction numbers may be given out a second time: the timeline is then another.
_SERVER = """
select concat_ws(' ', system.system_identifier, case
    when pg_is_in_recovery() then upper(lpad(to_hex(checkpoint.timeline_id), 8, '0'))
    else left(pg_walfile_name(pg_current_wal_lsn()), 8)
end)
from pg_control_system() as system, pg_control_checkpoint() as checkpoint"""
_STARTED = "select extract(epoch from pg_postmaster_start_time())::text"
_TABLE = """
select
    database.oid::text,
    pg_relation_filenode(class.oid)::text,
    (
        select md5(string_agg(format('%s %I %s', attnum, attname, atttypid), ',' order by attnum))
        from pg_attribute where attrelid = class.oid and attnum > 0 and not attisdropped
    ),
    pg_relation_size(class.oid) / current_setting('block_size')::integer
from pg_class as class, pg_database as database
where class.oid = {relation}::regclass and database.datname = current_database()"""
_DIGESTS = """
select chunk, digest.rows, digest.checksum::text
from generate_series({first}::bigint, {last}) as chunk
cross join lateral (
    select count(*) as rows, sum(hashtidextended(ctid, xmin::text::bigint)) as checksum
    from only {table}
    where ctid >= format('(%s,0)', chunk * {pages})::tid and ctid < format('(%s,0)', (chunk + 1) * {pages})::tid{kept}
) as digest
where digest.rows > 0"""
_LOCK = "select from only {table} where false"
# The column is as the snapshot has it, and what the function gives is as it is.
_SHOWS_ITS_FILE = "select relfilenode = pg_relation_filenode(oid) from pg_class where oid = {relation}::regclass"
_HOLDS_UP = """
select exists (
    select from pg_locks
    where locktype = 'relation' and relation = {relation}::regclass and not granted
    and pg_backend_pid() = any(pg_blocking_pids(pid))
)"""


class HeaderReader:
    """Reads the headers of rows over a connection."""

    def __init__(self, connection: PostgresConnection) -> None:
        self._connection = connection
        self._may_identify: bool | None = None

    def digests(self, table: SourceTable) -> HeaderDigests:
        """The digests of a table.

        Its storage is told by the server's system identifier and timeline, the database, the table's file, and the
        names and types of its columns. An account that may not read the first two sees when the server was started
        instead: after each start all tables are read again.

        Raises:
            TransientError: The server is away or busy, or somebody waits for the table.
            EtlError: It refuses.
        """
        *of_table, pages = self._connection.row(_TABLE.format(relation=self._literal(table)))
        chunks: dict[int, HeaderDigest] = {}
        kept = "".join(f" and {each}" for each in left_out_of_postgres(table, self._connection.name_of))
        last_chunk = (pages - 1) // CHUNK_PAGES
        for first in range(0, last_chunk + 1, STATEMENT_CHUNKS):
            self.yield_to_waiters(table)
            found = self._connection.rows(
                _DIGESTS.format(
                    first=first,
                    last=min(first + STATEMENT_CHUNKS - 1, last_chunk),
                    table=self._name(table),
                    pages=CHUNK_PAGES,
                    kept=kept,
                )
            )
            chunks |= {chunk: HeaderDigest(rows=rows, checksum=checksum) for chunk, rows, checksum in found}
        return HeaderDigests(storage=" ".join([self._server(), *of_table, str(CHUNK_PAGES)]), chunks=chunks)

    @contextmanager
    def snapshot(self, table: SourceTable) -> Iterator[None]:
        """One transaction that reads the table as it is at its beginning.

        TRUNCATE, and what rewrites a table, heed no snapshot: in one that is older than they are the table is empty. So
        it is locked, and its file must then be the one that the snapshot shows. LOCK TABLE would do that before the
        snapshot, and takes a right to the whole table.

        Raises:
            TransientError: Between snapshot and lock the table was given another file.
        """
        with self._connection.snapshot():
            self._connection.rows(_LOCK.format(table=self._name(table)))
            if not self._connection.row(_SHOWS_ITS_FILE.format(relation=self._literal(table)))[0]:
                raise TransientError(
                    f"{self._connection.url.display_name}: the table {table.name} was emptied or rewritten just now."
                    " Nothing was changed there; run it again."
                )
            yield

    def yield_to_waiters(self, table: SourceTable) -> None:
        """Raise TransientError where this connection's lock of the table holds somebody up."""
        if self._connection.row(_HOLDS_UP.format(relation=self._literal(table)))[0]:
            raise TransientError(
                f"{self._connection.url.display_name}: somebody waits for the table {table.name}, to alter it perhaps,"
                " and goes first. Nothing was changed there; run it again."
            )

    def _server(self) -> str:
        if self._may_identify is None:
            self._may_identify = bool(self._connection.row(_MAY_IDENTIFY)[0])
        return str(self._connection.row(_SERVER if self._may_identify else _STARTED)[0])

    def _name(self, table: SourceTable) -> str:
        return self._connection.name_of(table)

    def _literal(self, table: SourceTable) -> str:
        return "'" + self._name(table).replace("'", "''") + "'"


def chunk_condition(chunk: int) -> str:
    """The condition that a row lies in a chunk."""
    return f"ctid >= '({chunk * CHUNK_PAGES},0)' and ctid < '({(chunk + 1) * CHUNK_PAGES},0)'"
