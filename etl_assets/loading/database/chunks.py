"""Reading a table by chunks of its pages: within one snapshot, with the keys that lie in each chunk.

Digests, rows and keys must be of one moment. A row that moves meanwhile, from a chunk that is read to one that is not,
would otherwise be missing in both, and be deleted here.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import psycopg

from etl_assets.declare.database_reader import DatabaseReader, HeaderDigests, RowRange
from etl_assets.loading.database.extraction_window import ExtractionWindow
from etl_assets.loading.database.plan import TablePlan
from etl_assets.readers.database.conditions import find_column
from etl_assets.warehouse.database import header_digests, rows
from etl_assets.warehouse.database.staging import StagingTable

GROUP_ROWS = 25_000
"""Rows that are merged at once: a second or two, in which the source's table stays locked."""


@dataclass
class ChunkReader:
    """The chunks of one table, as its load reads them."""

    plan: TablePlan
    reader: DatabaseReader
    connection: psycopg.Connection
    window: ExtractionWindow
    target: StagingTable
    _found: HeaderDigests | None = None
    _read: set[int] = field(default_factory=set)

    @contextmanager
    def snapshot(self) -> Iterator[HeaderDigests]:
        """The digests of the table at the moment that all is of that is read within the `with` block."""
        self.window.check()
        with self.reader.snapshot(self.plan.source_table):
            self._found = self.reader.header_digests(self.plan.source_table)
            header_digests.create_chunk_keys(self.connection, self.target)
            yield self._found

    def groups(self, chunks: Collection[int]) -> Iterator[RowRange]:
        """The chunks that have rows, as ranges of about `GROUP_ROWS` rows."""
        group: list[int] = []
        rows_in_group = 0
        for chunk in sorted(self._digests.chunks.keys() & chunks):
            if group and rows_in_group + self._digests.chunks[chunk].rows > GROUP_ROWS:
                yield RowRange(chunks=tuple(group))
                group, rows_in_group = [], 0
            group.append(chunk)
            rows_in_group += self._digests.chunks[chunk].rows
        if group:
            yield RowRange(chunks=tuple(group))

    def read_keys(self, chunks: Collection[int]) -> None:
        """Read which keys lie in these chunks, whose rows are read as well; those without a row have none."""
        source_table = self.plan.source_table
        of_keys = replace(source_table, columns=tuple(find_column(source_table, name) for name in source_table.key))
        for chunk in sorted(self._digests.chunks.keys() & chunks):
            keys = self.reader.read(of_keys, RowRange(chunks=(chunk,)), batch_size=self.plan.batch_size)
            with closing(self.window.guarded(keys)) as blocks:
                header_digests.copy_chunk_keys(self.connection, self.target, chunk, blocks)
        self._read |= set(chunks)

    def find_deleted(self) -> rows.DeletedAtSource:
        """Find the rows that the chunks read had before, and that they do not have any more."""
        return header_digests.find_deleted_of_chunks(self.connection, self.target, self._read)

    def find_missing(self) -> rows.DeletedAtSource:
        """Find the rows that no chunk has, once all of them were read."""
        return rows.find_deleted(self.connection, self.target, [RowRange()], header_digests.CHUNK_KEYS)

    def record(self, found: HeaderDigests) -> None:
        """Save the digests of what was read; `found` are those of a table that was read otherwise."""
        read = found.chunks if self._found is None else self._read
        header_digests.record_digests(self.connection, self.target, self._found or found, read=read)

    @property
    def _digests(self) -> HeaderDigests:
        if self._found is None:
            raise AssertionError("the snapshot is open")
        return self._found
