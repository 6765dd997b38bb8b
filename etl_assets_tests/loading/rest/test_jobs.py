"""Configured jobs: lists, and requests for each row of a parent table, of two tenants, and the ledger of them."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.rest import job_first_load
from etl_assets_tests.loading.rest.trial_office import Office, open_office


@pytest.fixture
def office(settings: Settings, tmp_path: Path) -> Iterator[Office]:
    with open_office(settings, tmp_path) as opened:
        yield opened


def failures(reports) -> dict[str, str]:
    return {name: str(report.failure) for name, report in reports.items() if report.failure}


def test_lists_and_lists_of_parents_arrive_whole_and_the_second_time_nothing_is_written(office: Office) -> None:
    reports = office.load()
    assert failures(reports) == {}
    assert len(office.held("studies_staging")) == 8
    assert len(office.held("subjects_staging")) == 2 * 4 * 3
    assert len(office.held("visits_staging")) == 2 * 4 * 3 * 2
    assert office.held("subjects_staging")[0] == ("north", "north 0/0")
    again = office.load()
    assert failures(again) == {}
    assert sum(report.counts.changed for report in again.values()) == 0
    assert office.requests["studies/1/subjects/2/visits"] == 4


def test_a_job_that_is_not_offered_or_not_licensed_is_told_once_and_fails_nothing(office: Office) -> None:
    office.statuses["payments"] = 501
    reports = office.load()
    assert failures(reports) == {}
    notes = " ".join(reports["payments_staging"].notes)
    assert "501" in notes
    assert "of north, job 6" in notes
    assert "does not have it" in " ".join(reports["forms_staging"].notes)
    not_offered = "select job_id, availability from etl.job_state where availability <> 'offered' order by 1"
    assert office.query(not_offered) == [
        (5, "not_offered"), (5, "not_offered"), (6, "not_licensed"), (6, "not_licensed"),
        (8, "not_offered"), (8, "not_offered"),
    ]  # fmt: skip
    assert office.requests["users"] == 0
    again = office.load()
    assert [note for report in again.values() for note in report.notes] == []


def test_an_endpoint_that_answered_before_and_is_not_there_now_is_a_failure(office: Office) -> None:
    office.load("studies_staging")
    office.statuses["studies"] = 404
    assert "404" in failures(office.load("studies_staging"))["studies_staging"]
    assert len(office.held("studies_staging")) == 8


def test_one_parent_that_fails_costs_no_other_and_retry_asks_for_it_alone(office: Office) -> None:
    office.statuses["studies/2/subjects"] = 400
    reports = office.load("studies_staging", "subjects_staging")
    message = failures(reports)["subjects_staging"]
    assert all(words in message for words in ("1 of 4 requests failed", "400", "etl retry office"))
    assert len(office.held("subjects_staging")) == 2 * 3 * 3
    states = "select state, parents_asked, parents_failed from etl.job_run where job_id = 2 order by run_id"
    assert office.query(states) == [("partial", 4, 1)] * 2
    office.statuses.clear()
    office.requests.clear()
    assert failures(office.load(only_failed=True)) == {}
    assert dict(office.requests) == {"studies/2/subjects": 2}
    assert len(office.held("subjects_staging")) == 2 * 4 * 3
    office.requests.clear()
    office.load(only_failed=True)
    assert dict(office.requests) == {}


def test_a_run_that_breaks_off_goes_on_where_it_was(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_assets.loading.rest.jobs.CHUNK_PARENTS", 2)
    monkeypatch.setattr("etl_assets.loading.rest.jobs.GIVE_UP_AFTER", 1)
    office.load("studies_staging")
    office.statuses["studies/2/subjects"] = 503
    assert "in a row failed" in failures(office.load("subjects_staging"))["subjects_staging"]
    assert {len(office.held("subjects_staging"))} == {2 * 2 * 3}
    office.statuses.clear()
    office.requests.clear()
    assert failures(office.load("subjects_staging")) == {}
    assert dict(office.requests) == {"studies/2/subjects": 2, "studies/3/subjects": 2}
    assert len(office.held("subjects_staging")) == 2 * 4 * 3
    office.requests.clear()
    office.load("subjects_staging")
    assert sum(office.requests.values()) == 8


def test_what_is_gone_is_marked_and_an_emptied_table_is_filled_again(office: Office) -> None:
    office.load()
    north = office.lists["north"]
    del north["studies/3/subjects"][1]
    north["studies"].pop(0)
    reports = office.load()
    assert failures(reports) == {}
    gone = "select study_id, entity_id from office_raw.subjects_staging where vanished_at is not null order by 1, 2"
    assert office.query(gone) == [(0, 0), (0, 1), (0, 2), (3, 1)]
    held = office.held("subjects_staging")
    office.execute("truncate office_raw.subjects_staging")
    assert failures(office.load()) == {}
    assert office.held("subjects_staging") == held


def test_a_list_that_shrank_beyond_belief_is_refused_for_its_instance_alone(office: Office) -> None:
    office.lists["north"]["studies"] += [{"id": at, "name": f"north {at}"} for at in range(10, 50)]
    office.load("studies_staging")
    del office.lists["north"]["studies"][5:]
    office.lists["south"]["studies"].append({"id": 9, "name": "south new"})
    message = failures(office.load("studies_staging"))["studies_staging"]
    assert all(words in message for words in ("of north, job 1", "--job 1 --accept-shrink"))
    assert len(office.held("studies_staging")) == 44 + 5
    assert failures(office.load("studies_staging", accept_shrink=True)) == {}
    assert len(office.held("studies_staging")) == 5 + 5


def test_an_instance_that_is_down_leaves_the_others_load_complete(office: Office) -> None:
    office.down = {"north"}
    reports = office.load("studies_staging", "subjects_staging")
    assert set(failures(reports)) == {"studies_staging", "subjects_staging"}
    assert {instance for instance, _ in office.held("subjects_staging")} == {"south"}
    assert len(office.held("subjects_staging")) == 4 * 3


def test_parents_that_were_never_loaded_are_no_success_with_nothing(office: Office) -> None:
    message = failures(office.load("subjects_staging"))["subjects_staging"]
    assert all(words in message for words in ("never loaded of north", "etl run office --job 1"))
    assert office.query("select distinct state from etl.job_run") == [("failed",)]


def test_named_jobs_and_instances_alone_are_run_whatever_is_switched_off(office: Office) -> None:
    office.load(jobs=[1, 7], instances=["south"])
    assert dict(office.requests) == {"studies": 1, "users": 1}
    with pytest.raises(EtlError, match=r"no instance 'west'; it has: north, south"):
        office.load(instances=["west"])


def test_a_budget_is_spent_on_what_changed_and_then_on_what_was_asked_longest_ago(office: Office) -> None:
    office.load(instances=["south"])
    office.given["ETL_OFFICE_SOUTH_NIGHTLY_REQUESTS"] = "3"
    office.requests.clear()
    office.lists["south"]["studies"][3]["name"] = "renamed"
    reports = office.load("studies_staging", "subjects_staging", instances=["south"])
    assert failures(reports) == {}
    asked = [path for path in office.requests if path != "studies"]
    assert "studies/3/subjects" in asked
    assert len(asked) == 3
    last = "select state, parents_asked from etl.job_run where job_id = 2 order by run_id desc limit 1"
    assert office.query(last) == [("paused", 3)]
    office.requests.clear()
    office.load("subjects_staging", instances=["south"])
    assert len(office.requests) == 1
    assert not set(office.requests) & set(asked)
    assert office.query(last) == [("success", 1)]


def test_a_budget_is_shared_by_the_jobs_by_what_is_due_first(office: Office) -> None:
    office.load(instances=["south"])
    office.execute("update etl.parent_request set asked_at = asked_at - interval '1 day' where job_id = 3")
    office.given["ETL_OFFICE_SOUTH_NIGHTLY_REQUESTS"] = "13"
    office.requests.clear()
    office.load("subjects_staging", "visits_staging", jobs=[2, 3], instances=["south"])
    visits = sum(number for path, number in office.requests.items() if path.endswith("visits"))
    assert (visits, sum(office.requests.values())) == (12, 13)


def test_a_budget_that_is_no_number_is_refused(office: Office) -> None:
    office.given["ETL_OFFICE_NORTH_NIGHTLY_HOURS"] = "many"
    with pytest.raises(EtlError, match="ETL_OFFICE_NORTH_NIGHTLY_HOURS is 'many'; a number over 0 was expected"):
        office.load()


def test_how_an_answer_began_that_cannot_be_read_is_kept_for_the_loader_alone(office: Office) -> None:
    office.broken["studies/1/subjects"] = b'[{"id": 1, "ssn": "900-11-2222", "name": "Jane Doe'
    message = failures(office.load("studies_staging", "subjects_staging", instances=["north"]))["subjects_staging"]
    assert "1 of 4 requests failed" in message
    assert "Jane" not in message
    kept = "select relation, instance, convert_from(beginning, 'utf8') from etl.unreadable_answer"
    assert office.query(kept) == [("office_raw.subjects_staging", "north", '[{"id": 1, "ssn": ***, "name": "Jane Doe')]
    may_read = "select has_table_privilege(%s, 'etl.unreadable_answer', 'select')"
    assert [office.query(may_read % f"'{role}'") for role in ("etl_loader", "etl_transformer", "etl_reader")] == [
        [(True,)], [(False,)], [(False,)],
    ]  # fmt: skip
    assert "Jane" not in str(office.query("select error from etl.parent_request where failures > 0"))


@pytest.mark.parametrize("seed", range(2))
def test_a_load_that_is_killed_anywhere_and_run_again_has_the_rows_of_an_undisturbed_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("etl_assets.loading.rest.jobs.CHUNK_PARENTS", 3)
    chance = random.Random(seed)  # noqa: S311 (no secret)
    with open_office(settings, tmp_path, studies=6, subjects=3) as office:
        lists = office.lists
        kills = [chance.randint(1, 60) for _ in range(2)]
        for requests in kills:
            office.kill_after = requests
            assert os.waitstatus_to_exitcode(office.load_in_a_child()) == -signal.SIGKILL
        office.kill_after = None
        assert failures(office.load()) == {}
        for table, path in (("studies_staging", "studies"), ("visits_staging", "visits")):
            expected = sorted((name, each["name"]) for name, held in lists.items() for each in held[path])
            assert office.held(table) == expected
        subjects = [path for path in lists["north"] if path.endswith("subjects")]
        expected = sorted(
            (name, each["name"]) for name, held in lists.items() for path in subjects for each in held[path]
        )
        assert office.held("subjects_staging") == expected
        twice = (
            "select count(*) from office_raw.visits_staging group by source_instance_id, entity_id having count(*) > 1"
        )
        assert office.query(twice) == []
        assert office.query("select count(*) from etl.job_history where status = 'running'") == [(0,)]
        assert office.query("select count(*) from etl.job_history where was_killed")[0][0] >= 1


def test_tables_that_are_not_as_declared_are_mended_by_the_next_load_and_the_others_left_alone(office: Office) -> None:
    office.load()
    office.execute("drop table office_raw.forms_staging")
    office.execute("revoke select on office_raw.studies_staging from etl_reader")
    office.execute("grant select on office_raw.visits_staging to etl_reader")
    office.execute("drop trigger etl_count_deleted on office_raw.payments_staging")
    asked = "select relname from pg_class where relnamespace = 'office_raw'::regnamespace and relkind = 'r' order by 1"
    before = "select 'office_raw.studies_staging'::regclass::oid"
    ((same,),) = office.query(before)
    assert failures(office.load()) == {}
    assert ("forms_staging",) in office.query(asked)
    assert office.query(before) == [(same,)]
    for table in ("studies_staging", "visits_staging"):
        assert office.query(f"select has_table_privilege('etl_reader', 'office_raw.{table}', 'select')") == [(True,)]
    assert office.query("select count(*) from pg_trigger where tgname = 'etl_count_deleted'") == [
        (len(office.query("select from etl.counted_table")),)
    ]


def test_a_first_load_makes_the_index_over_documents_anew_and_waits_for_no_reader(office: Office, monkeypatch) -> None:
    monkeypatch.setattr(job_first_load, "MANY_RECORDS", 1)
    monkeypatch.setattr(job_first_load, "LOCK_TIMEOUT", "50ms")
    office.load("forms_staging")  # which nobody offers: all tables are made
    indexes = "select tablename, indexname, indexdef from pg_indexes where schemaname = 'office_raw' order by 1, 2"
    numbers = (
        "select relname, relfilenode from pg_class where relnamespace = 'office_raw'::regnamespace"
        " and relname in ('idx_studies_data_gin', 'idx_visits_data_gin')"
    )
    before, files = office.query(indexes), dict(office.query(numbers))
    with connect(office.settings, role=None) as reader:
        reader.execute("select from office_raw.visits_staging")
        assert failures(office.load()) == {}
    assert office.query(indexes) == before
    made = {name for name, file in office.query(numbers) if file != files[name]}
    assert made == {"idx_studies_data_gin"}
    assert len(office.held("studies_staging")) == 8
    assert len(office.held("visits_staging")) == 2 * 4 * 3 * 2
    assert sum(report.counts.changed for report in office.load().values()) == 0
