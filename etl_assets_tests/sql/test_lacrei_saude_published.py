"""What readers see of Lacrei Saude's marts: the same in both schemas of the source, and nothing that tells of few."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl_assets.declare.publication import REASON
from etl_assets.quality.publication import attack_primary, attack_published, publish_marts
from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.live import advance
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse.connection import READER, connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.sql.lacrei_saude_builds import MARTS, Network, filled

PUBLICATION = SOURCE.publication
assert PUBLICATION is not None
SHOWN = {mart.name: mart for mart in PUBLICATION.marts}


def publish(network: Network) -> None:
    with open_batch(network.settings, SOURCE.name, "publish") as batch:
        done = publish_marts(network.settings, batch, SOURCE)
    assert done is not None
    assert done.disclosed == []


def rows(network: Network, mart: str, *, schema: str = "lacreisaude_mart") -> list[dict[str, Any]]:
    with connect(network.settings, role=None) as connection:
        key = ", ".join(SHOWN[mart].key)
        cursor = connection.cursor(row_factory=psycopg.rows.dict_row)
        return cursor.execute(f"select * from {schema}.{mart} order by {key}").fetchall()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def network(empty_database: Callable[[], str], warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Network:
    made = filled(empty_database(), warehouse_url, tmp_path_factory.mktemp("home"))
    publish(made)
    return made


@pytest.mark.parametrize("mart", SHOWN)
def test_a_published_mart_has_the_rows_of_the_exact_one_and_of_its_numbers_those_of_enough(
    network: Network, mart: str
) -> None:
    exact, shown = rows(network, mart, schema=MARTS), rows(network, mart)
    declared = SHOWN[mart]
    assert len(exact) == len(shown) > 0
    for was, row in zip(exact, shown, strict=True):
        assert row.keys() == was.keys() - declared.unpublished | {REASON}
        differing = {name for name in row.keys() - {REASON} if row[name] != was[name]}
        assert all(row[name] is None for name in differing)
        assert (row[REASON] is not None) == any(
            row[name] is None and was[name] is not None for name in row.keys() - {REASON}
        )
        assert differing <= {*declared.counts, *declared.derived, *declared.growth, *declared.anonymous}
        for column, count in declared.counts.items():
            few = min(was[column], was[count.persons] if count.persons else was[column])
            assert not 0 < few < 5 or row[column] is None
            assert was[column] != 0 or row[column] == 0
        for column, counts in declared.derived.items():
            assert row[column] is None or all(row[count] is not None for count in counts)


def test_the_attack_finds_nothing_and_without_complementary_suppression_true_numbers(network: Network) -> None:
    assert attack_published(network.settings, SOURCE) == []
    told = attack_primary(network.settings, SOURCE)
    assert len(told) > 10
    for each in told:
        mart, column = each.cell.table.split(".")
        key = dict(zip(SHOWN[mart].dimensions, each.cell.values, strict=False))
        where = " and ".join(f"{name}::text = %s" for name in key)
        assert network.query(f"select {column} from {MARTS}.{mart} where {where}", *key.values()) == [(each.low,)]


def test_readers_see_the_published_marts_and_nobody(network: Network) -> None:
    with connect(network.settings, role=READER) as connection:
        visible = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema like 'lacrei%' and has_table_privilege(table_schema || '.' || table_name, 'select')"
        ).fetchall()
    assert {name for (name,) in visible} == {f"lacreisaude_mart.{mart}" for mart in SHOWN}
    pseudonyms = {key for (key,) in network.query("select person_key from lacreisaude_staging_01.etl_person_key")}
    patients = {
        key
        for (key,) in network.query(
            "select person_key from lacreisaude_staging_01.etl_person_key where subject = 'patient'"
        )
    }
    for mart in SHOWN:
        values = {str(value) for row in rows(network, mart) for value in row.values()}
        assert values.isdisjoint(patients)
        assert mart.startswith("professional") or values.isdisjoint(pseudonyms)


def test_what_a_mart_is_is_said_in_portuguese(network: Network) -> None:
    described = dict(
        network.query(
            "select relname::text, obj_description(oid) from pg_class"
            " where relnamespace = 'lacreisaude_mart'::regnamespace and relkind = 'r'"
        )
    )
    assert described.keys() == SHOWN.keys()
    assert all(" por " in text or " mês " in text for text in described.values())
    silent = network.query(
        "select attrelid::regclass::text, attname from pg_attribute where attnum > 0 and not attisdropped"
        " and col_description(attrelid, attnum) is null and attrelid in"
        " (select oid from pg_class where relnamespace = 'lacreisaude_mart'::regnamespace and relkind = 'r')"
    )
    assert silent == []


def test_the_newer_schema_is_published_alike(
    network: Network, empty_database: Callable[[], str], new_database: Callable[[], str], tmp_path: Path
) -> None:
    newer = filled(empty_database(), new_database(), tmp_path, schema="newer")
    publish(newer)
    for mart in SHOWN:
        assert rows(newer, mart) == rows(network, mart)


def test_no_release_tells_what_the_one_before_hid(
    network: Network, new_database: Callable[..., str], tmp_path: Path
) -> None:
    own = network.copy(new_database, tmp_path)
    for step in (1, 2):
        with psycopg.connect(own.url, autocommit=True) as source:
            advance(source, step)
        own.load_and_build()
        publish(own)
        assert attack_published(own.settings, SOURCE) == []
    # Other people altogether, in the same months.
    fill(own.url, patients=21, seed=9, anew=True)
    own.load_and_build()
    publish(own)
    assert [each for each in attack_published(own.settings, SOURCE) if each.by] == []
    assert own.query("select count(*) from etl.release") == [(3,)]
