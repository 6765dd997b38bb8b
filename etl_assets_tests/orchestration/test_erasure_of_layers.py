"""A patient of Lacrei Saude is erased from all layers at once, with nothing left for the next run to take away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg

from etl_assets.sandbox.lacrei_saude.fill import fill
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.warehouse import embedded
from etl_assets_tests.orchestration.installation import Installation

ROWS = """
select id from lacreiid_appointment where user_id = %(user)s
union all
select report.id from lacreiid_report as report
inner join lacreiid_appointment as visit on visit.id = report.appointment_id where visit.user_id = %(user)s
union all
select id from lacreiid_profile where user_id = %(user)s
"""


def test_a_patient_is_nowhere_in_any_layer(
    installation: Installation, empty_database: Callable[[], str], server: Path
) -> None:
    url = empty_database()
    fill(url, patients=60, seed=3)
    with psycopg.connect(url) as source:
        environment = {
            **installation.environment,
            "ETL_LACREI_SAUDE_URL": embedded.server_url(server, source.info.dbname),
            "ETL_LACREI_SAUDE_PSEUDONYM_KEY": "planted-secret-planted-secret-planted",
            "ETL_LACREI_SAUDE_ERASURE_KEY": "another-secret-another-secret-another",
        }
        ((patient,), *_) = source.execute(
            "select visit.user_id from lacreiid_appointment as visit"
            " inner join lacreiid_report as report on report.appointment_id = visit.id"
            " where visit.user_id not in (select user_id from lacreisaude_professional) order by 1 desc"
        ).fetchall()
        found = planted(source, patient)
        words = {value for kind in ("emails", "phones", "cpfs") for value in found[kind]}
        words |= {key for (key,) in source.execute(ROWS, {"user": patient})}
    at = replace(installation, environment=environment)
    at.etl("run", "lacrei_saude")
    search = ("erase", "lacrei_saude", patient, "--verify", "--also")
    before = at.etl(*search, given="\n".join(words), expected=1)
    assert {"lacreisaude_staging_02.lacreiid_report", "lacreisaude_model.dim_report"} <= {
        line.split()[-1].rpartition(".")[0] for line in before.splitlines() if line.startswith(" ")
    }
    at.etl("erase", "lacrei_saude", patient, "--by", "privacy officer", "--why", "request 17", "--yes")
    assert "Nowhere." in at.etl(*search, given="\n".join(words))
    at.etl("run", "lacrei_saude", "--sweep")
    assert "Nowhere." in at.etl(*search, given="\n".join(words))
