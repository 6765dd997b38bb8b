"""Lacrei Saude through `etl run`: what its newer schema lacks is not missed, and what is built on it is built."""

from collections.abc import Callable
from dataclasses import replace

from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets_tests.orchestration.installation import Installation

PATIENTS = 20


def test_marts_are_built_without_the_tables_that_the_newer_schema_lacks(
    installation: Installation, empty_database: Callable[[], str]
) -> None:
    url = empty_database()
    fill(url, schema="newer", patients=PATIENTS)
    pepper = "a secret of the tests, and of nobody else"
    given = {"ETL_LACREI_SAUDE_URL": url, "ETL_LACREI_SAUDE_PSEUDONYM_KEY": pepper}
    at = replace(installation, environment={**installation.environment, **given})
    at.etl("run", "lacrei_saude")
    ((total, codes),) = at.query(
        "select sum(total_patients), count(distinct gender_identity) from lacreisaude_mart_exact.patients"
    )
    assert total > PATIENTS
    assert codes > 5
    assert at.query("select to_regclass('lacreisaude_staging_01.lacreiid_genderidentity')") == [(None,)]
