"""A sandbox in use: it changes alike in both schemas, and stamps move only where the source's own code moves them."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from etl_assets.errors import EtlError
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.live import EARLIEST, advance, erase, reschedule
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, SCHEMAS, tables
from etl_assets_tests.sandbox.lacrei_saude.catalogue import written

Held = dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def patterns(empty_database: Callable[[], str]) -> dict[str, str]:
    urls = {schema: empty_database() for schema in SCHEMAS}
    for schema, url in urls.items():
        fill(url, schema=schema, patients=60)
    return urls


@pytest.fixture
def copy(patterns: dict[str, str], new_database: Callable[..., str]) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Makes a database of a schema that the test may write into, and connects to it."""
    opened = []

    def make(schema: str) -> psycopg.Connection:
        opened.append(psycopg.connect(new_database(like=patterns[schema]), autocommit=True))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


def held(connection: psycopg.Connection, schema: str) -> Held:
    """All rows of all tables, by key."""
    found: Held = {}
    for table, declared in tables(schema).items():
        rows = connection.execute(f"select * from {table}")
        found[table] = {
            str(row[declared.names.index("id")]): dict(zip(declared.names, row, strict=True)) for row in rows
        }
    return found


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_day_changes_what_it_says_and_nothing_else(copy: Callable[..., psycopg.Connection], schema: str) -> None:
    connection = copy(schema)
    before = held(connection, schema)
    changed = advance(connection, 1)
    after = held(connection, schema)
    for table, rows in before.items():
        assert after[table].keys() - rows.keys() == set(changed.inserted[table]), table
        assert rows.keys() - after[table].keys() == set(changed.deleted[table]), table
        both = rows.keys() & after[table].keys()
        differ = {key for key in both if str(rows[key]) != str(after[table][key])}
        # A price that is no number stays none, whatever is added to it.
        changing = {key for key in both if str(rows[key].get("consult_price")) != "NaN"}
        assert differ == changing & {*changed.updated[table], *changed.silent[table]}, table
        moved = {key for key in differ if rows[key].get("updated_at") != after[table][key].get("updated_at")}
        assert moved == both & set(changed.updated[table]), table
    assert changed.silent["lacreisaude_clinic"]
    assert changed.silent["lacreiid_user"]


def test_both_schemas_live_the_same_days(copy: Callable[..., psycopg.Connection]) -> None:
    older, newer = copy(OLDER), copy(NEWER)
    for step in range(1, 9):
        one, other = advance(older, step), advance(newer, step)
        for table in ("lacreiid_user", "lacreiid_appointment", "lacreiid_report", "lacreisaude_professional"):
            assert one.inserted[table] == other.inserted[table], table
            assert one.updated[table] == other.updated[table], table
            assert sorted(one.deleted[table]) == sorted(other.deleted[table]), table
        assert one.deleted["lacreiid_user"]
        assert one.deleted["lacreiid_appointment"]


def test_stamps_are_the_server_s_own_time(copy: Callable[..., psycopg.Connection]) -> None:
    connection = copy(OLDER)
    (begun,) = connection.execute("select clock_timestamp()").fetchone() or (None,)
    changed = advance(connection, 1)
    stamped = connection.execute("select id from lacreiid_appointment where updated_at > %s", [begun]).fetchall()
    expected = {*changed.updated["lacreiid_appointment"], *changed.inserted["lacreiid_appointment"]}
    assert {key for (key,) in stamped} == expected


def test_an_appointment_from_before_all_others_is_found(copy: Callable[..., psycopg.Connection]) -> None:
    connection = copy(OLDER)
    first = "select min(date) from lacreiid_appointment"
    before = connection.execute(first).fetchone()
    advance(connection, 1)
    after = connection.execute(first).fetchone()
    assert before
    assert before[0] > datetime(2024, 9, 1, tzinfo=UTC)
    assert after
    assert after[0].date() == date(2023, 11, 5) < EARLIEST.date()


def test_a_group_becomes_empty(copy: Callable[..., psycopg.Connection]) -> None:
    connection = copy(NEWER)
    answers = "select gender_identity, sexuality, ethnic_group, count(*) from lacreiid_profile p"
    groups = f"{answers} join lacreiid_user u on u.id = p.user_id where u.privacy_document_id = 1 group by 1, 2, 3"
    before = {row[:3]: row[3] for row in connection.execute(groups)}
    advance(connection, 1)
    after = {row[:3]: row[3] for row in connection.execute(groups)}
    assert [before[group] for group in before.keys() - after.keys()] == [1]


def test_a_professional_takes_another_name_and_prices_rise(copy: Callable[..., psycopg.Connection]) -> None:
    connection = copy(OLDER)
    names = "select id, full_name from lacreisaude_professional"
    prices = "select id, consult_price from lacreisaude_clinic where consult_price <> 'NaN'"
    before, cheap = dict(connection.execute(names).fetchall()), dict(connection.execute(prices).fetchall())
    changed = advance(connection, 2)
    after, dear = dict(connection.execute(names).fetchall()), dict(connection.execute(prices).fetchall())
    renamed = [key for key, name in after.items() if before[key] != name]
    assert renamed == changed.updated["lacreisaude_professional"]
    rises = {key: dear[key] - price for key, price in cheap.items() if dear[key] != price}
    assert set(rises.values()) == {Decimal(1)}
    assert rises.keys() <= set(changed.silent["lacreisaude_clinic"])


def test_an_appointment_is_moved_under_its_key(copy: Callable[..., psycopg.Connection]) -> None:
    connection = copy(OLDER)
    to = datetime(2026, 7, 1, 15, tzinfo=UTC)
    stamp = "select updated_at from lacreiid_appointment where id = '1234e567'"
    before = connection.execute(stamp).fetchone()
    reschedule(connection, "1234e567", to)
    moved = "select date, rescheduled from lacreiid_appointment where id = '1234e567'"
    assert connection.execute(moved).fetchall() == [(to, True)]
    after = connection.execute(stamp).fetchone()
    assert before
    assert after
    assert after > before


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_erased_account_takes_with_it_all_that_refers_to_it(
    copy: Callable[..., psycopg.Connection], schema: str
) -> None:
    connection = copy(schema)
    user = "00012345"
    own = planted(connection, user)
    (profile,) = connection.execute("select id from lacreiid_profile where user_id = %s", [user]).fetchone() or ("",)
    (email,) = own["emails"] & {value for value in own["emails"] if not value.startswith("segunda")}
    assert email in written(connection)
    changed = erase(connection, user)
    left = written(connection)
    assert email not in left
    assert not [phone for phone in own["phones"] if phone in left]
    assert changed.deleted["lacreiid_user"] == [user]
    assert changed.deleted["lacreiid_profile"] == [profile]


def test_a_database_that_is_no_sandbox_is_left_alone(in_empty_database: psycopg.Connection) -> None:
    with pytest.raises(EtlError, match="not marked as a sandbox"):
        advance(in_empty_database, 1)
