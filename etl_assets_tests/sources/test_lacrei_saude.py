"""Of Lacrei Saude's database nothing leaves that nobody has classified, and nothing that must not."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from etl_assets.loading.database.discovery import build_catalogue, find_drift
from etl_assets.readers.database import connect_database
from etl_assets.sandbox.lacrei_saude.fill import host
from etl_assets.sources.lacrei_saude import SOURCE
from etl_assets.sources.lacrei_saude.tables import CATALOGUE, LISTED

CLASSES = CATALOGUE.classification.tables if CATALOGUE.classification else {}
MUST_STAY = {
    "lacreiid_user": "password phone phone_verification_token phone_verification_token_expires_at last_login",
    "lacreiid_profile": "photo photo_description other_gender_identity other_sexual_orientation other_pronoun",
    "lacreisaude_professional": "chave_pix tipo_chave_pix google_calendar_credentials_json board_certification_selfie"
    " photo about_me document_number board_registration_number income_value",
    "lacreisaude_clinic": "address address_line2 phone phone_whatsapp online_clinic_phone",
    "lacreiid_report": "feedback",
    "lacreiid_cancellation": "reason",
    "lacreiid_appointment": "google_calendar_event_id external_reference health_insurance_details",
}
"""What opens or moves something, reaches a person, or is free text in which people write of their health."""


@pytest.mark.parametrize("table", MUST_STAY)
def test_what_opens_something_or_reaches_a_person_stays_at_the_source(table: str) -> None:
    classes = CLASSES[table]
    asked_for = {"feedback", "reason"}
    assert {column: classes.columns[column].name for column in MUST_STAY[table].split()} == {
        column: "free_text" if column in asked_for else "never" for column in MUST_STAY[table].split()
    }
    assert all(SOURCE.copied_table(table).leaves_out(column, spelled=column) for column in MUST_STAY[table].split())


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("lacreiid_user", "id birth_date email first_name last_name"),
        (
            "lacreiid_profile",
            "user_id ethnic_group_id gender_identity_id sexual_orientation_id disability_types sexuality",
        ),
        ("lacreisaude_professional", "id user_id full_name ethnic_group gender_identity"),
        ("lacreiid_appointment", "user_id professional_id"),
        ("lacreiid_report", "created_by_object_id"),
        ("lacreisaude_clinic", "professional_id name zip_code city"),
    ],
)
def test_what_tells_of_a_person_is_withheld_from_findings_and_readers(table: str, columns: str) -> None:
    assert set(columns.split()) <= set(SOURCE.copied_table(table).personal)


def test_only_tables_with_something_to_load_are_listed() -> None:
    assert set(LISTED.tables) == {name for name, classes in CLASSES.items() if classes.is_loaded}
    assert set(LISTED.left_out) == {name for name, classes in CLASSES.items() if not classes.is_loaded}


@pytest.mark.parametrize("schema", ["older", "newer"])
def test_each_table_and_column_of_both_versions_is_classified_and_listed(
    new_database: Callable[[], str], schema: str
) -> None:
    url = host(new_database(), schema=schema, patients=10, seed=1)
    with closing(connect_database({"url": url}, variables="ETL_LACREI_SAUDE")) as reader:
        found = reader.describe()
    text = CATALOGUE.path.read_text(encoding="utf-8")
    assert find_drift(found, CATALOGUE, text) == []
    assert build_catalogue(found, CATALOGUE, text) == text


@pytest.fixture
def real_schema(real_data: Path, empty_database: Callable[[], str]) -> str:
    """A database with the schema that the organisation's own models make."""
    url = empty_database()
    text = (real_data / "lacrei_saude" / "source_schema.sql").read_text(encoding="utf-8")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("\n".join(line for line in text.splitlines() if not line.startswith("\\")).encode())
    return url


def test_each_of_the_fifty_tables_and_each_column_is_classified(real_schema: str) -> None:
    with closing(connect_database({"url": real_schema}, variables="ETL_LACREI_SAUDE")) as reader:
        found = reader.describe()
    columns = {table.staging_name: [each.staging_name for each in table.columns] for table in found.values()}
    assert len(columns) == 50
    assert {table: CLASSES[table].unclassified(names) for table, names in columns.items()} == {
        table: [] for table in columns
    }
    text = CATALOGUE.path.read_text(encoding="utf-8")
    assert find_drift(found, CATALOGUE, text) == []
    assert build_catalogue(found, CATALOGUE, text) == text
