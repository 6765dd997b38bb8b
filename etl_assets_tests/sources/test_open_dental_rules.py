"""What the rules of Open Dental find, and what they leave alone. Each case is one row beside good ones."""

from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import sql

from etl_assets.declare.rules_of_tables import TablesTakenIn
from etl_assets.quality.run import run_rule
from etl_assets.sources.open_dental import SOURCE
from etl_assets.sources.open_dental.tables import LISTED
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch

TODAY = date.today()  # noqa: DTZ011 (as the rules have it)
NEVER = date(1, 1, 1)
# The columns that rules look at, in the types that staging has them in.
COLUMNS = {
    "patient": "patnum bigint primary key, guarantor bigint",
    "payment": "paynum bigint primary key, payamt double precision, paydate date, dateentry date,"
    " secdatetedit timestamptz",
    "paysplit": "splitnum bigint primary key, paynum bigint, splitamt double precision, datepay date,"
    " secdatetedit timestamptz",
    "claim": "claimnum bigint primary key, claimstatus text",
    "claimproc": "claimprocnum bigint primary key, claimnum bigint, secdatetedit timestamptz",
    "procedurelog": "procnum bigint primary key, patnum bigint, procstatus smallint, procdate date,"
    " datetstamp timestamptz",
    "appointment": "aptnum bigint primary key, aptstatus smallint",
    "securitylog": "securitylognum bigint primary key",
    "securityloghash": "securityloghashnum bigint primary key, securitylognum bigint",
}
STAMP = datetime.fromisoformat("2026-03-02T08:00:00+00:00")
GOOD = {
    "patient": [(1, 1), (2, 1)],
    "payment": [(1, 100.1, date(2026, 3, 2), date(2026, 3, 2), STAMP), (2, 0, date(2026, 3, 2), NEVER, STAMP)],
    "paysplit": [
        (1, 1, 33.4, date(2026, 3, 2), STAMP),
        (2, 1, 33.4, date(2026, 3, 2), STAMP),
        (3, 1, 33.3, date(2026, 3, 2), STAMP),
        (4, 2, -50, date(2026, 3, 2), STAMP),
        (5, 2, 50, date(2026, 3, 2), STAMP),
    ],
    "claim": [(1, "S")],
    "claimproc": [(1, 1, STAMP), (2, 0, STAMP)],
    "procedurelog": [(1, 1, 2, date(2026, 3, 2), STAMP)],
    "appointment": [(1, 1)],
    "securitylog": [(10,), (11,)],
    "securityloghash": [(5, 10), (6, 11)],
}
# rule, table, the row beside the good ones, the key and field that are found
BROKEN = [
    ("HeaderIsNotTheSumOfItsSplits", "payment", (9, 5, TODAY, TODAY, STAMP), "9 payamt"),
    ("HeaderIsNotTheSumOfItsSplits", "paysplit", (9, 1, 0.01, date(2026, 3, 2), STAMP), "1 payamt"),
    ("HeaderIsNotTheSumOfItsSplits", "paysplit", (9, 2, 50, date(2026, 3, 2), STAMP), "2 payamt"),
    ("UnknownPayment", "paysplit", (9, 77, 5, TODAY, STAMP), "9 paynum"),
    ("UnknownPayment", "paysplit", (9, None, 5, TODAY, STAMP), "9 paynum"),
    ("DateIsNotThePayments", "paysplit", (9, 1, 0, date(2026, 3, 3), STAMP), "9 datepay"),
    ("DateOutOfRange", "payment", (9, 0, NEVER, TODAY, STAMP), "9 paydate"),
    ("DateOutOfRange", "payment", (9, 0, TODAY + timedelta(days=3), TODAY, STAMP), "9 paydate"),
    ("UnknownClaim", "claimproc", (9, 77, STAMP), "9 claimnum"),
    ("InvalidStatus", "claim", (9, "X"), "9 claimstatus"),
    ("UnknownPatient", "procedurelog", (9, 77, 1, TODAY, STAMP), "9 patnum"),
    ("UnknownPatient", "procedurelog", (9, 0, 1, TODAY, STAMP), "9 patnum"),
    ("InvalidStatus", "procedurelog", (9, 1, 9, TODAY, STAMP), "9 procstatus"),
    ("InvalidStatus", "procedurelog", (9, 1, 0, TODAY, STAMP), "9 procstatus"),
    ("CompleteInTheFuture", "procedurelog", (9, 1, 2, TODAY + timedelta(days=3), STAMP), "9 procdate"),
    ("CompleteInTheFuture", "procedurelog", (9, 1, 2, NEVER, STAMP), "9 procdate"),
    ("InvalidStatus", "appointment", (9, 0), "9 aptstatus"),
    ("InvalidStatus", "appointment", (9, 4), "9 aptstatus"),
    ("UnknownGuarantor", "patient", (9, 77), "9 guarantor"),
    ("UnknownGuarantor", "patient", (9, 0), "9 guarantor"),
    ("EntryWithoutHash", "securitylog", (9,), "9 loghash"),
    ("HashWithoutOneEntry", "securityloghash", (9, 9), "9 securitylognum"),
]
FINE = [
    ("HeaderIsNotTheSumOfItsSplits", "paysplit", (9, 1, 0.004, date(2026, 3, 2), STAMP)),  # half a cent
    ("HeaderIsNotTheSumOfItsSplits", "payment", (9, 0, TODAY, TODAY, STAMP)),  # nothing paid, nothing split
    ("DateOutOfRange", "payment", (9, 0, date(1990, 1, 1), TODAY, STAMP)),
    ("UnknownClaim", "claimproc", (9, 0, STAMP)),  # an estimate
    ("InvalidStatus", "claim", (9, "I")),
    ("InvalidStatus", "procedurelog", (9, 1, 8, TODAY, STAMP)),
    ("CompleteInTheFuture", "procedurelog", (9, 1, 1, TODAY + timedelta(days=300), STAMP)),  # planned
    ("CompleteInTheFuture", "procedurelog", (9, 1, 2, TODAY + timedelta(days=1), STAMP)),  # west of us it is today
    ("InvalidStatus", "appointment", (9, 8)),
    ("UnknownGuarantor", "patient", (9, 9)),
    ("EntryWithoutHash", "securitylog", (99,)),  # its hash is still to be read
    ("HashWithoutOneEntry", "securityloghash", (9, 99)),  # its entry is
]
BETWEEN = [
    ("HeaderIsNotTheSumOfItsSplits", "payment", (9, 5, TODAY, TODAY, STAMP), "paysplit"),
    ("UnknownPayment", "paysplit", (9, 77, 5, TODAY, STAMP), "payment"),
    ("DateIsNotThePayments", "paysplit", (9, 1, 0, date(2026, 3, 3), STAMP), "payment"),
    ("UnknownClaim", "claimproc", (9, 77, STAMP), "claim"),
    ("UnknownPatient", "procedurelog", (9, 77, 1, TODAY, STAMP), "patient"),
]


@pytest.fixture(scope="module")
def warehouse(module_settings):
    """A warehouse in which each table that rules look at holds good rows."""
    with connect(module_settings, autocommit=True) as connection:
        for table, columns in COLUMNS.items():
            connection.execute(f"drop table if exists open_dental.{table}")
            connection.execute(f"create table open_dental.{table} ({columns}, etl_batch_id uuid not null)")
            for row in GOOD[table]:
                put(connection, table, row)
        yield connection


@pytest.fixture(scope="module")
def batch(module_settings):
    with open_batch(module_settings, "open_dental", "check") as batch:
        yield batch


def put(connection, table: str, row: tuple) -> None:
    values = sql.SQL(", ").join(map(sql.Literal, [*row, uuid4()]))
    connection.execute(sql.SQL("insert into {} values ({})").format(sql.Identifier("open_dental", table), values))


def found(warehouse, batch, rule: str, table: str, row: tuple | None = None) -> list[str]:
    """What the rule finds with one more row in a table; the row is taken out again."""
    declared = next(
        each for each in SOURCE.rules if each.name == rule and (each.name != "InvalidStatus" or each.table == table)
    )
    if row:
        put(warehouse, table, row)
    try:
        result = run_rule(warehouse, batch, SOURCE, declared, None)
    finally:
        if row:
            key = COLUMNS[table].split()[0]
            warehouse.execute(f"delete from open_dental.{table} where {key} = %s", [row[0]])
    return [f"{finding.key} {finding.field}" for finding in result.sample]


def read_until(warehouse, batch, table: str, moment: datetime) -> None:
    warehouse.execute(
        "insert into etl.extraction (relation, source, rows_held, read_until, read_at, source_columns, batch_id)"
        " values (%s, 'open_dental', 0, %s, now(), '{}', %s)",
        [f"open_dental.{table}", moment, batch.id],
    )


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case[1]}.{case[0]} {case[2][:3]}")
def test_what_is_wrong_is_found_by_key_and_field(warehouse, batch, case) -> None:
    rule, table, row, told = case
    assert found(warehouse, batch, rule, table, row) == [told]


@pytest.mark.parametrize("case", FINE, ids=lambda case: f"{case[1]}.{case[0]} {case[2][:3]}")
def test_what_only_looks_wrong_is_left_alone(warehouse, batch, case) -> None:
    assert found(warehouse, batch, *case) == []


@pytest.mark.parametrize("rule", SOURCE.rules, ids=lambda rule: f"{rule.table}.{rule.name}")
def test_good_rows_are_found_by_no_rule(warehouse, batch, rule) -> None:
    assert found(warehouse, batch, rule.name, rule.table) == []


@pytest.mark.parametrize("case", BETWEEN, ids=lambda case: f"{case[1]}.{case[0]}")
def test_a_row_that_the_other_table_was_not_read_after_is_waited_with(warehouse, batch, case) -> None:
    rule, table, row, other = case
    try:
        read_until(warehouse, batch, other, STAMP)
        assert found(warehouse, batch, rule, table, row) == []
        warehouse.execute("update etl.extraction set read_until = %s", [STAMP + timedelta(seconds=1)])
        assert len(found(warehouse, batch, rule, table, row)) == 1
    finally:
        warehouse.execute("delete from etl.extraction")


def test_a_payment_whose_splits_may_have_been_replaced_waits_for_the_sweep(warehouse, batch) -> None:
    row = (9, 1, 33.4, date(2026, 3, 2), STAMP)
    try:
        read_until(warehouse, batch, "paysplit", STAMP + timedelta(hours=1))
        warehouse.execute("update etl.extraction set swept_at = %s", [STAMP - timedelta(hours=1)])
        assert found(warehouse, batch, "HeaderIsNotTheSumOfItsSplits", "paysplit", row) == []
        warehouse.execute("update etl.extraction set swept_at = %s", [STAMP + timedelta(hours=2)])
        assert found(warehouse, batch, "HeaderIsNotTheSumOfItsSplits", "paysplit", row) == ["1 payamt"]
    finally:
        warehouse.execute("delete from etl.extraction")


def test_two_hashes_of_one_entry_are_both_told(warehouse, batch) -> None:
    assert found(warehouse, batch, "HashWithoutOneEntry", "securityloghash", (9, 10)) == [
        "5 securitylognum", "9 securitylognum",
    ]  # fmt: skip


def test_every_rule_names_a_table_that_is_loaded() -> None:
    names = {table.name for table in SOURCE.tables}
    assert {rule.table for rule in SOURCE.rules} <= names
    assert len(SOURCE.rules) >= 8


def test_the_tables_that_are_found_missing_are_those_that_the_catalogue_leaves_out() -> None:
    (rule,) = (rule for rule in SOURCE.rules if isinstance(rule, TablesTakenIn))
    assert rule.left_out is LISTED.left_out
