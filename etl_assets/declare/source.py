"""A source: one of the operational systems that are loaded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.database import Database
from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.endpoints import Job
from etl_assets.declare.files import FileDrop, FileTable
from etl_assets.declare.ownership import check_subjects
from etl_assets.declare.publication import Publication
from etl_assets.declare.rest import RestTable
from etl_assets.declare.rules import Rule
from etl_assets.declare.service import Service
from etl_assets.declare.tables import NAME, Table
from etl_assets.errors import EtlError


class Reader(Protocol):
    """How a source is reached: `FileDrop`, `Service` or `Database`. What depends on which, is in `KINDS` alone."""

    @property
    def table_kind(self) -> type[Table]:
        """What its tables are."""

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """Which settings it cannot be reached without, and are not set; in the words of `Settings.of_source`."""

    def dates(self, tables: Sequence[Table], calendar: Calendar | None, today: date) -> Span:
        """The first and the last date that can be in a partition."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One operational system: how it is reached, what is taken from it and what must be true of that."""

    name: str
    title: str
    schema: str
    """The staging schema of the warehouse."""
    reader: Reader
    tables: Sequence[Table]
    rules: Sequence[Rule]
    owner: str
    """`team:name`, or an email address."""
    fresh_within: timedelta
    """How long after its last load a table is stale."""
    calendar: Calendar | None = None
    """The periods that its windows and facts are partitioned by; without one they are days."""

    layers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The layers that can be run alone, the lowest first: how people call each, and the layers of its assets."""
    publication: Publication | None = None
    """Its marts that tell of few persons, and are read with small cells suppressed."""

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"source {self.name!r}: a name is lower case letters, digits and underscores")
        strangers = [table.name for table in self.tables if not isinstance(table, self.reader.table_kind)]
        if strangers:
            raise ValueError(f"{self.name}: {strangers} are no tables of a {type(self.reader).__name__}")
        self._check_rules()
        if isinstance(self.reader, Service):
            self._check_service(self.reader)
        if isinstance(self.reader, Database):
            self._check_persons(self.reader)

    @property
    def database(self) -> Database:
        """Its reader, of a source whose database is copied.

        Raises:
            EtlError: It is another kind of source.
        """
        if not isinstance(self.reader, Database):
            raise EtlError(f"{self.name} is no database whose tables are copied.")
        return self.reader

    @property
    def file_drop(self) -> FileDrop:
        """Its reader, of a source that sends files; raises as `database`."""
        if not isinstance(self.reader, FileDrop):
            raise EtlError(f"{self.name} sends no files.")
        return self.reader

    @property
    def service(self) -> Service:
        """Its reader, of a source that is asked over the network; raises as `database`."""
        if not isinstance(self.reader, Service):
            raise EtlError(f"{self.name} is no service.")
        return self.reader

    @property
    def is_service(self) -> bool:
        """Whether it is asked over the network."""
        return isinstance(self.reader, Service)

    @property
    def jobs(self) -> list[Job]:
        """The configured jobs that fill its tables, by number; none of a source that is declared table by table."""
        jobs = [job for table in self.tables if isinstance(table, RestTable) for job in table.jobs]
        return sorted(jobs, key=lambda job: job.id)

    def dates(self, today: date) -> Span:
        """The first and the last date that can be in a partition."""
        return self.reader.dates(self.tables, self.calendar, today)

    def row_key(self, table: Table) -> tuple[str, ...]:
        """The columns that identify a row of a staging table: its key, behind the instance where there are several."""
        if isinstance(self.reader, Service) and self.reader.instances and isinstance(table, RestTable):
            return (table.instance_column, *table.keys)
        return table.keys

    def windows(self, span: Span) -> list[Span]:
        """The billing periods that share a day with a span; its days, where there is no calendar."""
        if self.calendar:
            return [Span(period.first, period.last) for period in self.calendar.between(span.first, span.last)]
        days = (span.last - span.first).days + 1
        return [Span(day, day) for day in (span.first + timedelta(days=number) for number in range(days))]

    def missing_settings(self, given: Mapping[str, str]) -> list[str]:
        """The variables of the environment without which the source cannot be reached, and that are not set."""
        return [f"ETL_{self.name}_{word}".upper() for word in self.reader.missing_settings(given)]

    def require_settings(self, given: Mapping[str, str]) -> None:
        """Raise an EtlError where something is not set without which the source cannot be reached."""
        if missing := self.missing_settings(given):
            raise EtlError(
                f"{self.title} cannot be reached: not set is {', '.join(missing)}."
                f" See etl_assets/sources/{self.name}/README.md."
            )

    def table(self, name: str) -> Table:
        """The declared table of that name.

        Raises:
            KeyError: There is none.
        """
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(f"{self.name} declares no table {name!r}. It declares: {', '.join(t.name for t in self.tables)}")

    def copied_table(self, name: str) -> CopiedTable:
        """The declared copy of a database's table; raises as `table`, or an EtlError where it is another kind."""
        table = self.table(name)
        if not isinstance(table, CopiedTable):
            raise EtlError(f"{self.schema}.{name} is no copy of a database's table.")
        return table

    def file_table(self, name: str) -> FileTable:
        """The declared table of files; raises as `copied_table`."""
        table = self.table(name)
        if not isinstance(table, FileTable):
            raise EtlError(f"{self.schema}.{name} is not loaded from files.")
        return table

    def rest_table(self, name: str) -> RestTable:
        """The declared table of a service; raises as `copied_table`."""
        table = self.table(name)
        if not isinstance(table, RestTable):
            raise EtlError(f"{self.schema}.{name} is no table of a service.")
        return table

    def _check_rules(self) -> None:
        for rule in self.rules:
            table = self.table(rule.table)
            unknown = set(rule.reads) - set(table.names) - set(table.loader_columns)
            if unknown and table.columns_known:
                raise ValueError(f"{self.name}: rule {rule.name} reads {sorted(unknown)}, which {table.name} lacks")
        checks = [(rule.table, rule.name) for rule in self.rules]
        if len(set(checks)) < len(checks):
            raise ValueError(f"{self.name}: two rules of one table have the same name")

    def _check_persons(self, database: Database) -> None:
        for subject in database.subjects:
            if self.table(subject.table).keys != (subject.key,):
                raise ValueError(
                    f"{self.name}: a {subject.name} is a row of {subject.table} by its key, not {subject.key}"
                )
        check_subjects(
            database.subjects, {table.name: _loaded_columns(table) for table in self.tables if database.subjects}
        )

    def _check_service(self, service: Service) -> None:
        """Refuse windows without dates, and a table whose parent is not loaded before it or lacks what it gives."""
        before: dict[str, RestTable] = {}
        for table in self.tables:
            if not isinstance(table, RestTable) or table.jobs:
                continue  # jobs are held against their parents where their list is read
            if table.is_windowed and not (self.calendar or service.start):
                raise ValueError(f"{self.name}: {table.name} is read by window: declare a calendar, or a start date")
            if per := table.endpoint.per:
                parent = before.get(per.parent)
                wanted = {*per.gives.values(), *(column for _, column in table.endpoint.placeholders)}
                if parent is None or not wanted <= set(parent.keys):
                    raise ValueError(
                        f"{self.name}: {table.name} asks for each {per.parent} by {sorted(wanted)}: the table must be"
                        " declared before it, and have these in its key"
                    )
            before[table.name] = table


def _loaded_columns(table: Table) -> Collection[str] | None:
    """The columns that a table has in staging, as far as they are declared; None where the source alone knows them."""
    if isinstance(table, CopiedTable):
        return table.classes.comments().keys() if table.classes else None
    return table.names


def check_names(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources, once none has a name that another one's begins with: ETL_<SOURCE>_<WORD> would be set for both.

    Raises:
        ValueError: Two names are so.
    """
    for source in sources:
        for other in sources:
            if other is not source and f"{other.name}_".startswith(f"{source.name}_"):
                raise ValueError(f"the name of {source.name} begins that of {other.name}: their settings would mix")
    return tuple(sources)
