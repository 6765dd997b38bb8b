"""Header digests in the ledger, and which keys lay in which chunk of a source's table.

Keys are kept as hashes, an array a chunk: eight bytes a row. A hash names only candidates, and a row is deleted if no
chunk that was read has its key; where counts still differ then, the loader reads the whole table.
"""

from collections.abc import Collection, Iterable

import psycopg
from psycopg import sql

from etl_assets.declare.database_reader import HeaderDigest, HeaderDigests, RowRange
from etl_assets.warehouse.copy import copy_in
from etl_assets.warehouse.database.rows import DeletedAtSource, find_deleted
from etl_assets.warehouse.database.staging import StagingTable

CHUNK_KEYS = "pg_temp.etl_chunk_keys"
_HASH = "hash_record_extended(row({}), 0)"


def header_digests(connection: psycopg.Connection, source: str) -> dict[str, HeaderDigests]:
    """The header digests of each table of a source when it was last read by them, by the relation's name."""
    found: dict[str, tuple[str, dict[int, HeaderDigest]]] = {}
    for relation, storage, chunk, rows, checksum in connection.execute(
        "select relation, storage, chunk, rows, checksum from etl.header_digest"
        " inner join etl.extraction using (relation) where source = %s",
        [source],
    ):
        found.setdefault(relation, (storage, {}))[1][chunk] = HeaderDigest(rows=rows, checksum=checksum)
    return {relation: HeaderDigests(storage=storage, chunks=chunks) for relation, (storage, chunks) in found.items()}


def create_chunk_keys(connection: psycopg.Connection, target: StagingTable) -> None:
    """Create the temporary table of the keys that the chunks have now."""
    connection.execute(f"drop table if exists {CHUNK_KEYS}")
    connection.execute(
        target.statement(
            "create temporary table etl_chunk_keys on commit drop as"
            " select {keys}, null::bigint as etl_chunk from {target} with no data"
        )
    )


def copy_chunk_keys(connection: psycopg.Connection, target: StagingTable, chunk: int, blocks: Iterable[bytes]) -> None:
    """COPY the keys of a chunk into the temporary table."""
    connection.execute(f"alter table {CHUNK_KEYS} alter etl_chunk set default {int(chunk)}")
    copy_in(connection, target.statement(f"copy {CHUNK_KEYS} ({{keys}}) from stdin"), blocks)


def find_deleted_of_chunks(
    connection: psycopg.Connection, target: StagingTable, chunks: Collection[int]
) -> DeletedAtSource:
    """Find the rows whose keys lay in these chunks and lie in none of those that were read, which are the same."""
    connection.execute(f"analyze {CHUNK_KEYS}")
    among = target.statement(
        f"{_HASH.format('{existing_keys}')} in ("
        "     select unnest(key_hashes) from etl.header_digest where relation = {name} and chunk = any({chunks})"
        f"     except select {_HASH.format('{incoming_keys}')} from {CHUNK_KEYS} as incoming)",
        name=sql.Literal(str(target.relation)),
        chunks=sql.Literal(list(chunks)),
    )
    return find_deleted(connection, target, [RowRange()], CHUNK_KEYS, among)


def record_digests(
    connection: psycopg.Connection, target: StagingTable, found: HeaderDigests, *, read: Collection[int]
) -> None:
    """Save the digests of a table's chunks, in the transaction of its load.

    Args:
        connection: With the keys of the chunks that were read in the temporary table, where the table has a key.
        target: The table.
        found: Its digests.
        read: The chunks that were read; of the others the same digests are held.
    """
    connection.execute(
        "delete from etl.header_digest where relation = %s and not (storage = %s and chunk = any(%s))",
        [str(target.relation), found.storage, sorted(found.chunks.keys() - read)],
    )
    chunks = {chunk: each for chunk, each in found.chunks.items() if chunk in read}
    keys = target.statement(
        f"(select etl_chunk as chunk, array_agg({_HASH.format('{keys}')}) as hashes"
        f" from {CHUNK_KEYS} group by etl_chunk)"
        if target.keys
        else "(select null::bigint as chunk, null::bigint[] as hashes)"
    )
    connection.execute(
        sql.SQL(
            "insert into etl.header_digest (relation, storage, chunk, rows, checksum, key_hashes)"
            " select %s, %s, read.chunk, read.rows, read.checksum, coalesce(keys.hashes, '{{}}')"
            " from unnest(%s::bigint[], %s::bigint[], %s::text[]) as read (chunk, rows, checksum)"
            " left join {} as keys on keys.chunk = read.chunk"
        ).format(keys),
        [
            str(target.relation),
            found.storage,
            list(chunks),
            [each.rows for each in chunks.values()],
            [each.checksum for each in chunks.values()],
        ],
    )
