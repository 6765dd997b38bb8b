"""Databases beside the warehouse, a dental practice and a health network, that people work in."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import psycopg
from psycopg import sql

from etl_assets.declare.database import ERASURE_KEY, PSEUDONYM_KEY
from etl_assets.declare.source import Source
from etl_assets.drills.installation import Installation
from etl_assets.drills.rehearsal.comparison import TableTruth
from etl_assets.sandbox.lacrei_saude import fill as lacrei_saude
from etl_assets.sandbox.lacrei_saude.live import advance
from etl_assets.sandbox.lacrei_saude.schema import OLDER
from etl_assets.sandbox.open_dental import fill as open_dental
from etl_assets.sandbox.open_dental.live import live_on
from etl_assets.sources.lacrei_saude import SOURCE as LACREI_SAUDE
from etl_assets.sources.open_dental import SOURCE as OPEN_DENTAL
from etl_assets.warehouse.connection import warehouse_url
from etl_assets.warehouse.relation import Relation

PATIENTS = 40
FIRST_DAY = date(2026, 2, 2)
_COLUMNS = (
    "select table_name, column_name from information_schema.columns where table_schema = %s order by ordinal_position"
)


class CopiedDatabase:
    """A database, and how its tables stand in staging."""

    name: str
    """The database's."""

    def __init__(self, source: Source, at: Installation, url: str, environment: Mapping[str, str]) -> None:
        self.source, self.url = source, url
        self.environment: Mapping[str, str] = {f"ETL_{source.name.upper()}_URL": url, **environment}
        self.run_words: Sequence[str] = ("--sweep",)
        """What moves no stamp, a sweep alone sees."""
        self.whole_words: Sequence[str] = ()
        self._warehouse = warehouse_url(at.settings)

    def change(self) -> None:
        """Let it live on."""
        raise NotImplementedError

    def truths(self) -> Iterator[TableTruth]:
        """Every row of every table that is loaded, in the columns that staging has as the source does."""
        with (
            psycopg.connect(self._warehouse, autocommit=True) as warehouse,
            psycopg.connect(self.url, autocommit=True) as source,
        ):
            held, there = _columns(warehouse, self.source.schema), _columns(source, "public")
            for name in sorted(held.keys() & there.keys() & {table.name for table in self.source.tables}):
                table = self.source.copied_table(name)
                spelled = {column.lower(): column for column in there[name]}
                hidden = set(table.classes.redacted) if table.classes else set()
                columns = [column for column in held[name] if column in spelled and column not in hidden]
                query = sql.SQL("select {} from {}").format(
                    sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(spelled[each])) for each in columns),
                    sql.Identifier("public", name),
                )
                yield TableTruth(
                    relation=Relation(self.source.schema, name),
                    columns=columns,
                    keys=[key for key in table.keys if key in columns],
                    rows=source.execute(query),
                    retains_deleted=table.retain_deleted,
                )


class Practice(CopiedDatabase):
    """A dental practice, a day a round."""

    name = open_dental.HOSTED

    def __init__(self, at: Installation, seed: int) -> None:
        url = open_dental.host(warehouse_url(at.settings), patients=PATIENTS, seed=seed)
        super().__init__(OPEN_DENTAL, at, url, {})
        self._seed, self._day = seed, FIRST_DAY

    def change(self) -> None:
        """A day's work: new rows, edits, hard deletions, and a bulk edit that moves no stamp."""
        live_on(self.url, self._day, seed=self._seed)
        self._day += timedelta(days=1)


class Network(CopiedDatabase):
    """A health network, a day a round."""

    name = lacrei_saude.HOSTED[OLDER]

    def __init__(self, at: Installation, seed: int) -> None:
        url = lacrei_saude.host(warehouse_url(at.settings), patients=PATIENTS, seed=seed)
        keys = dict.fromkeys((PSEUDONYM_KEY, ERASURE_KEY), "of people who do not exist, and no secret")
        words = {f"ETL_LACREI_SAUDE_{name.upper()}": word for name, word in keys.items()}
        super().__init__(LACREI_SAUDE, at, url, words)
        self._step = 0

    def change(self) -> None:
        """A day: appointments move, somebody leaves, somebody signs up, prices rise without a stamp."""
        self._step += 1
        with psycopg.connect(self.url, autocommit=True) as connection:
            advance(connection, self._step)


def _columns(connection: psycopg.Connection, schema: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for table, column in connection.execute(_COLUMNS, [schema]):
        found[table].append(column)
    return found
