"""The incident report: an emergency rollback as a page of Markdown, without a value of any row."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from etl_assets.declare.source import Source
from etl_assets.quality.health import STATES, table_health
from etl_assets.quality.issues import count_issues
from etl_assets.report.files import write_report_file
from etl_assets.settings import Settings
from etl_assets.warehouse.database.comparisons import last_comparisons
from etl_assets.warehouse.database.incidents import Incident, views_of

MOST = 50
"""Lines of one table of the report; it says how many there are besides."""
_LAST_LOADS = """
    select distinct on (load.relation)
        load.relation, load.loaded_at, batch.status, load.rows_inserted, load.rows_updated, load.rows_deleted
    from etl.table_load as load
    inner join etl.batch using (batch_id)
    where load.relation = any(%s)
    order by load.relation, load.loaded_at desc
"""


def write_incident_report(
    settings: Settings, source: Source, connection: psycopg.Connection, incident: Incident, steps: Sequence[str]
) -> Path:
    """Write the report of an incident into the report folder, in place of an earlier one of the same incident.

    Args:
        settings: Where the folder is.
        source: Whose incident.
        connection: As a role that may read the ledger.
        incident: Which.
        steps: What was done, a line each.

    Raises:
        EtlError: It cannot be written.
    """
    text = "\n".join(_lines(source, connection, incident, steps)) + "\n"
    moment = incident.began_at.astimezone(UTC)
    return write_report_file(settings.report_dir / source.name, "incident", ".md", text, moment)


def way_forward(source: Source, tables: Sequence[str]) -> list[str]:
    """The commands by which a source comes back, in order."""
    names = " ".join(tables) or "TABLE ..."
    return [
        f"etl status {source.name}",
        f"etl run {source.name}",
        f"etl compare {source.name} {names}",
        f"etl switch {source.name} {names} --to new --by NAME",
        f"etl resume {source.name} --by NAME --why WORDS",
    ]


def _lines(source: Source, connection: psycopg.Connection, incident: Incident, steps: Sequence[str]) -> Iterator[str]:
    yield f"# Incident {incident.incident_id}: {source.title} was rolled back to the old pipeline"
    yield ""
    yield f"- since: {_moment(incident.began_at)}"
    yield f"- by: {as_cell(incident.began_by)}"
    yield f"- why: {as_cell(incident.began_why)}"
    if incident.ended_at:
        yield f"- ended: {_moment(incident.ended_at)} by {as_cell(incident.ended_by)}: {as_cell(incident.ended_why)}"
    else:
        yield "- ended: not yet"
    yield f"- as of: {_moment(datetime.now(UTC))}"
    yield from _section("What was done")
    yield from (f"- {as_cell(step)}" for step in steps)
    now = {each.relation: each for each in views_of(connection, source)}
    yield from _section("What each view showed before, and shows now")
    yield from _table(
        ("table", "before", "since", "by", "now"),
        (
            (name, *(_before(incident.views.get(name), key) for key in ("reads", "since", "by")), each.reads)
            for name, each in sorted(now.items())
        ),
    )
    yield from _state(source, connection)
    yield from _section("The way forward")
    turned = [name.partition(".")[2] for name in sorted(now) if _before(incident.views.get(name), "reads") == "new"]
    yield "The old pipeline is not ours to start: see that it runs. Then, one after another:"
    yield ""
    yield "```"
    yield from way_forward(source, turned)
    yield "```"


def _state(source: Source, connection: psycopg.Connection) -> Iterator[str]:
    """Health, findings, loads and comparisons, as the ledger has them."""
    health = table_health(connection, source)
    counts = Counter(each.state for each in health)
    yield from _section("Health of tables and models")
    yield ", ".join(f"{counts[state]:,} {state}" for state in STATES) + "."
    yield ""
    yield from _table(
        ("relation", "state", "since", "why"),
        ((each.relation, each.state, _moment(each.since), each.why) for each in health if each.state != "healthy"),
    )
    yield from _section("Open issues")
    yield from _table(
        ("rule", "relation", "severity", "findings"),
        ((each.rule, each.relation, each.severity, each.findings) for each in count_issues(connection, source.name)),
    )
    yield from _section("Last loads")
    relations = [f"{source.schema}.{table.name}" for table in source.tables]
    loads = sorted(connection.execute(_LAST_LOADS, [relations]), key=lambda row: row[1], reverse=True)
    yield from _table(
        ("table", "loaded", "its batch", "inserted", "updated", "deleted"),
        ((name, _moment(at), *rest) for name, at, *rest in loads),
    )
    yield from _section("What differed from the old pipeline when it was compared last (`etl compare`)")
    yield from _table(
        ("table", "compared", "verdict", "rows old", "rows new", "keys only old", "only new", "rows differ", "columns"),
        (
            (each.relation, _moment(each.compared_at), each.verdict, each.old_rows, each.new_rows, each.keys_only_old,
             each.keys_only_new, each.rows_differing, ", ".join(each.columns))
            for each in last_comparisons(connection, source.schema)
        ),
    )  # fmt: skip


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}", "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    lines = [f"| {' | '.join(map(as_cell, row))} |" for row in rows]
    if not lines:
        yield "Nothing."
        return
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield ""
        yield f"And {len(lines) - MOST:,} more."


def as_cell(value: object) -> str:
    """A value on one line, with nothing in it that Markdown or a browser would take for its own."""
    text = "" if value is None else "".join(letter if letter.isprintable() else " " for letter in str(value))
    for letter, instead in {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "'"}.items():
        text = text.replace(letter, instead)
    return text


def _before(view: Mapping[str, object] | None, key: str) -> str:
    return str((view or {}).get(key, "-"))


def _moment(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
