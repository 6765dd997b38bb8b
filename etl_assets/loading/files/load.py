"""How files are loaded: in the order in which they came, each replacing the dates that it covers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import psycopg

from etl_assets.declare.feeds import Feed
from etl_assets.errors import EtlError, FileRefused
from etl_assets.loading.files.landing import feeds_of, landed_file
from etl_assets.loading.files.load_file import FileLoad, FileLoader
from etl_assets.loading.load import LoadRequest, Outcome
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.files.incoming import apply_date_settings
from etl_assets.warehouse.files.ledger import LedgerFile, claim_file, files_covering, record_failed, record_loaded
from etl_assets.warehouse.files.tables import file_layout
from etl_assets.warehouse.ledger import missing_relations
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.tables import ensure_table


@dataclass(frozen=True)
class FileSession:
    """A connection to the warehouse, and how each feed is written."""

    connection: psycopg.Connection
    feeds: Mapping[str, Feed]


class FileStrategy:
    """Every pending file that covers a date of the span, each once and whole, oldest first."""

    in_order = True
    workers = 1

    def __init__(self, request: LoadRequest) -> None:
        self._request = request

    @contextmanager
    def open(self) -> Iterator[FileSession]:
        """Connect, and make the staging tables: all that the source has and are not there, for models read them all.

        Raises:
            SchemaDrift: A staging table is not what it is declared to be; nothing was loaded into it.
        """
        source = self._request.source
        with connect(self._request.settings) as connection:
            relations = {name: Relation(source.schema, name) for name in (table.name for table in source.tables)}
            missing = missing_relations(connection, list(map(str, relations.values())))
            for name, relation in relations.items():
                if name in self._request.tables or str(relation) in missing:
                    ensure_table(connection, relation, file_layout(source.file_table(name)))
            connection.commit()
            yield FileSession(connection, {feed.name: feed for feed in feeds_of(self._request.settings, source)})

    def units(self, reports: dict[str, LoadReport]) -> list["FileUnit"]:
        """A unit a file."""
        request = self._request
        files = files_covering(
            request.batch.connection,
            request.source.name,
            list(reports),
            request.span,
            reload=request.options.reload,
            shrunken=request.options.accept_shrink,
        )
        return [FileUnit(request, file) for file in files]

    def cancel(self, reason: EtlError) -> None:
        """Nothing waits: a file is here."""

    def finish(self, reports: dict[str, LoadReport]) -> None:
        """Nothing is left to be done."""


class FileUnit:
    """One file of the ledger."""

    instance = ""

    def __init__(self, request: LoadRequest, file: LedgerFile) -> None:
        self._request = request
        self._file = file
        self.table = file.table_name
        self.file_id = file.file_id
        self._loader: FileLoader | None = None
        self._load: FileLoad | None = None

    @cached_property
    def relation(self) -> Relation:
        """Its staging table."""
        return Relation(self._request.source.schema, self.table)

    def extract(self, session: FileSession) -> bool:
        """Claim the file; false where another run has it."""
        if not claim_file(self._request.batch, self._file):
            return False
        if self._file.feed not in session.feeds:
            raise FileRefused(f"{self._file.file_name}: its feed {self._file.feed} is no longer declared.")
        return True

    def stage(self, session: FileSession) -> None:
        """Copy its rows into the temporary table."""
        request, file, feed = self._request, self._file, session.feeds[self._file.feed]
        self._loader = FileLoader(
            session.connection,
            landed_file(request.settings.landing(request.source.name), file.file_name),
            feed=feed,
            table=request.source.file_table(file.table_name),
            target=self.relation,
            batch_id=request.batch.id,
            file_name=file.file_name,
            only_dates=file.slices if file.status == "loaded" else None,
            accept_shrink=request.options.accept_shrink,
        )
        apply_date_settings(session.connection, date_order=feed.date_order, time_zone=feed.time_zone)
        self._loader.stage()

    def guard(self, session: FileSession) -> None:
        """Refuse a file of which too many rows cannot be stored."""
        del session
        self._staged.guard()

    def merge(self, session: FileSession) -> Outcome:
        """Replace its dates."""
        del session
        self._load = load = self._staged.merge()
        return Outcome(
            counts=load.counts,
            moved_from=load.vacated_slices,
            rejects=load.rejects,
            watermark=max(load.slices).isoformat() if load.slices else None,
            notes=_shrunken_notes(load),
            newest_slice=max(load.slices, default=None),
            is_news=self._file.status != "loaded",
            source_said={"bytes": self._file.size_bytes, "rows": load.counts.rows_read},
        )

    def verify(self, session: FileSession) -> Sequence[TableCheck]:
        """Nothing: what a file says was read to its end."""
        del session
        return ()

    def record(self, session: FileSession, outcome: Outcome) -> None:
        """Put the file in force for its dates, and tell what a person should know of it."""
        if self._load:
            record_loaded(
                session.connection,
                self._request.batch,
                self._file,
                outcome.counts,
                slices=self._load.slices,
                shrunken=self._load.shrunken,
                notes=_notes(self._load),
            )

    def loaded(self, report: LoadReport) -> None:
        """Name the file in the report, and the dates of which it is in force."""
        report.files.append(self._file.file_name)
        if self._load:
            report.rows_by_slice.update(self._load.slices)

    def refused(self, error: EtlError, report: LoadReport) -> bool:
        """A file that cannot be loaded is told by itself, and stops no other."""
        if not isinstance(error, FileRefused):
            return False
        report.refused[self._file.file_name] = str(error)
        record_failed(self._request.batch.connection, self._request.batch, self._file, str(error))
        return True

    @property
    def _staged(self) -> FileLoader:
        if self._loader is None:
            raise AssertionError("it was staged")
        return self._loader


def _notes(load: FileLoad) -> str | None:
    """Warnings for a person about a file that was loaded all the same."""
    notes = []
    if load.ignored:
        notes.append(f"not read: {', '.join(load.ignored)}")
    if load.missing:
        notes.append(f"not in the file: {', '.join(load.missing)}")
    if load.rows_kept:
        notes.append(
            f"{load.rows_kept:,} rows held before are not in the file and were left,"
            " for it has lines whose key cannot be read"
        )
    kept = len({reject.line for reject in load.rejects})
    if kept < load.counts.rows_rejected:
        notes.append(f"of {load.counts.rows_rejected:,} rejected rows {kept:,} are kept with their text")
    return "; ".join(notes + _shrunken_notes(load)) or None


def _shrunken_notes(load: FileLoad) -> list[str]:
    return [
        f"{each.arrived:,} of {each.held:,} rows came for {day}: they wait, and the date was left as it was"
        for day, each in load.shrunken.items()
    ]
