"""A day's work in a sandbox: what it says it changed is what has changed, and the money balances again."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.database import Database
from etl_assets.sandbox.open_dental.editing import Changes
from etl_assets.sandbox.open_dental.fill import fill
from etl_assets.sandbox.open_dental.live import live_on, purge
from etl_assets.sandbox.open_dental.practice import TODAY
from etl_assets.sandbox.open_dental.schema import tables
from etl_assets.warehouse import embedded
from etl_assets_tests.sandbox import ledger
from etl_assets_tests.sandbox.databases import Held, held, stamps
from etl_assets_tests.sandbox.ledger import amount

DAY = TODAY + timedelta(days=3)


class Lived:
    """A sandbox before and after a day's work."""

    def __init__(self, url: str) -> None:
        self.url = url
        fill(url, patients=120)
        self.before = held(url)
        self.old = {name: stamps(url, name) for name, table in tables().items() if table.moves}
        self.began = datetime.now(UTC)
        self.changes: Changes = live_on(url, DAY)
        self.after = held(url)
        self.new = {name: stamps(url, name) for name in self.old}

    def rows(self, table: str) -> list[dict[str, object]]:
        names = tables()[table].names
        return [dict(zip(names, row, strict=True)) for row in self.after[table].values()]

    @property
    def tables(self) -> dict[str, list[dict[str, object]]]:
        return {name: self.rows(name) for name in self.after}


@pytest.fixture(scope="module", params=["mysql", "postgresql"])
def lived(request: pytest.FixtureRequest, server: Path, new_mysql_database: Callable[[], str]) -> Lived:
    url = new_mysql_database()
    if request.param == "postgresql":
        name = f"lived_{url.rpartition('/')[2]}"
        with Database(embedded.server_url(server, "postgres")) as database:
            database.run(f"create database {name} template template0")
        url = embedded.server_url(server, name)
    return Lived(url)


def changed(before: Held, after: Held, table: str) -> tuple[set[int], set[int], set[int]]:
    old, new = before[table], after[table]
    edited = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    return set(new) - set(old), edited, set(old) - set(new)


def test_what_it_says_it_changed_is_what_has_changed(lived: Lived) -> None:
    for table in tables():
        inserted, edited, deleted = changed(lived.before, lived.after, table)
        said = lived.changes
        assert set(said.inserted[table]) - set(said.deleted[table]) == inserted, table
        assert set(said.updated[table]) - set(said.inserted[table]) - set(said.deleted[table]) == edited, table
        assert set(said.deleted[table]) - set(said.inserted[table]) == deleted, table


def test_people_do_what_a_loader_must_notice(lived: Lived) -> None:
    said = lived.changes
    assert said.inserted.keys() >= {"patient", "appointment", "procedurelog", "payment", "paysplit", "claimpayment"}
    assert said.updated.keys() >= {"appointment", "procedurelog", "payment", "claimproc", "adjustment", "commlog"}
    assert {table for table, keys in said.deleted.items() if keys} >= {
        "appointment", "paysplit", "payment", "claimproc", "patplan", "treatplanattach"
    }  # fmt: skip
    (gone,) = said.deleted["appointment"]
    (tomb,) = [row for row in lived.rows("histappointment") if row["AptNum"] == gone and row["HistApptAction"] == 4]
    assert tomb["HistApptNum"] in said.inserted["histappointment"]
    assert len(said.inserted["securitylog"]) == len(said.inserted["securityloghash"]) > 0


def test_a_stamp_moves_with_each_edit_but_not_with_the_silent_one(lived: Lived) -> None:
    silent = {table: set(keys) for table, keys in lived.changes.silent.items()}
    assert len(silent["fee"]) > 10
    for table, new in lived.new.items():
        loud = {key for key in lived.changes.updated[table] + lived.changes.inserted[table] if key in new}
        loud -= silent.get(table, set())
        assert all(new[key] >= lived.began - timedelta(seconds=2) for key in loud), table
        still = new.keys() - loud
        assert all(new[key] == lived.old[table][key] for key in still), table
        assert all(moment.microsecond == 0 for moment in new.values()), table


def test_many_rows_share_a_second(lived: Lived) -> None:
    moments = [lived.new["commlog"][key] for key in lived.changes.updated["commlog"]]
    assert len(moments) == 25
    assert len(set(moments)) < 10


def test_the_money_balances_again(lived: Lived) -> None:
    rows = lived.tables
    for header, key, total, lines, line in (
        ("payment", "PayNum", "PayAmt", "paysplit", "SplitAmt"),
        ("claimpayment", "ClaimPaymentNum", "CheckAmt", "claimproc", "InsPayAmt"),
    ):
        for row in rows[header]:
            held_ = sum((amount(one[line]) for one in rows[lines] if one[key] == row[key]), Decimal())
            assert amount(row[total]) == held_, (header, row[key])
    read = ledger.aged(rows, DAY)
    columns = ("Bal_0_30", "Bal_31_60", "Bal_61_90", "BalOver90", "BalTotal", "InsEst")
    for row in rows["patient"]:
        owed = read.get(row["PatNum"], (Decimal(0),) * 6)
        assert tuple(amount(row[column]) for column in columns) == owed


def test_a_second_day_goes_on_from_the_first(lived: Lived) -> None:
    more = live_on(lived.url, DAY + timedelta(days=1))
    assert not set(more.inserted["paysplit"]) & set(lived.changes.inserted["paysplit"])
    assert not set(more.inserted["paysplit"]) & set(lived.changes.deleted["paysplit"])


def test_a_purge_takes_the_history_from_before_a_day(lived: Lived) -> None:
    before = held(lived.url, "histappointment")["histappointment"]
    count = purge(lived.url, date(2025, 6, 1))
    after = held(lived.url, "histappointment")["histappointment"]
    assert 0 < count == len(before) - len(after) < len(before)
    place = tables()["histappointment"].names.index("HistDateTStamp")
    assert min(row[place] for row in after.values()).date() >= date(2025, 6, 1)
    assert purge(lived.url, date(2025, 6, 1)) == 0


def test_only_a_sandbox_is_worked_in(warehouse_url: str) -> None:
    with pytest.raises(EtlError, match="not marked"):
        live_on(warehouse_url, DAY)
    with pytest.raises(EtlError, match="not marked"):
        purge(warehouse_url, DAY)


def test_it_can_go_on_for_days(lived: Lived) -> None:
    with Database(lived.url) as database:
        count = f"select count(*) from appointment where {database.name('AptStatus')} = 1"
        before = database.rows(count)
        for more in range(2, 6):
            live_on(lived.url, DAY + timedelta(days=more))
        assert database.rows(count) == before
