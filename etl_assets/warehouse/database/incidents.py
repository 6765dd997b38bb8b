"""Incidents: emergency rollbacks of a source's live views to the old pipeline, as rows of the ledger."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.warehouse.alerts import Member, watch
from etl_assets.warehouse.database.switch import SwitchedView, SwitchState, switch, switch_states

ROLLED_BACK = "rolled_back"
"""The kind of its alert."""
LOCK_TIMEOUT = "20s"
"""How long a view may be waited for that somebody reads: longer, and all who come after wait as well."""
_COLUMNS = "incident_id, source, began_at, began_by, began_why, stopped, views, ended_at, ended_by, ended_why"


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One emergency rollback."""

    incident_id: int
    source: str
    began_at: datetime
    began_by: str
    began_why: str
    stopped: list[str]
    """The schedules and sensors that it stopped."""
    views: Mapping[str, Mapping[str, Any]]
    """What each live view read before: `reads`, `since` and `by`, by its table."""
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None


def open_incident(connection: psycopg.Connection, source: str) -> Incident | None:
    """The incident of a source that lasts, if there is one."""
    with connection.cursor(row_factory=class_row(Incident)) as cursor:
        return cursor.execute(
            f"select {_COLUMNS} from etl.incident where source = %s and ended_at is null", [source]
        ).fetchone()


def begin_incident(connection: psycopg.Connection, source: Source, *, by: str, why: str) -> Incident:
    """Write down that a source is rolled back, with an alert; the incident that lasts already stays as it is.

    Args:
        connection: As the loader, in autocommit mode.
        source: Which.
        by: Who decided on it.
        why: For which reason.

    Raises:
        EtlError: A word is blank.
    """
    if not (by.strip() and why.strip()):
        raise EtlError("Say who rolls it back, and why: both stand in the incident report.")
    with connection.transaction():
        views = {
            each.relation: {"reads": each.reads, "since": each.switched_at.isoformat(), "by": each.switched_by}
            for each in views_of(connection, source)
        }
        connection.execute(
            "insert into etl.incident (source, began_by, began_why, views) values (%s, btrim(%s), btrim(%s), %s)"
            " on conflict (source) where ended_at is null do nothing",
            [source.name, by, why, Jsonb(views)],
        )
        incident = open_incident(connection, source.name)
        if incident is None:
            raise TransientError(f"{source.name}: the incident was ended at this very moment; run it again.")
        why = f"rolled back to the old pipeline by {incident.began_by}: {incident.began_why}"
        rolled_back = Member(relation="", rule="emergency rollback", why=why, since=incident.began_at)
        watch(connection, ROLLED_BACK, {source.name: [rolled_back]})
    return incident


def note_stopped(connection: psycopg.Connection, incident: Incident, names: Collection[str]) -> None:
    """Add schedules and sensors to those that an incident stopped."""
    connection.execute(
        "update etl.incident set stopped = array(select distinct unnest(stopped || %s::text[]) order by 1)"
        " where incident_id = %s",
        [list(names), incident.incident_id],
    )


def end_incident(connection: psycopg.Connection, incident: Incident, *, by: str, why: str) -> Incident:
    """End an incident and its alert. The views stay as they are: each is switched by itself, once it is compared.

    Returns:
        The incident as it is now.
    """
    with connection.transaction(), connection.cursor(row_factory=class_row(Incident)) as cursor:
        cursor.execute(
            "update etl.incident set ended_at = clock_timestamp(), ended_by = btrim(%s), ended_why = btrim(%s)"
            " where incident_id = %s and ended_at is null",
            [by, why, incident.incident_id],
        )
        watch(connection, ROLLED_BACK, {incident.source: []})
        return cursor.execute(
            f"select {_COLUMNS} from etl.incident where incident_id = %s", [incident.incident_id]
        ).fetchall()[0]


def views_of(connection: psycopg.Connection, source: Source) -> list[SwitchState]:
    """The live views of a source."""
    return [each for each in switch_states(connection) if each.relation.startswith(f"{source.schema}.")]


def turn_all_to_old(
    connection: psycopg.Connection, source: Source, *, by: str, old_schema: str | None, zone: str | None
) -> list[SwitchedView]:
    """Turn every live view of a source that reads our table to the old one; all of them or none.

    Args:
        connection: As the loader, in autocommit mode.
        source: Which.
        by: Who decided on it.
        old_schema: Where the old tables are; where None, where each was when its view last read it, else `raw`.
        zone: The zone of their moments that have none; where None, as each was last read, else UTC.

    Raises:
        EtlError: An old table is not there, or may not be read; nothing was turned.
        TransientError: Somebody reads a view for so long that it could not be turned; nothing was.
    """
    ours = [each for each in views_of(connection, source) if each.reads == "new"]
    wanted = sorted(
        (old_schema or each.old_schema or "raw", zone or each.old_zone or "UTC", each.relation.partition(".")[2])
        for each in ours
    )
    turned: list[SwitchedView] = []
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
            for (schema, its_zone), group in groupby(wanted, key=lambda each: each[:2]):
                names = [name for *_, name in group]
                turned += switch(connection, source, names, to="old", by=by, old_schema=schema, zone=its_zone)
    except errors.LockNotAvailable:
        raise TransientError(
            f"Somebody has read a view of {source.schema}_live for longer than {LOCK_TIMEOUT}. No view was turned. Who:"
            " select pid, usename, query_start from pg_stat_activity where state <> 'idle' order by query_start."
            " End it by select pg_cancel_backend(PID), and run this again."
        ) from None
    return turned
