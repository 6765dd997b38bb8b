"""The ledger: batches (runs), table loads, watermarks and rejected rows, in schema `etl`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from etl_assets.declare.dates import Span
from etl_assets.errors import EtlError, OutsideHours
from etl_assets.settings import Settings
from etl_assets.warehouse.alerts import note_batch
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.loaded_dates import LoadedDates
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.sessions import hold_session, is_session_alive

WHOLE = LoadedDates()
KILLED = "its session ended without a word; what it had not committed was rolled back"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What a load did, in rows. Read = inserted + updated + unchanged + rejected."""

    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_deleted: int = 0
    rows_rejected: int = 0
    rows_vanished: int = 0
    """Marked as no longer in the list: written, and not read."""

    @property
    def changed(self) -> int:
        """Rows of the target that were written or deleted."""
        return self.rows_inserted + self.rows_updated + self.rows_deleted + self.rows_vanished

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """One fault of one row that cannot be stored."""

    line: int | None = None
    """Its line in the file; of a service's record its id, where that is one whole number."""
    record_key: str | None = None
    """The key of a service's record that is not one whole number."""
    column: str | None
    reason: str
    raw: str
    """The row as it came, cut short where it is long."""


@dataclass(frozen=True)
class Batch:
    """One piece of work that is under way. Its rows carry its id."""

    id: UUID
    source: str
    connection: psycopg.Connection
    """The session that keeps the batch alive, in autocommit mode: what it writes is seen at once."""


@contextmanager
def open_batch(settings: Settings, source: str, kind: str, *, run_id: str | None = None) -> Iterator[Batch]:
    """Open a batch for the time of the `with` block, after declaring dead ones abandoned.

    It ends as success, or as failed with the error's text where the block raises; where the process is
    killed, the next batch to open finds and abandons it.

    Args:
        settings: Which warehouse.
        source: Whose data.
        kind: What is done: load, check or build.
        run_id: Dagster's run, where there is one.
    """
    with connect(settings, autocommit=True) as connection:
        abandon_dead_batches(connection)
        batch = Batch(uuid4(), source, connection)
        hold_session(connection, str(batch.id))
        connection.execute(
            "insert into etl.batch (batch_id, source, kind, run_id) values (%s, %s, %s, %s)",
            [batch.id, source, kind, run_id],
        )
        try:
            yield batch
        except BaseException as error:
            with suppress(psycopg.OperationalError):  # the warehouse is gone: the next batch abandons this one
                _end(batch, "failed", str(error) or type(error).__name__, alert=_safe_reason(error))
            raise
        else:
            _end(batch, "success", None, alert=None)


def other_work(batch: Batch) -> list[str]:
    """The kinds of other work on the same source that is under way, once what has died was set to abandoned."""
    abandon_dead_batches(batch.connection)
    rows = batch.connection.execute(
        "select distinct kind from etl.batch where status = 'running' and source = %s and batch_id <> %s order by kind",
        [batch.source, batch.id],
    )
    return [kind for (kind,) in rows]


def abandon_dead_batches(connection: psycopg.Connection) -> int:
    """Set batches whose session has died to abandoned, and free the files they held. Returns how many.

    Args:
        connection: In autocommit mode.
    """
    running = connection.execute("select batch_id from etl.batch where status = 'running'").fetchall()
    return sum(_abandon_if_dead(connection, batch) for (batch,) in running)


def _abandon_if_dead(connection: psycopg.Connection, batch: UUID) -> bool:
    with connection.transaction():
        if is_session_alive(connection, str(batch)):
            return False
        connection.execute(
            "update etl.batch set status = 'abandoned', ended_at = now(),"
            " error = %s where batch_id = %s and status = 'running'",
            [KILLED, batch],
        )
        _let_go(connection, batch)
        note_batch(connection, batch, error=KILLED)
    return True


def _safe_reason(error: BaseException) -> str | None:
    """What an alert says of an error: our own hold no value of a row. None where nothing is wrong: it was stopped."""
    if isinstance(error, OutsideHours):
        return None
    if isinstance(error, EtlError):
        return str(error)
    return type(error).__name__ if isinstance(error, Exception) else None


def _end(batch: Batch, status: str, error: str | None, *, alert: str | None) -> None:
    with batch.connection.transaction():
        batch.connection.execute(
            "update etl.batch set status = %s, ended_at = now(), error = %s where batch_id = %s",
            [status, error, batch.id],
        )
        _let_go(batch.connection, batch.id)
        note_batch(batch.connection, batch.id, error=alert)


def _let_go(connection: psycopg.Connection, batch: UUID) -> None:
    """Free the files that a batch holds, and forget what it was loading."""
    connection.execute(
        "update etl.source_file set status = 'pending', batch_id = null, load_started_at = null"
        " where batch_id = %s and status = 'loading'",
        [batch],
    )
    connection.execute("delete from etl.load_under_way where batch_id = %s", [batch])


def record_load(
    connection: psycopg.Connection,
    batch: Batch,
    relation: Relation,
    counts: Counts,
    *,
    seconds: float,
    instance: str = "",
    file_id: int | None = None,
    dates: LoadedDates = WHOLE,
    source_said: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Record what a load did, in the load's own transaction.

    `instance` is the tenant of the source whose rows they are; `dates` those that it was about; `source_said` what the
    source itself says of how much it gave.
    """
    if counts.changed:
        # Until the commit: whoever sees a load that changed something sees all of these with a smaller number.
        connection.execute("select pg_advisory_xact_lock(hashtextextended('etl load numbers', 0))")
    connection.execute(
        # Not now(): the transaction began before all of it was read, and a build may have begun meanwhile.
        "insert into etl.table_load (batch_id, relation, instance, file_id, slices_left, slices_changed, loaded_at,"
        " seconds, rows_read, rows_inserted, rows_updated, rows_unchanged, rows_deleted, rows_rejected, rows_vanished,"
        " source_said, rows_held, newest_slice, is_news)"
        " values (%(batch_id)s, %(relation)s, %(instance)s, %(file_id)s, %(left)s, %(changed)s, clock_timestamp(),"
        " %(seconds)s, %(rows_read)s, %(rows_inserted)s, %(rows_updated)s, %(rows_unchanged)s, %(rows_deleted)s,"
        " %(rows_rejected)s, %(rows_vanished)s, %(source_said)s,"
        " (select sum(n) from etl.key_digest where key_digest.relation = %(relation)s), %(newest)s,"
        " %(is_news)s and (%(newest)s::date is null or %(newest)s >= least(current_date - 7, coalesce(("
        " select newest_slice from etl.table_load where relation = %(relation)s and is_news"
        " order by loaded_at desc, load_id desc limit 1), '-infinity'))))",
        {
            "batch_id": batch.id,
            "relation": str(relation),
            "instance": instance,
            "file_id": file_id,
            "left": sorted(dates.left),
            "changed": sorted(dates.changed),
            "seconds": seconds,
            "source_said": Jsonb(dict(source_said)),
            "newest": dates.newest,
            "is_news": dates.is_news,
            **vars(counts),
        },
    )


def latest_load(connection: psycopg.Connection, relation: Relation) -> int:
    """The number of the last load of a table; 0 where there is none."""
    row = connection.execute(
        "select load_id from etl.table_load where relation = %s order by loaded_at desc limit 1", [str(relation)]
    ).fetchone()
    return int(row[0]) if row else 0


def record_watermark(
    connection: psycopg.Connection, batch: Batch, relation: Relation, value: str, *, instance: str = ""
) -> None:
    """Advance a table's watermark; values are compared as text, so dates and stamps in ISO form."""
    connection.execute(
        "insert into etl.watermark as held (relation, instance, source, value, batch_id) values (%s, %s, %s, %s, %s)"
        " on conflict (relation, instance) do update"
        " set value = excluded.value, batch_id = excluded.batch_id, updated_at = now()"
        " where excluded.value > held.value",
        [str(relation), instance, batch.source, value, batch.id],
    )


def record_rejects(
    connection: psycopg.Connection,
    batch: Batch,
    relation: Relation,
    file_id: int | None,
    rejects: Iterable[RejectedRow],
) -> None:
    """Quarantine rejected rows; those known already stay as they are.

    A service's record has no file, and its id stands for the line; one that breaks again is new again.
    """
    connection.cursor().executemany(
        "insert into etl.rejected_row as existing"
        " (batch_id, relation, file_id, line_number, record_key, column_name, reason, raw)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (relation, file_id, line_number, record_key, column_name, reason) do update"
        " set status = 'new', batch_id = excluded.batch_id, raw = excluded.raw, rejected_at = now()"
        " where existing.file_id is null and existing.status = 'superseded'",
        [
            (batch.id, str(relation), file_id, each.line, each.record_key, each.column, each.reason, each.raw)
            for each in rejects
        ],
    )


def record_unreadable_answer(
    connection: psycopg.Connection, relation: Relation, instance: str, reason: str, beginning: bytes
) -> None:
    """Keep how an answer began that could not be read, in place of an earlier one; the loader alone may see it."""
    connection.execute(
        "insert into etl.unreadable_answer values (%s, %s, now(), %s, %s) on conflict (relation, instance)"
        " do update set noticed_at = excluded.noticed_at, reason = excluded.reason, beginning = excluded.beginning",
        [str(relation), instance, reason, beginning],
    )


@dataclass(frozen=True)
class ModelState:
    """What a model was last built of."""

    code_version: str
    seen: dict[str, int]
    """Of each table that it reads, the last change that was built."""
    as_of: date | None


def record_failed_build(batch: Batch, relation: str, *, status: str, error: str, seconds: float) -> None:
    """Record that a model could not be built, and why, without a value of a row.

    What one that could be built did to it, it records itself (`etl.end_build`).
    """
    _record_build(batch, relation, status=status, error=error, seconds=seconds)


def record_view(batch: Batch, relation: str, code_version: str, *, seconds: float) -> None:
    """Record that a view was made anew, which depends on its code alone."""
    with batch.connection.transaction():
        _record_build(batch, relation, status="success", seconds=seconds)
        batch.connection.execute(
            "insert into etl.model_state (relation, code_version, seen, batch_id) values (%s, %s, '{}', %s)"
            " on conflict (relation) do update set code_version = excluded.code_version, built_at = now(),"
            " batch_id = excluded.batch_id",
            [relation, code_version, batch.id],
        )


def _record_build(batch: Batch, relation: str, *, status: str, seconds: float, error: str | None = None) -> None:
    batch.connection.execute(
        "insert into etl.model_build (batch_id, relation, status, error, seconds) values (%s, %s, %s, %s, %s)"
        " on conflict do nothing",
        [batch.id, relation, status, error, seconds],
    )


def model_states(connection: psycopg.Connection, relations: Collection[str]) -> dict[str, ModelState]:
    """What models were last built of, by their relation; those that never were are left out."""
    rows = connection.execute(
        "select relation, code_version, seen, as_of from etl.model_state where relation = any(%s)", [list(relations)]
    )
    return {name: ModelState(code, seen, as_of) for name, code, seen, as_of in rows}


def newest_changes(connection: psycopg.Connection, relations: Collection[str]) -> dict[str, int]:
    """The number of the last change of each of these tables and models; 0 where there is none."""
    rows = connection.execute(
        "select relation, etl.newest_change(relation) from unnest(%s::text[]) as relation", [sorted(relations)]
    )
    return dict(rows.fetchall())


def loaded_ever(connection: psycopg.Connection, relations: Collection[str]) -> bool:
    """Whether any of these tables was ever loaded."""
    row = connection.execute(
        "select exists (select from etl.table_load where relation = any(%s))", [list(relations)]
    ).fetchone()
    return bool(row and row[0])


def missing_relations(connection: psycopg.Connection, relations: Collection[str]) -> set[str]:
    """Those of these relations that are not there."""
    rows = connection.execute(
        "select relation from unnest(%s::text[]) as relation where not etl.is_there(relation)", [list(relations)]
    )
    return {name for (name,) in rows}


def changed_dates(connection: psycopg.Connection, seen: Mapping[str, int], possible: Span) -> Span | None:
    """The dates of what has changed since; None where it has none that may be built.

    Args:
        connection: As the loader.
        seen: Of each table or model, the last change that is known.
        possible: The dates that may be built.
    """
    row = connection.execute(
        "select min(greatest(change.first_date, %(first)s)), max(least(change.last_date, %(last)s))"
        " from unnest(%(names)s::text[], %(numbers)s::bigint[]) as known (relation, change_id)"
        " inner join etl.relation_change as change on change.relation = known.relation"
        " and change.change_id > known.change_id"
        " where change.first_date <= %(last)s and coalesce(change.last_date, 'infinity') >= %(first)s",
        {"names": list(seen), "numbers": list(seen.values()), "first": possible.first, "last": possible.last},
    ).fetchone()
    return Span(*row) if row and row[0] and row[1] else None


def built_relations(connection: psycopg.Connection, runs: Collection[str]) -> set[str]:
    """The relations that Dagster's runs of these ids built."""
    rows = connection.execute(
        "select relation from etl.model_build inner join etl.batch using (batch_id)"
        " where run_id = any(%s) and model_build.status = 'success'",
        [list(runs)],
    )
    return {name for (name,) in rows}


def full_build_differences(batch: Batch) -> dict[str, int]:
    """Rows that a build of this batch changed though nothing that the model reads had, by its relation."""
    rows = batch.connection.execute(
        "select relation, rows_changed from etl.model_build where batch_id = %s and is_difference", [batch.id]
    )
    return dict(rows.fetchall())


def date_bounds(connection: psycopg.Connection, source: str, possible: Span) -> Span | None:
    """The first and the last date of a span that anything was ever loaded of; None before the first load."""
    row = connection.execute(
        "with touched as ("
        "     select said.slice from etl.file_slice as said join etl.source_file as file using (file_id)"
        "     where file.source = %(source)s and said.in_force"
        "     union all select unnest(slices_changed) from etl.table_load join etl.batch as batch using (batch_id)"
        "     where batch.source = %(source)s"
        " ) select min(slice), max(slice) from touched where slice between %(first)s and %(last)s",
        {"source": source, "first": possible.first, "last": possible.last},
    ).fetchone()
    return Span(*row) if row and row[0] else None


def abandoned_runs(connection: psycopg.Connection) -> list[str]:
    """Dagster's ids of the runs of this week whose batches were abandoned."""
    rows = connection.execute(
        "select distinct run_id from etl.batch where status = 'abandoned' and run_id is not null"
        " and started_at > now() - interval '7 days'"
    )
    return [run for (run,) in rows]
