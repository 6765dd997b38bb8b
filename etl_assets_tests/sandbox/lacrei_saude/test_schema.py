"""The tables are the source's: the older schema and its lists are held against those that its own models make."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, create_statements, tables
from etl_assets_tests.sandbox.lacrei_saude.catalogue import Described, describe

LOOKUPS = {
    "lacreiid_disabilitytype", "lacreiid_ethnicgroup", "lacreiid_genderidentity", "lacreiid_pronoun",
    "lacreiid_sexualorientation", "lacreiid_profile_disability_types", "lacreisaude_professional_disability_types",
}  # fmt: skip


def made(connection: psycopg.Connection, schema: str) -> dict[str, Described]:
    for statement in create_statements(schema):
        connection.execute(statement)
    return describe(connection)


def load_dump(connection: psycopg.Connection, real_data: Path, name: str) -> None:
    lines = (real_data / "lacrei_saude" / name).read_text().splitlines()
    connection.execute("\n".join(line for line in lines if "OWNER TO" not in line and not line.startswith("\\")))


def test_the_older_schema_is_what_the_source_s_own_models_make(
    real_data: Path, in_empty_database: psycopg.Connection, empty_database: Callable[[], str]
) -> None:
    ours = made(in_empty_database, OLDER)
    with psycopg.connect(empty_database(), autocommit=True) as connection:
        load_dump(connection, real_data, "source_schema.sql")
        theirs = describe(connection)
    assert len(theirs) == 50
    assert ours.keys() == theirs.keys()
    for table in theirs:
        assert ours[table] == theirs[table], table


def test_the_lists_have_the_source_s_own_ids_and_labels(
    real_data: Path, in_empty_database: psycopg.Connection, empty_database: Callable[[], str]
) -> None:
    url = empty_database()
    fill(url, patients=0)
    load_dump(in_empty_database, real_data, "source_schema.sql")
    load_dump(in_empty_database, real_data, "source_lookup_rows.sql")
    lists = {table: "id, position_order, name" for table in LOOKUPS if not table.endswith("disability_types")}
    lists["lacreiid_pronoun"] = "id, position_order, article, pronoun"
    lists["address_state"] = "id, code, name, ibge_code, active, country_id"
    lists["lacreisaude_profession"] = "id, name"
    lists["lacreiid_privacydocument"] = "id, profile_type"
    lists["address_country"] = "id, code, name"
    with psycopg.connect(url) as ours:
        for table, columns in lists.items():
            statement = f"select {columns} from public.{table} order by id"
            assert ours.execute(statement).fetchall() == in_empty_database.execute(statement).fetchall(), table


def test_the_newer_schema_has_codes_and_arrays_where_the_older_has_lookups(
    in_empty_database: psycopg.Connection,
) -> None:
    found = made(in_empty_database, NEWER)
    assert tables(OLDER).keys() - found.keys() == LOOKUPS
    assert found.keys() - tables(OLDER).keys() == {
        "lacreiid_google_account",
        "lacreiid_google_calendar_event",
        "lacreiid_legacyprofiledata",
        "lacreiid_otherprofileanswer",
        "lacreisaude_legacyprofessionaldata",
    }
    for table in ("lacreiid_profile", "lacreisaude_professional"):
        kinds = {name: kind for name, kind, *_ in found[table].columns}
        assert kinds["sexuality"] == "character varying(2)"
        assert kinds["disability_types"] == "character varying(2)[]"
        assert not {"sexual_orientation_id", "ethnic_group_id", "other_pronoun"} & kinds.keys()
    appointment = {name: (kind, required) for name, kind, required, _ in found["lacreiid_appointment"].columns}
    assert appointment["cancellation_policy_accepted"] == ("boolean", True)
    assert appointment["health_insurance_details"] == ("jsonb", False)


def test_keys_are_texts_that_no_number_holds(in_empty_database: psycopg.Connection) -> None:
    found = made(in_empty_database, OLDER)
    keyed = {table for table, of in found.items() if ("id", "character varying(32)", True, "") in of.columns}
    assert {"lacreiid_user", "lacreiid_appointment", "lacreiid_report", "lacreisaude_clinic"} <= keyed
    assert len(keyed) == 19


def test_two_appointments_at_one_moment_are_refused_unless_one_is_canceled(
    in_empty_database: psycopg.Connection,
) -> None:
    made(in_empty_database, OLDER)
    booked = (
        "insert into lacreiid_appointment (created_at, updated_at, id, professional_id, user_id, date, status, type,"
        " rescheduled) values (now(), now(), %s, 'p', %s, '2026-01-01Z', %s, 'online', false)"
    )
    with in_empty_database.transaction(force_rollback=True):
        in_empty_database.execute(booked, ["a", "u", "canceled"])
        in_empty_database.execute(booked, ["b", "v", "confirmed"])
        with pytest.raises(psycopg.errors.UniqueViolation):
            in_empty_database.execute(booked, ["c", "w", "pending"])
