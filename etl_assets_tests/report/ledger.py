"""A ledger for reports to be made of: real loads' records, set back in time, and a page's tables read again."""

from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser

from psycopg import sql

from etl_assets.quality.issues import CheckedRule, count_findings, upsert_issues
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, Counts, open_batch, record_load
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.results import record_result


def load(
    settings: Settings, source: str, relation: str, *, rows: int, seconds: float = 1, days_ago: float = 0, **said: int
) -> None:
    """One load of a table that inserts all that it reads, so many days ago."""
    with open_batch(settings, source, "load") as batch:
        counts = Counts(rows_read=rows, rows_inserted=rows)
        record_load(
            batch.connection, batch, Relation(*relation.split(".", 1)), counts, seconds=seconds, source_said=said
        )
        set_back(batch, days_ago)


def set_back(batch: Batch, days: float) -> None:
    """Have what a batch has done be so many days ago."""
    age = timedelta(days=days)
    connection = batch.connection
    connection.execute("update etl.batch set started_at = started_at - %s where batch_id = %s", [age, batch.id])
    for table, column in (("table_load", "loaded_at"), ("quality_result", "checked_at"), ("model_build", "built_at")):
        statement = sql.SQL("update etl.{table} set {column} = {column} - %s where batch_id = %s").format(
            table=sql.Identifier(table), column=sql.Identifier(column)
        )
        connection.execute(statement, [age, batch.id])


def check(
    settings: Settings, source: str, relation: str, rule: str, *, severity: str = "error", days_ago: float = 0,
    passed: bool = True, checked: int = 100, broken: int = 0,
) -> None:  # fmt: skip
    """One result of a check."""
    with open_batch(settings, source, "check") as batch:
        record_result(
            batch.connection, batch, relation, rule, severity=severity, passed=passed, rows_checked=checked,
            rows_broken=broken,
        )  # fmt: skip
        set_back(batch, days_ago)


def find(settings: Settings, source: str, relation: str, rule: str, *, severity: str, findings: int) -> None:
    """A rule has found so many rows, and its result is recorded."""
    why = "It is so by contract."
    checked = CheckedRule(
        source=source, relation=relation, rule=rule, why=why, severity=severity, exception_type="InvalidValue"
    )
    found = sql.SQL(
        "(select 'key ' || n as row_key, '' as field, null as value, 'Mary Poppins' as message, null::date as row_slice"
        f" from generate_series(1, {findings}) as n)"
    )
    with open_batch(settings, source, "check") as batch, batch.connection.transaction():
        upsert_issues(batch.connection, batch, checked, found=found, most=1000)
        count_findings(batch.connection, batch, checked, found=found, scope=None)
        record_result(
            batch.connection, batch, relation, rule, severity=severity, passed=False, rows_checked=9,
            rows_broken=findings,
        )  # fmt: skip


def fail(settings: Settings, source: str, error: str, *, kind: str = "load", days_ago: float = 0) -> None:
    """A batch that fails."""
    try:
        with open_batch(settings, source, kind) as batch:
            raise RuntimeError(error)
    except RuntimeError:
        with connect(settings, autocommit=True) as connection:
            set_back(Batch(batch.id, source, connection), days_ago)


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: dict[str, list[list[str]]] = {}
        self._section = ""
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "section":
            self._section = dict(attrs)["id"] or ""
            self.sections[self._section] = []
        elif tag == "tr":
            self.sections[self._section].append([])
        elif tag in {"td", "th"}:
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.sections[self._section][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """The rows of all tables of a page, cell by cell, by the section they are in."""
    parser = _Tables()
    parser.feed(page)
    return parser.sections
