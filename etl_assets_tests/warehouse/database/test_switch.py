"""Views that read the old pipeline's table or ours, turned round under those who read them."""

from datetime import UTC, datetime

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.database.switch import switch, switch_states
from etl_assets_tests.old_pipeline import PRACTICE, ZONE, make, put_new, put_old


@pytest.fixture
def settings(module_settings: Settings) -> Settings:
    """One installation for all of these tests; each makes its tables anew."""
    return module_settings


@pytest.fixture
def login(settings):
    """The login's connection to a warehouse with both pipelines' tables."""
    with psycopg.connect(settings.warehouse_url, autocommit=True) as connection:
        make(connection)
        yield connection


@pytest.fixture
def loader(settings, login):
    with connect(settings, autocommit=True) as connection:
        yield connection


def turn(loader, to: str, *tables: str, **options):
    options = {"by": "ada", "old_schema": "old_raw", "zone": ZONE, **options}
    return switch(loader, PRACTICE, tables or ["visit"], to=to, **options)


def shape(login) -> list[tuple]:
    return login.execute(
        "select attname, format_type(atttypid, atttypmod), attcollation from pg_attribute"
        " where attrelid = 'open_dental_live.visit'::regclass and attnum > 0 order by attnum"
    ).fetchall()


def test_a_view_is_turned_and_keeps_its_columns_and_what_is_built_on_it(login, loader) -> None:
    (turned,) = turn(loader, "old")
    assert (turned.view, turned.reads, turned.rows, turned.missing) == ("open_dental_live.visit", "old", 2, ("added",))
    login.execute("create view public.report as select visitnum, fee, note from open_dental_live.visit")
    before = shape(login)
    assert [name for name, *_ in before][-1] == "added"
    put_new(login, 3, note="ours alone")
    (turned,) = turn(loader, "new")
    assert (turned.rows, turned.missing) == (3, ())
    assert shape(login) == before
    assert login.execute("select note from public.report where visitnum = 3").fetchall() == [("ours alone",)]
    turn(loader, "old")
    assert shape(login) == before
    assert login.execute("select count(*) from public.report").fetchone() == (2,)


def test_old_values_are_shown_in_our_types(login, loader) -> None:
    put_old(login, 3, Kind=None, Big=1e30, Fee=None, Flag=7, Day="2026-03-02 23:00", At="0000-00-00", Note=None)
    turn(loader, "old")
    login.execute("set timezone = 'UTC'")
    asked = (
        "select kind, big, fee, flag, day::text, at::text, stamp, lasts::text, note, photo from open_dental_live.visit"
    )
    rows = login.execute(f"{asked} order by visitnum").fetchall()
    stamp = datetime(2026, 3, 2, 14, tzinfo=UTC)
    assert rows[0] == (1, 0, 12.5, True, "2026-03-02", "2026-03-02 08:00:00", stamp, "01:30:00", "Grüße", b"ab\x01")
    assert rows[2] == (None, None, None, True, "2026-03-02", None, stamp, "01:30:00", None, b"ab\x01")


def test_equal_rows_look_the_same_from_both_sides(login, loader) -> None:
    turn(loader, "old")
    old = login.execute("select * from open_dental_live.visit order by 1").fetchall()
    turn(loader, "new")
    assert login.execute("select * from open_dental_live.visit order by 1").fetchall() == old


def test_who_turned_a_view_is_kept(login, loader) -> None:
    turn(loader, "old", "visit", "pair")
    turn(loader, "new", "pair", by="grace")
    assert [(each.relation, each.reads, each.switched_by) for each in switch_states(loader)] == [
        ("open_dental.pair", "new", "grace"),
        ("open_dental.visit", "old", "ada"),
    ]


def test_all_views_are_turned_or_none(login, loader) -> None:
    login.execute("drop table old_raw.visit")
    with pytest.raises(EtlError, match=r"old_raw\.visit is not in this database"):
        turn(loader, "old", "visit", "pair")
    assert switch_states(loader) == []
    assert login.execute("select to_regclass('open_dental_live.pair')").fetchone() == (None,)


def test_a_new_column_comes_last_and_a_changed_one_is_refused_by_name(login, loader) -> None:
    turn(loader, "old")
    login.execute("alter table open_dental.visit add column later integer")
    turn(loader, "new")
    assert [name for name, *_ in shape(login)][-2:] == ["added", "later"]
    login.execute(
        "create table open_dental.other (like open_dental.visit); alter table open_dental.other drop column note"
    )
    login.execute("alter table open_dental.visit rename to was; alter table open_dental.other rename to visit")
    with pytest.raises(EtlError, match=r"open_dental_live\.visit cannot get the columns"):
        turn(loader, "old")


@pytest.mark.parametrize(
    ("before", "options", "told"),
    [
        ("drop table open_dental.visit", {}, r"open_dental\.visit is not there yet"),
        ("revoke select on old_raw.visit from etl_loader", {}, "grant select on all tables in schema old_raw"),
        ("revoke usage on schema old_raw from etl_loader", {}, "grant usage on schema old_raw to etl_loader"),
        ("select 1", {"by": " "}, "nobody was named"),
    ],
)
def test_what_stands_in_the_way_is_told(login, loader, before, options, told) -> None:
    login.execute(before)
    with pytest.raises(EtlError, match=told):
        turn(loader, "old", **options)
    assert switch_states(loader) == []
