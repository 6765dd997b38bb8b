"""How a database's tables are loaded: all planned at once, then loaded by a few workers, a transaction a table.

Of a table of which the source says that nothing has changed, nothing is written but a line in the ledger, and these
lines are written together at the end.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from threading import Lock

import psycopg

from etl_assets.declare.database_reader import DatabaseReader
from etl_assets.declare.hours import AllowedHours
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, NotAtSource, ReplacedAtSource, TransientError
from etl_assets.loading.database.changes import Changes, detect_changes
from etl_assets.loading.database.extraction_window import ExtractionWindow
from etl_assets.loading.database.plan import TablePlan, plan_extraction
from etl_assets.loading.database.pseudonyms import PseudonymKey, pseudonym_key, pseudonymise, require_same_key
from etl_assets.loading.database.redaction import RedactingReader
from etl_assets.loading.database.replaced import empty_replaced
from etl_assets.loading.database.restored import erase_again
from etl_assets.loading.database.table_load import TableLoad
from etl_assets.loading.database.verify import CLASSIFIED, MATCHES, checks_of_columns
from etl_assets.loading.guards import allowed_hours
from etl_assets.loading.load import LoadRequest, Outcome, record_check
from etl_assets.loading.report import LoadReport, TableCheck
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.extraction import record_unchanged
from etl_assets.warehouse.database.person_models import SubjectColumn
from etl_assets.warehouse.database.staging import add_columns
from etl_assets.warehouse.ledger import Counts, record_load, record_watermark
from etl_assets.warehouse.proof import count_rows_of
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.results import latest_results

WORKERS = 2
"""Tables that are loaded at once, unless ETL_<SOURCE>_WORKERS says otherwise."""


def worker_count(settings: Settings, source: Source) -> int:
    """How many tables of a source are loaded at once; raises an EtlError where the settings say no number."""
    text = settings.of_source(source.name).get("workers") or str(WORKERS)
    if not text.isdigit() or int(text) < 1:
        raise EtlError(f"ETL_{source.name.upper()}_WORKERS is {text!r}; a number from 1 on was expected.")
    return int(text)


@dataclass(frozen=True)
class DatabaseSession:
    """A connection to the warehouse and one to the source, of one worker."""

    connection: psycopg.Connection
    reader: DatabaseReader


class DatabaseStrategy:
    """Tables of one database, the important ones first; each is planned before the first is read."""

    in_order = False

    def __init__(
        self,
        request: LoadRequest,
        hours: AllowedHours | None = None,
        *,
        model_columns: Callable[[], Sequence[SubjectColumn]] = tuple,
    ) -> None:
        """Load what is asked for.

        Args:
            request: What, and whose.
            hours: When the source may be read; as the settings say where None.
            model_columns: Where models hold persons, who are erased from there if the warehouse was set back.
        """
        self.request = request
        self._token = CancellationToken()
        if hours is None and not request.options.any_hour:
            hours = allowed_hours(request.settings, request.source)
        self.window = ExtractionWindow(request.source.title, hours, self._token)
        self._model_columns = model_columns
        self._lock = Lock()
        self._done: set[str] = set()
        """Tables that were loaded, or that had no changes."""
        self._unchanged: list[tuple[TablePlan, Changes]] = []
        self._pseudonym_key: PseudonymKey | None = None
        """Of a source that tells of persons."""
        self._key_version = 0

    @property
    def workers(self) -> int:
        """As many as the settings say; raises as `worker_count`."""
        return worker_count(self.request.settings, self.request.source)

    def units(self, reports: dict[str, LoadReport]) -> list["TableUnit"]:
        """A unit a table that the source has. Outside of its hours none: every report says so."""
        try:
            self.window.check()
        except TransientError as error:
            for report in reports.values():
                report.failure = error
            return []
        self._erase_again(reports)
        if self.request.source.database.pseudonymised:
            self._pseudonym_key = pseudonym_key(self.request.settings, self.request.source)
            with connect(self.request.settings) as connection:
                self._key_version = require_same_key(connection, self.request.source, self._pseudonym_key)
        plans, failures = plan_extraction(
            self.request.settings,
            self.request.source,
            list(reports),
            full_compare=self.request.options.full_compare,
            source_is_idle=self.window.is_idle_time,
        )
        for name, failure in failures.items():
            reports[name].is_absent = isinstance(failure, NotAtSource)
            reports[name].failure = None if reports[name].is_absent else failure
        replaced = [name for name, failure in failures.items() if isinstance(failure, ReplacedAtSource)]
        empty_replaced(self.request.settings, self.request.source, self.request.batch, replaced)
        return [TableUnit(self, plan) for plan in plans]

    def _erase_again(self, reports: dict[str, LoadReport]) -> None:
        request = self.request
        for receipt in erase_again(request.settings, request.source, request.batch, self._model_columns):
            for report in reports.values():
                if number := receipt.places.get(str(report.relation)):
                    report.notes.append(
                        f"the warehouse was set back: {number:,} rows of who was erased were erased again"
                    )

    @contextmanager
    def open(self) -> Iterator[DatabaseSession]:
        """Connect one worker to the warehouse and to the source.

        Raises:
            TransientError: One of them cannot be reached.
            EtlError: The source refuses.
        """
        source, settings = self.request.source, self.request.settings
        try:
            connection = connect(settings)
            # Moments come without a zone where the source has none, and are UTC where it has one.
            connection.execute("set time zone 'UTC'")
            connection.commit()
        except (psycopg.OperationalError, EtlError) as error:
            raise TransientError(f"{source.name}: the warehouse went away: {error}") from error
        with closing(connection):
            reader = RedactingReader(source.database.connect(settings.of_source(source.name)))
            try:
                yield DatabaseSession(connection, reader)
            finally:
                with suppress(EtlError):  # it may be dead, or in the middle of a result
                    reader.close()

    def cancel(self, reason: EtlError) -> None:
        """Have every read of the source end at its next block."""
        self._token.cancel(reason)

    def finish(self, reports: dict[str, LoadReport]) -> None:
        """Record the tables without changes, and fail those that no worker came to."""
        self._record_unchanged(reports)
        for name, report in reports.items():
            if name not in self._done and not (report.failure or report.is_absent):
                report.failure = TransientError(f"{report.relation}: nobody came to load it. Run it again.")

    def pseudonymise(self, connection: psycopg.Connection, table: str) -> None:
        """Give the persons of a table that was loaded their pseudonyms, in the transaction of its load."""
        source = self.request.source
        for subject in source.database.pseudonymised:
            if subject.table == table and self._pseudonym_key:
                pseudonymise(connection, source, subject, self._pseudonym_key, self._key_version)

    def note_done(self, table: str) -> None:
        """A table was loaded."""
        with self._lock:
            self._done.add(table)

    def note_unchanged(self, plan: TablePlan, changes: Changes) -> None:
        """A table has no changes: that is to be recorded."""
        with self._lock:
            self._unchanged.append((plan, changes))
            self._done.add(plan.table.name)

    def _record_unchanged(self, reports: dict[str, LoadReport]) -> None:
        """Record in the ledger, in one transaction, the tables that had no changes."""
        batch = self.request.batch
        try:
            with connect(self.request.settings) as connection, connection.pipeline():
                news = self._checks_that_differ(connection)
                for plan, changes in sorted(self._unchanged, key=lambda each: each[0].table.name):
                    report = reports[plan.table.name]
                    record_load(connection, batch, plan.relation, Counts(), seconds=report.seconds)
                    if check := news.get(plan.table.name):
                        report.checks.append(check)
                        record_check(connection, batch, plan.relation, check)
                    if plan.state:
                        record_unchanged(
                            connection,
                            batch,
                            plan.relation,
                            seen=plan.state,
                            until=changes.read_until,
                            at=changes.read_at,
                            swept=changes.is_reconciled,
                        )
                    watermark = (changes.read_until or changes.read_at).isoformat()
                    record_watermark(connection, batch, plan.relation, watermark)
        except (psycopg.OperationalError, EtlError) as error:
            away = TransientError(f"{self.request.source.name}: the warehouse went away: {error}")
            for plan, _ in self._unchanged:
                reports[plan.table.name].failure = away

    def _checks_that_differ(self, connection: psycopg.Connection) -> dict[str, TableCheck]:
        """By table, of those without changes: the check of its columns, where it says another thing than last."""
        found = [(plan, check) for plan, _ in self._unchanged for check in checks_of_columns(plan)]
        if not found:
            return {}
        latest = latest_results(connection, [str(plan.relation) for plan, _ in found], [CLASSIFIED])
        before = {relation: result.passed for (relation, _), result in latest.items()}
        return {plan.table.name: check for plan, check in found if before.get(str(plan.relation)) is not check.passed}


class TableUnit:
    """One table of the source, planned."""

    instance = ""
    file_id = None

    def __init__(self, strategy: DatabaseStrategy, plan: TablePlan) -> None:
        self._strategy = strategy
        self._plan = plan
        self._changes: Changes | None = None
        self._table_load: TableLoad | None = None

    @property
    def table(self) -> str:
        """Its name."""
        return self._plan.table.name

    @property
    def relation(self) -> Relation:
        """Its staging table."""
        return self._plan.relation

    def extract(self, session: DatabaseSession) -> bool:
        """Ask the source whether anything has changed; add columns that are new there."""
        started, strategy = time.monotonic(), self._strategy
        strategy.window.check()
        self._plan.check_schema()
        self._changes = detect_changes(self._plan, session.reader, strategy.window)
        if not self._changes.has_changes:
            strategy.note_unchanged(self._plan, self._changes)
            return False
        self._table_load = TableLoad(
            plan=self._plan,
            reader=session.reader,
            connection=session.connection,
            batch=strategy.request.batch,
            window=strategy.window,
            started=started,
            options=strategy.request.options,
        )
        add_columns(session.connection, self._table_load.target, self._plan.existing)
        return True

    def stage(self, session: DatabaseSession) -> None:
        """Make the table, where there is none, and count what is held."""
        del session
        self._load.prepare()

    def guard(self, session: DatabaseSession) -> None:
        """Nothing yet: how much the source has lost is seen as it is merged, range by range."""

    def merge(self, session: DatabaseSession) -> Outcome:
        """Read what changed and merge it."""
        del session
        if self._changes is None:
            raise AssertionError("it was extracted")
        try:
            return self._load.apply(self._changes)
        except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation):
            raise self._plan.unusable_key() from None

    def verify(self, session: DatabaseSession) -> Sequence[TableCheck]:
        """Compare with the source what was loaded."""
        del session
        return self._load.verify()

    def record(self, session: DatabaseSession, outcome: Outcome) -> None:
        """Record how far the table has been read."""
        outcome.watermark = self._load.record()
        self._strategy.pseudonymise(session.connection, self.table)
        for check in outcome.checks:
            if check.name == MATCHES:
                outcome.source_said = {"rows_compared": check.rows_checked}
        count_rows_of(session.connection, self.relation, self._load.target.keys)

    def loaded(self, report: LoadReport) -> None:
        """Note that somebody came to load it."""
        self._strategy.note_done(report.relation.name)

    def refused(self, error: EtlError, report: LoadReport) -> bool:
        """No error is expected: each fails the table."""
        del error, report
        return False

    @property
    def _load(self) -> TableLoad:
        if self._table_load is None:
            raise AssertionError("it was extracted")
        return self._table_load
