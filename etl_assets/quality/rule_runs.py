"""Which rules need not run: what they look at is as it was when they last looked at it to the end.

What a rule reads is taken from the server's own plan of its SELECT, and what has changed since from the ledger. Where
nobody can tell what an answer depends on (a function of ours, the clock, a relation that no load writes), the rule is
run every time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Span, bounds_of
from etl_assets.declare.rules import LOOKED_AT, Rule
from etl_assets.declare.source import Source
from etl_assets.warehouse.ledger import Batch

NEIGHBOURS = timedelta(days=1)
"""How far beyond its dates a rule reads, so that the rows at the edge see their neighbours."""
KEEP_DAYS = 90
"""How long it is known of dates that nobody looks at any more that they were looked at."""
_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday|age|random\w*|gen_random_uuid)\s*\("
    r"|\b(current_time|localtime)|'(now|today|tomorrow|yesterday)'",
    re.IGNORECASE,
)
"""What makes another answer of the same rows. Not `current_date`, which is asked for anew each day."""
_CALLED = re.compile(r"\b([a-z_]\w*)\s*\(", re.IGNORECASE)


@dataclass(frozen=True)
class DatesDue:
    """What a rule is to look at: these dates, or the whole table where they are None."""

    span: Span | None


@dataclass(frozen=True, kw_only=True)
class RuleQuery:
    """What a rule asks, in one transaction, and what of the ledger it has seen when it began."""

    source: Source
    rule: Rule
    scope: Span | None
    """The dates it is asked of, or None for the whole table."""
    select: str
    """The SELECT of what breaks it, with its values, over the whole table."""
    asked: str
    """A digest that is another where the same rows may have another answer."""
    upto_load: int
    upto_retention: int

    @property
    def relation(self) -> str:
        """The rule's own table."""
        return f"{self.source.schema}.{self.rule.table}"

    @property
    def billing_periods(self) -> str | None:
        """The table of the source's calendar, where it has one: no load writes it."""
        return f"{self.source.name}.billing_periods" if self.source.calendar else None

    @property
    def identity(self) -> dict[str, object]:
        """Which rule, and which dates."""
        first, last = bounds_of(self.scope)
        return {"relation": self.relation, "rule": self.rule.name, "first": first, "last": last}


def begin_rule(
    connection: psycopg.Connection, source: Source, rule: Rule, scope: Span | None, *, select: str, wording: str
) -> RuleQuery:
    """Wait until nobody else runs the rule, and see what has been loaded by now; before anything is looked at.

    Args:
        connection: As the loader, with its transaction begun.
        source: Whose rule it is.
        rule: The rule.
        scope: As `RuleQuery.scope`.
        select: As `RuleQuery.select`.
        wording: What else is kept of a finding depends on.
    """
    query = RuleQuery(source=source, rule=rule, scope=scope, select=select, asked="", upto_load=0, upto_retention=0)
    connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('etl rule ' || %(relation)s || ' ' || %(rule)s, 0))",
        query.identity,
    )
    load, retention, *today_and_schema = connection.execute(_SEEN).fetchone() or (0, 0)
    parts = [select, wording, *today_and_schema[1:]]
    if "current_date" in select.lower():
        parts.append(today_and_schema[0])
    if query.billing_periods and query.billing_periods in select:
        periods = sql.Identifier(*query.billing_periods.split("."))
        parts += (
            connection.execute(
                sql.SQL("select md5(string_agg(p::text, ' ' order by p)) from {} as p").format(periods)
            ).fetchone()
            or ()
        )
    return replace(query, asked=sha256(repr(parts).encode()).hexdigest(), upto_load=load, upto_retention=retention)


def dates_due(connection: psycopg.Connection, query: RuleQuery) -> DatesDue | None:
    """What a rule must look at for its findings to be those of a look at all its dates; None where that is nothing.

    What blocked is looked at again: whoever builds on the table must be told so each time. So is a rule of which
    somebody has resolved a finding.
    """
    whole, scope, rule = DatesDue(query.scope), query.scope, query.rule
    waits = rule.read_past
    run = connection.execute(
        sql.SQL(_LAST_RUN).format(
            bound=sql.SQL(waits.bound if waits else "null::timestamptz"),
            # The share of broken rows is one of these dates, and of no others.
            dates=sql.SQL(_SAME_DATES if rule.blocks_above is not None else _THESE_DATES),
        ),
        {**query.identity, "asked": query.asked},
    ).fetchone()
    if run is None:
        return whole
    is_due, reads, upto_load = run
    if is_due:
        return whole
    changed = _changed_dates(connection, query, reads, upto_load)
    days = {day for day in changed if day}
    if scope is None or len(days) < len(changed):
        return whole if changed else None
    if rule.is_row_by_row and rule.blocks_above is None:
        inside = [day for day in days if day in scope]
        return DatesDue(Span(min(inside), max(inside))) if inside else None
    return whole if any(day in scope.extended(NEIGHBOURS) for day in days) else None


def record_rule_run(connection: psycopg.Connection, batch: Batch, query: RuleQuery, *, blocks: bool) -> None:
    """Record that a rule has looked at all its dates, as they were when it began."""
    own, waits = {LOOKED_AT: query.relation}, query.rule.read_past
    bound = sql.SQL(waits.bound if waits else "null::timestamptz")
    waiting = [
        sql.SQL("select min({column})::timestamptz as at from {relation} where {column} >= {bound}").format(
            column=sql.Identifier(column), relation=sql.Identifier(*own.get(name, name).split(".")), bound=bound
        )
        for name, column in (waits.stamps.items() if waits else ())
    ]
    connection.execute(
        sql.SQL(_RECORD).format(
            bound=bound,
            waiting=sql.SQL(" union all ").join(waiting) if waiting else sql.SQL("select null::timestamptz as at"),
        ),
        {
            **query.identity,
            "asked": query.asked,
            "reads": _relations_read(connection, query),
            "load": query.upto_load,
            "retention": query.upto_retention,
            "blocks": blocks,
            "batch": batch.id,
        },
    )
    connection.execute(_FORGET, {**query.identity, "days": KEEP_DAYS})


def _changed_dates(
    connection: psycopg.Connection, query: RuleQuery, reads: list[str], upto_load: int
) -> set[date | None]:
    """The dates that loads have changed since in the rule's own table; None among them where anything may have."""
    rows = connection.execute(_CHANGED, {"relation": query.relation, "reads": reads, "upto": upto_load})
    return {day for (day,) in rows}


def _relations_read(connection: psycopg.Connection, query: RuleQuery) -> list[str]:
    """The relations that the SELECT reads, its own table first; none where its answer depends on more than these."""
    (plan,) = connection.execute(f"explain (format json, verbose) {query.select}".encode()).fetchone() or ([],)
    others = set(_relations_in(plan)) - {query.relation, query.billing_periods}
    if query.rule.read_past:
        others.discard("etl.extraction")
    reads = [query.relation, *sorted(others)]
    (is_known,) = connection.execute(
        _IS_KNOWN, {"reads": reads, "called": _CALLED.findall(query.select.lower())}
    ).fetchone() or (False,)
    return reads if is_known and not _CLOCK.search(query.select) else []


def _relations_in(plan: Any) -> Iterator[str]:
    """Every relation that a node of a plan reads, `schema.table`."""
    if isinstance(plan, list):
        for each in plan:
            yield from _relations_in(each)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield f"{plan['Schema']}.{plan['Relation Name']}"
        for each in plan.values():
            yield from _relations_in(each)


_SEEN = """
    select
        (
            select coalesce(max(load_id), 0)
            from etl.table_load
            where rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
        ),
        (select coalesce(max(retention_id), 0) from etl.retention),
        current_date::text,
        (select max(name) from public.schema_migration)
"""
_SAME_DATES = "slice_from is not distinct from %(first)s and slice_to is not distinct from %(last)s"
_THESE_DATES = "(slice_from is null or %(first)s::date >= slice_from and %(last)s::date <= slice_to)"
_LAST_RUN = """
    select
        blocks
        or reads = '{{}}'
        or exists (
            select from etl.retention where retention_id > upto_retention and retention.relation = any(reads)
        )
        or exists (
            select from etl.quality_issue as issue
            where issue.relation = run.relation and issue.rule = run.rule and issue.resolved_at > run.checked_at
        )
        or coalesce({bound} < read_past or {bound} > waits_for, false),
        reads,
        upto_load
    from etl.rule_run as run
    where relation = %(relation)s and rule = %(rule)s and asked = %(asked)s and {dates}
    order by upto_load desc
    limit 1
"""
_CHANGED = """
    with newer as materialized (
        select
            relation,
            file_id,
            slices_left || slices_changed as slices
        from etl.table_load
        where
            load_id > %(upto)s
            and rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
            and relation = any(%(reads)s)
    )

    select null::date as slice
    from newer
    where relation <> %(relation)s or (file_id is null and slices = '{}')
    union
    select covered.slice
    from newer
    inner join etl.file_slice as covered on covered.file_id = newer.file_id
    union
    select unnest(slices)
    from newer
"""
_RECORD = """
    insert into etl.rule_run (
        relation, rule, slice_from, slice_to, asked, reads, upto_load, upto_retention, read_past, waits_for, blocks,
        batch_id
    )
    values (
        %(relation)s, %(rule)s, %(first)s, %(last)s, %(asked)s, %(reads)s::text[], %(load)s, %(retention)s, {bound},
        (select min(waiting.at) from ({waiting}) as waiting), %(blocks)s, %(batch)s
    )
    on conflict (relation, rule, slice_from, slice_to) do update set
        asked = excluded.asked,
        reads = excluded.reads,
        upto_load = excluded.upto_load,
        upto_retention = excluded.upto_retention,
        read_past = excluded.read_past,
        waits_for = excluded.waits_for,
        blocks = excluded.blocks,
        batch_id = excluded.batch_id,
        checked_at = excluded.checked_at
"""
_FORGET = """
    delete from etl.rule_run
    where
        relation = %(relation)s
        and rule = %(rule)s
        and (
            checked_at < now() - make_interval(days => %(days)s)
            or (
                slice_from is not null
                and (%(first)s::date is null or (slice_from >= %(first)s and slice_to <= %(last)s))
                and (slice_from, slice_to) is distinct from (%(first)s::date, %(last)s::date)
            )
        )
"""
_IS_KNOWN = """
    select
        not exists (
            select from unnest(%(reads)s::text[]) as read (relation)
            where not exists (select from etl.table_load as load where load.relation = read.relation)
        )
        and not exists (
            select from pg_proc
            where
                proname = any(%(called)s::text[])
                and pronamespace <> 'pg_catalog'::regnamespace
                and provolatile <> 'i'
        )
"""
