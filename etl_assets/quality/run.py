"""Run a quality rule: count what breaks it, upsert its findings as issues, close the issues of rows that were fixed."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.dates import Span, bounds_of
from etl_assets.declare.rules import Rule
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Field, Table
from etl_assets.errors import EtlError
from etl_assets.quality.issues import CheckedRule, count_findings, open_counts, upsert_issues
from etl_assets.quality.rule_runs import NEIGHBOURS, begin_rule, dates_due, record_rule_run
from etl_assets.quality.thresholds import rule_in_force
from etl_assets.settings import MAX_FINDINGS
from etl_assets.warehouse.ledger import Batch
from etl_assets.warehouse.relation import MANY_ROWS
from etl_assets.warehouse.results import record_result

SAMPLE = 5
FINDINGS = sql.Identifier("pg_temp", "finding")
"""What a run of a rule found, whole, until its transaction ends."""
WITHHELD = "(withheld)"


class NotThereYet(EtlError):
    """A rule looks at a table that has never been loaded."""


@dataclass(frozen=True)
class Finding:
    """One row that breaks a rule."""

    key: str
    field: str
    value: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class RuleResult:
    """What one run of a rule found."""

    rows_checked: int
    rows_broken: int
    """Findings, those resolved by a person among them."""
    open: int
    """Findings that nobody has resolved."""
    open_elsewhere: int
    """Open findings of slices that were not looked at."""
    closed: int
    """Issues whose row has been fixed since."""
    blocks: bool
    """Whether so many rows are broken that nothing may be built on the table."""
    rule: Rule
    """The rule as it was run: with the thresholds that are set."""
    sample: Sequence[Finding]
    looked_at: Span | None
    """The dates that were looked at; None where that was the whole table."""

    @property
    def passed(self) -> bool:
        """Whether every finding of the table, if there are any, was resolved by somebody."""
        return self.open + self.open_elsewhere == 0


def run_rule(
    connection: psycopg.Connection,
    batch: Batch,
    source: Source,
    rule: Rule,
    span: Span | None,
    *,
    max_findings: int = MAX_FINDINGS,
) -> RuleResult:
    """Run one rule and bring its issues up to date, in one transaction.

    Args:
        connection: In autocommit mode, as the loader.
        batch: Whose work it is.
        source: Whose rule it is.
        rule: The rule as it is declared; thresholds that somebody has set are put in place of its own.
        span: The dates to look at, or None for the whole table. A day on either side is looked at too: what happens
            overnight belongs to the day before or after.
        max_findings: How many issues are kept of each date; findings are counted all the same.

    Raises:
        NotThereYet: A table that it reads was never loaded; nothing was found and nothing written.
    """
    result = _run(connection, batch, source, rule, span, max_findings=max_findings, only_due=False)
    if result is None:
        raise AssertionError("it looks at all that it is asked to look at")
    return result


def run_due_rule(
    connection: psycopg.Connection,
    batch: Batch,
    source: Source,
    rule: Rule,
    span: Span | None,
    *,
    max_findings: int = MAX_FINDINGS,
) -> RuleResult | None:
    """Run one rule over what has changed since it last looked at the span; None where nothing has.

    Its findings are then those of `run_rule`, whose arguments and errors it has.
    """
    return _run(connection, batch, source, rule, span, max_findings=max_findings, only_due=True)


def _run(
    connection: psycopg.Connection,
    batch: Batch,
    source: Source,
    rule: Rule,
    span: Span | None,
    *,
    max_findings: int,
    only_due: bool,
) -> RuleResult | None:
    table, rule = source.table(rule.table), rule_in_force(connection, source, rule)
    scope = span.extended(NEIGHBOURS) if span and rule.by_slice and table.partition_column else None
    checked_rule = CheckedRule(
        source=source.name,
        relation=f"{source.schema}.{table.name}",
        rule=rule.name,
        why=rule.why,
        severity=rule.severity,
        exception_type=rule.exception_type,
    )
    select = psycopg.ClientCursor(connection).mogrify(_breaking_rows(source, table, rule), _values(table, rule, None))
    with connection.transaction():
        query = begin_rule(
            connection, source, rule, scope, select=select, wording=f"{checked_rule} {rule.blocks_above} {max_findings}"
        )
        if only_due:
            due = dates_due(connection, query)
            if due is None:
                return None
            scope = due.span
        try:
            _find(connection, source, table, rule, scope)
        except psycopg.errors.UndefinedTable as error:
            raise NotThereYet(
                f"{source.name}: {rule.name} was not checked: {error.diag.message_primary}. Load that, and it is."
            ) from None
        checked, broken_keys, broken = _counts(connection, source, table, scope)
        blocks = rule.blocks_above is not None and broken_keys > rule.blocks_above * max(checked, 1)
        upsert_issues(connection, batch, checked_rule, found=FINDINGS, most=max_findings)
        closed = _close_fixed(connection, batch, source, table, checked_rule, scope=scope)
        count_findings(connection, batch, checked_rule, found=FINDINGS, scope=scope)
        still_open, all_open = open_counts(connection, checked_rule, found=FINDINGS)
        sample = _open_findings(connection, checked_rule)
        record_result(
            connection,
            batch,
            checked_rule.relation,
            rule.name,
            severity=rule.severity,
            passed=still_open == 0,
            rows_checked=checked,
            rows_broken=broken,
            scope=scope,
        )
        record_rule_run(connection, batch, query, blocks=blocks)
    return RuleResult(
        rows_checked=checked,
        rows_broken=broken,
        open=still_open,
        open_elsewhere=all_open - still_open,
        closed=closed,
        blocks=blocks,
        rule=rule,
        sample=sample,
        looked_at=scope,
    )


def _find(connection: psycopg.Connection, source: Source, table: Table, rule: Rule, scope: Span | None) -> None:
    """Put the findings of the scope into a temporary table, each key and field once."""
    statement = sql.SQL("create temporary table finding on commit drop as {}").format(
        _breaking_rows(source, table, rule)
    )
    # A statement that makes a table takes no parameters of the server's: psycopg puts them in, quoted.
    found = psycopg.ClientCursor(connection).execute(statement, _values(table, rule, scope))
    if found.rowcount >= MANY_ROWS:
        connection.execute("analyze finding")


def _breaking_rows(source: Source, table: Table, rule: Rule) -> sql.Composed:
    """The SELECT of the findings, with parameters for what `_values` holds."""
    return sql.SQL(
        "with looked_at as {materialized} ("
        "     select {columns}, concat_ws('|', {keys}) as row_key, {slice} as row_slice from {relation}"
        "     where {is_there} and (%(read_from)s::date is null or {slice} between %(read_from)s and %(read_to)s)"
        " ), found as ({rule})"
        " select distinct on (row_key, field) row_key, field, row_slice,"
        " case when field = any(%(personal)s) and value <> ''"
        " then replace(coalesce(message, field), value, %(withheld)s) else coalesce(message, field) end as message,"
        " case when %(all_personal)s or field = any(%(personal)s) then %(withheld)s else value end as value"
        " from found where row_key is not null and"
        " (%(from)s::date is null or row_slice is null or row_slice between %(from)s and %(to)s)"
        " order by row_key, field"
    ).format(
        **_parts(source, table),
        columns=_columns(table),
        # Of documents each field is to be read once; of a database's table only what the rule asks for.
        materialized=sql.SQL("not materialized" if table.is_wide else "materialized"),
        rule=sql.SQL(rule.breaking_rows()),  # our own declarations
    )


def _values(table: Table, rule: Rule, scope: Span | None) -> dict[str, object]:
    """The values of the parameters of `_breaking_rows`, for the dates of the scope or the whole table."""
    # A day more is read than findings are taken from, so that the days at the edge see their neighbours.
    read_from, read_to = bounds_of(scope.extended(NEIGHBOURS) if scope else None)
    scope_from, scope_to = bounds_of(scope)
    return {
        **rule.values,
        "read_from": read_from,
        "read_to": read_to,
        "from": scope_from,
        "to": scope_to,
        "personal": list(table.personal),
        "all_personal": table.personal_document,
        "withheld": WITHHELD,
    }


def _parts(source: Source, table: Table) -> dict[str, sql.Composable]:
    """What a table's own part of a statement is made of: its name, keys, date, and which of its rows count."""
    return {
        "relation": sql.Identifier(source.schema, table.name),
        "keys": sql.SQL(", ").join(
            sql.SQL("nullif({}::text, '')").format(sql.Identifier(key)) for key in source.row_key(table)
        ),
        "slice": sql.Identifier(table.partition_column) if table.partition_column else sql.SQL("null::date"),
        "is_there": sql.SQL(table.current_rows),
    }


def _columns(table: Table) -> sql.Composable:
    """The columns that rules read. A field of a document that is not of its type reads as null."""
    document = sql.Identifier(table.document_column)
    return sql.SQL(", ").join([sql.SQL("*"), *(_typed_field(document, field) for field in table.parsed_fields)])


def _typed_field(document: sql.Composable, field: Field) -> sql.Composable:
    text = sql.SQL("({} #>> {})").format(document, sql.Literal(field.path.split(".")))
    # PostgreSQL would read a moment into `tomorrow`, and one without end into `infinity`.
    form = sql.Literal(r"^\d{4}-" if field.type in {"date", "timestamp", "timestamptz"} else "")
    cases = [
        sql.SQL("when {0} ~ {1} and pg_input_is_valid({0}, {2}) then ({0})::{3}").format(
            text, form, sql.Literal(field.type), sql.SQL(field.type)
        )
    ]
    if field.type == "timestamptz":  # it may also be a Unix time in seconds
        unix_time = sql.SQL(r"when {0} ~ '^\d{{9,11}}(\.\d+)?$' then to_timestamp(({0})::double precision)")
        cases.append(unix_time.format(text))
    return sql.SQL("case {} end as {}").format(sql.SQL(" ").join(cases), sql.Identifier(field.name))


def _counts(connection: psycopg.Connection, source: Source, table: Table, scope: Span | None) -> tuple[int, int, int]:
    first, last = bounds_of(scope)
    row = connection.execute(
        sql.SQL(
            "select (select count(*) from {relation} where {is_there} and (%(first)s::date is null"
            " or {slice} between %(first)s and %(last)s)), count(distinct row_key), count(*) from finding"
        ).format(**_parts(source, table)),
        {"first": first, "last": last},
    ).fetchone()
    return row or (0, 0, 0)


def _close_fixed(
    connection: psycopg.Connection,
    batch: Batch,
    source: Source,
    table: Table,
    rule: CheckedRule,
    *,
    scope: Span | None,
) -> int:
    """Close the issues of the scope that were not found again, and those of rows that moved into it."""
    first, last = bounds_of(scope)
    return connection.execute(
        sql.SQL(
            "update etl.quality_issue as issue set status = 'closed', closed_at = now(), last_batch_id = %(batch)s"
            " where relation = %(relation)s and rule = %(rule)s and status <> 'closed'"
            " and (%(first)s::date is null or slice between %(first)s and %(last)s or key in ("
            "     select concat_ws('|', {keys}) from {relation} where {slice} between %(first)s and %(last)s))"
            " and not exists (select from finding where row_key = issue.key and field = issue.field)"
        ).format(**_parts(source, table)),
        {"batch": batch.id, "relation": rule.relation, "rule": rule.rule, "first": first, "last": last},
    ).rowcount


def _open_findings(connection: psycopg.Connection, rule: CheckedRule) -> list[Finding]:
    """A few open findings: of this run, or of other dates where it has none."""
    of_this_run = "exists (select from finding where row_key = issue.key and field = issue.field)"
    for among in (of_this_run, "true"):
        rows = connection.execute(
            sql.SQL(
                "select key, field, value, message from etl.quality_issue as issue"
                " where relation = %s and rule = %s and status = 'open' and {}"
                " order by slice desc nulls last, key, field limit %s"
            ).format(sql.SQL(among)),
            [rule.relation, rule.rule, SAMPLE],
        ).fetchall()
        if rows:
            return [Finding(*row) for row in rows]
    return []
