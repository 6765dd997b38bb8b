"""Lacrei Saude's models on its stand-in: the counts that are known, the same in both schemas of the source."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from etl_assets import cli
from etl_assets.loading.database.pseudonyms import PseudonymKey, rotate
from etl_assets.orchestration.models.dbt_project import source_manifest
from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.drawing import draw
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.warehouse.connection import TRANSFORMER, connect
from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import Dbt
from etl_assets_tests.sql.lacrei_saude_answers import expected_marts
from etl_assets_tests.sql.lacrei_saude_builds import (
    EXACT_MARTS,
    MARTS,
    MODEL,
    PATIENTS,
    SEED,
    STAGING,
    Network,
    filled,
    refill,
    written,
)

LAYERS = (STAGING, MODEL, MARTS)


@pytest.fixture(scope="module")
def community() -> Community:
    return draw(SEED, patients=PATIENTS)


@pytest.fixture(scope="module")
def network(empty_database: Callable[[], str], warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The stand-in in its older schema, loaded and built."""
    return filled(empty_database(), warehouse_url, tmp_path_factory.mktemp("home"))


@pytest.fixture
def own(network: Network, new_database: Callable[..., str], tmp_path: Path) -> Network:
    """A copy of it, of one test."""
    return network.copy(new_database, tmp_path)


@pytest.fixture(scope="module")
def expected(network: Network, community: Community) -> dict[str, set[tuple]]:
    found = network.query(
        "select subject_id, person_key from lacreisaude_staging_01.etl_person_key where subject = 'professional'"
    )
    return expected_marts(community, dict(found))


@pytest.mark.parametrize("mart", EXACT_MARTS)
def test_an_exact_mart_has_the_known_counts(network: Network, expected: dict[str, set[tuple]], mart: str) -> None:
    rows = network.query(f"select * from {MARTS}.{mart}")
    assert set(rows) == expected[mart]
    assert len(rows) == len(expected[mart]) > 10


def test_the_stand_in_s_own_counts_come_out(network: Network, community: Community) -> None:
    statuses = network.query(
        f"select sum(pending), sum(confirmed), sum(completed), sum(canceled) from {MARTS}.mart_appointments"
    )
    counts = community.count("visits", "status")
    assert statuses == [tuple(counts[name,] for name in ("pending", "confirmed", "completed", "canceled"))]
    kinds = network.query(f"select type, sum(total_appointments) from {MARTS}.mart_appointments group by 1")
    assert {(kind,): number for kind, number in kinds} == community.count("visits", "type")
    months = network.query(f"select month, sum(total_appointments) from {MARTS}.mart_appointments group by 1")
    assert {(month,): number for month, number in months} == community.count("visits", "month")
    rated = network.query(f"select {', '.join(f'sum(rating_{n})' for n in range(1, 6))} from {MARTS}.mart_feedback")
    by_author = community.count("reports", "author", "rating")
    assert rated == [tuple(by_author["user", number] for number in range(1, 6))]
    groups = Counter()
    for group, ethnic, number in network.query(
        f"select gender_identity, ethnic_group, total_patients from {MARTS}.patients"
    ):
        groups[*(None if code == "N/I" else code for code in (group, ethnic)),] += number
    assert groups == community.count("patients", "traits.gender_identity", "traits.ethnic_group")


def test_every_test_of_dbt_holds_and_the_prices_that_are_no_numbers_are_counted(own: Network) -> None:
    results = own.build("full", tests=True)
    assert written(results) == set()
    assert len([each for each in results if each.kind == "test"]) > 90
    odd = [(each.unique_id.split(".")[2], each.failures) for each in results if each.status == "warn"]
    assert odd == [("lacrei_saude__prices_are_numbers", 1)]


def test_the_unit_tests_of_the_models_hold(network: Network, dbt: Dbt) -> None:
    results = dbt("test", "--select", "path:models/lacrei_saude,test_type:unit")
    assert {name: outcome.message for name, outcome in results.items() if outcome.status != "pass"} == {}
    assert len(results) == 1


def test_where_nothing_has_changed_nothing_is_built(own: Network) -> None:
    assert own.load() == 0
    assert own.build() == []


def test_the_newer_schema_gives_the_same_marts_and_the_same_people(
    network: Network, empty_database: Callable[[], str], new_database: Callable[[], str], tmp_path: Path
) -> None:
    newer = filled(empty_database(), new_database(), tmp_path, schema="newer")
    assert newer.marts() == network.marts()
    for table in ("lacreiid_profile", "lacreisaude_professional", "lacreiid_user", "lacreiid_report"):
        assert newer.query(f"select * from {STAGING}.{table} order by 1") == network.query(
            f"select * from {STAGING}.{table} order by 1"
        )
    answers = newer.query(f"select count(*), count(code), count(label) from {STAGING}.attribute_answer")
    assert answers[0][0] == answers[0][1] > 20
    assert answers[0][2] == 0


def test_the_day_of_the_switch_makes_no_new_version_of_anybody(own: Network) -> None:
    before, versions = own.marts(), own.versions()
    refill(own, "newer")
    kept = "select count(*) from lacreisaude_staging_01.{}_disability_types"
    tables = ("lacreiid_profile", "lacreisaude_professional")
    assert all(own.query(kept.format(table))[0][0] for table in tables)
    assert own.load() > 0
    # Nobody would tell of deletions in these any more: an array has their place.
    assert [own.query(kept.format(table))[0][0] for table in tables] == [0, 0]
    assert written(own.build()) <= {"lacrei_saude__stg_attribute_answer"}
    assert own.versions() == versions
    assert own.marts() == before
    # From then on what the older schema left behind in staging says nothing: neither keys, nor rows between tables.
    ((profile,),) = own.at_source(
        "select min(id) from lacreiid_profile where disability_types is not null and ethnic_group is not null"
    )
    own.at_source(
        "update lacreiid_profile set ethnic_group = null, disability_types = null, pronoun = 'EU' where id = %s",
        profile,
    )
    own.load_and_build()
    found = own.query(
        f"select ethnic_group, disability_types, pronoun from {STAGING}.lacreiid_profile where profile_id = %s", profile
    )
    assert found == [(None, None, "EU")]
    assert own.versions() == {**versions, "dim_patient": versions["dim_patient"] + 1}


def test_after_a_rotation_of_the_secret_no_older_pseudonym_is_left(own: Network) -> None:
    keys = "select person_key from lacreisaude_staging_01.etl_person_key"
    own.at_source("update lacreisaude_clinic set consult_price = 1000")  # a second version of each
    own.load_and_build()
    older, versions = {key for (key,) in own.query(keys)}, own.versions()
    with connect(own.settings) as connection:
        rotate(connection, SOURCE, PseudonymKey("another secret, of the tests as well"), by="a test", why="to see")
    own.build("full")
    found = {
        key
        for schema, table, column in own.query(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where table_schema = any(%s) and data_type = 'text' and column_name ~ '_(key|sk)$'",
            list(LAYERS),
        )
        for (key,) in own.query(f"select {column} from {schema}.{table} where {column} is not null")
    }
    newer = {key for (key,) in own.query(keys)}
    assert found <= newer
    assert newer.isdisjoint(older)
    assert own.versions() == versions


def test_no_reader_sees_any_layer_and_the_loader_sees_the_exact_marts(network: Network) -> None:
    schemas = ["lacreisaude_staging_01", *LAYERS]
    held = network.query(
        "select relnamespace::regnamespace::text, count(*) from pg_class where relkind in ('r', 'v')"
        " and relnamespace::regnamespace::text = any(%s) group by 1",
        schemas,
    )
    assert {schema for schema, number in held if number > 5} == set(schemas)
    seen = network.query(
        "select reader, class.oid::regclass::text from pg_class as class,"
        " unnest(array['etl_reader', 'etl_personal_reader']) as reader"
        " where class.relkind in ('r', 'v') and class.relnamespace::regnamespace::text = any(%s)"
        " and (has_schema_privilege(reader, class.relnamespace, 'usage')"
        " or has_any_column_privilege(reader, class.oid, 'select'))",
        schemas,
    )
    assert seen == []
    with psycopg.connect(network.settings.warehouse_url) as connection:
        connection.execute("set role etl_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select 1 from {MARTS}.patients")
        connection.rollback()
        connection.execute("set role etl_loader")
        for mart in EXACT_MARTS:
            connection.execute(f"select 1 from {MARTS}.{mart}")


def test_every_column_with_a_person_s_key_says_whose_it_is(network: Network) -> None:
    """Found by what is in them: what has mostly keys of persons, or their pseudonyms, is marked, and nothing else."""
    keys = "select subject, subject_id as key from lacreisaude_staging_01.etl_person_key"
    keys += " union all select subject, person_key from lacreisaude_staging_01.etl_person_key"
    columns = network.query(
        "select table_schema, table_name, column_name from information_schema.columns"
        " where table_schema = any(%s) and data_type = 'text'",
        list(LAYERS),
    )
    found = {}
    for schema, table, column in columns:
        # Of the keys that look like numbers each table has some, whoever it is of.
        for (subject,) in network.query(
            f"select keys.subject from {schema}.{table} as held left join ({keys}) as keys on held.{column} = keys.key"
            f" where held.{column} is not null group by 1 having count(keys.key) * 2 > "
            f"(select count({column}) from {schema}.{table})"
        ):
            found[schema, table, column] = subject
    marked = {
        (node["schema"], node["alias"], name): column["config"]["meta"]["subject"]
        for node in source_manifest("lacrei_saude")["manifest"]["nodes"].values()
        if node["resource_type"] == "model"
        for name, column in node["columns"].items()
        if column.get("config", {}).get("meta", {}).get("subject") in {"patient", "professional"}
    }
    assert found == marked
    assert len(found) > 15


def test_columns_have_the_types_that_the_ui_shows(network: Network) -> None:
    with psycopg.connect(network.settings.warehouse_url) as connection:
        check_column_types(connection, *LAYERS)


def test_every_column_there_is_is_described_and_the_marts_say_it_in_comments(network: Network) -> None:
    for node in source_manifest("lacrei_saude")["manifest"]["nodes"].values():
        if node["resource_type"] == "model":
            there = network.query(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s",
                node["schema"],
                node["alias"],
            )
            assert {name for (name,) in there} == set(node["columns"]), node["name"]
    without = network.query(
        "select class.relname, attname from pg_class as class inner join pg_attribute on attrelid = class.oid"
        " where class.relnamespace = %s::regnamespace and relkind = 'r' and attnum > 0"
        " and (col_description(attrelid, attnum) is null or obj_description(attrelid) is null)",
        MARTS,
    )
    assert without == []


def test_every_cell_is_what_its_rows_give(network: Network) -> None:
    with connect(network.settings, role=TRANSFORMER) as connection:
        assert differing_cells(connection, SOURCE.name) == {}


def test_a_published_mart_is_not_explained_and_an_exact_one_without_its_rows(
    network: Network, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ETL_HOME", str(network.settings.home))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", network.settings.warehouse_url or "")
    [(month, specialty)] = network.query(
        f"select month, specialty from {MARTS}.mart_feedback where specialty <> 'N/I' order by completed desc limit 1"
    )
    where = f"month={month} and specialty='{specialty}'"
    assert cli.main(["explain", "lacreisaude_mart.mart_feedback", "--where", where, "--personal"]) == 1
    assert "is published: cells of few persons are hidden in it" in capsys.readouterr().err
    assert cli.main(["explain", f"{MARTS}.mart_feedback", "--where", where]) == 1
    assert "--personal" in capsys.readouterr().err
    assert cli.main(["explain", f"{MARTS}.mart_feedback", "--where", where, "--personal"]) == 0
    told = capsys.readouterr().out
    assert "Each may be one person's, and is not told." in told
    keys = network.query(
        f"select appointment_id from {MODEL}.fact_lacreisaude_appointments"
        f" union select report_id from {MODEL}.dim_report where report_id is not null"
    )
    assert len(keys) > 1
    assert [key for (key,) in keys if re.search(rf"\b{re.escape(key)}\b", told) and not key.isdigit()] == []
