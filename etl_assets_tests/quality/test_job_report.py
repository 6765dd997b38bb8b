"""The report on a service's jobs: what it says of a night."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from etl_assets.quality.job_report import job_report
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets_tests.loading.rest.trial_office import open_office


def test_it_says_what_failed_what_is_not_offered_and_what_is_off(settings: Settings, tmp_path: Path) -> None:
    with open_office(settings, tmp_path) as office:
        office.statuses |= {"studies/1/subjects": 400, "payments": 501}
        office.load(instances=["north"])
        with connect(office.settings, autocommit=True) as connection:
            text = job_report(connection, "office", datetime.now(UTC))
            later = job_report(connection, "office", datetime.now(UTC) + timedelta(hours=25))
    failed, never, unoffered, off, oldest = text.split("## ")[1:]
    assert failed.startswith("Failed: 1\n")
    assert "- 2 Subjects -> subjects_staging (north): partial at" in failed
    assert "1 of 4 requests failed" in failed
    assert never.startswith("Never run: 7\n")
    assert "- 1 Studies -> studies_staging (south)" in never
    assert unoffered.startswith("Not offered, or not licensed: 3\n")
    assert "- 6 Payments -> payments_staging (north): not_licensed" in unoffered
    assert "- 7 Users -> users_staging (north): Invalid endpoint (404)" in off
    assert "the oldest answer of" in oldest
    assert "Last 24 hours: 7 runs, 4 of them failed (0 killed)" in text
    assert "Last 24 hours: 0 runs" in later
    assert "north 0/0" not in text
