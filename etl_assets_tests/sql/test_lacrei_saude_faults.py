"""Faults of an earlier attempt at Lacrei Saude's models, each of which would break one of these; by its numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.drawing import draw
from etl_assets.sandbox.lacrei_saude.live import advance, erase, reschedule
from etl_assets_tests.sql.lacrei_saude_answers import age_group, sign_up_month
from etl_assets_tests.sql.lacrei_saude_builds import (
    DIMENSIONS,
    EXACT_MARTS,
    MARTS,
    MODEL,
    PATIENTS,
    SEED,
    STAGING,
    Network,
    filled,
    written,
)

FACT = f"{MODEL}.fact_lacreisaude_appointments"
PERSON_KEYS = "lacreisaude_staging_01.etl_person_key"
MOVED_TO = datetime(2026, 4, 1, 1, 30, tzinfo=UTC)
"""In Brazil it is the last of March."""


@pytest.fixture(scope="module")
def community() -> Community:
    return draw(SEED, patients=PATIENTS)


@pytest.fixture(scope="module")
def network(empty_database: Callable[[], str], warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The stand-in, loaded and built."""
    return filled(empty_database(), warehouse_url, tmp_path_factory.mktemp("home"))


@dataclass(frozen=True)
class Lived:
    """What has become of the network, loaded and built again, and of whom."""

    network: Network
    patient: str
    """Who left: the account, the last of its group and once changed; and the pseudonym."""
    patient_key: str
    professional: str
    professional_key: str
    moved: str
    """The appointment that was moved to another month."""
    marts_before: dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def lived(
    network: Network,
    community: Community,
    new_database: Callable[..., str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Lived:
    """A patient is changed and built; then two leave, an appointment is moved, and two days go by."""
    one = network.copy(new_database, tmp_path_factory.mktemp("home"))
    (patient,) = community.faults["cell_of_1"]
    practitioner = max(
        (each for each in community.practitioners if each.clinic and each.person.key[:4] not in {"0001", "1234"}),
        key=lambda each: sum(visit.practitioner is each for visit in community.visits),
    )
    keys = dict(one.query(f"select subject_id, person_key from {PERSON_KEYS} where subject = 'patient'"))
    theirs = dict(one.query(f"select subject_id, person_key from {PERSON_KEYS} where subject = 'professional'"))
    moved = next(
        visit
        for visit in community.visits
        if visit.status == "completed"
        and visit.patient.key != patient
        and visit.practitioner not in (practitioner, community.practitioners[8])
    )
    one.at_source("update lacreiid_user set is_active = false where id = %s", patient)
    one.load_and_build()
    before = one.marts()
    with psycopg.connect(one.url, autocommit=True) as connection:
        erase(connection, patient)
        erase(connection, practitioner.person.key)
        for step in (1, 2):
            advance(connection, step)
        reschedule(connection, moved.key, MOVED_TO)
    one.load_and_build()
    return Lived(one, patient, keys[patient], practitioner.key, theirs[practitioner.key], moved.key, before)


@pytest.fixture
def own(network: Network, new_database: Callable[..., str], tmp_path: Path) -> Network:
    """A copy of the network, of one test."""
    return network.copy(new_database, tmp_path)


def test_fault_1_cancellations_and_types_are_counted_by_the_words_of_the_source(network: Network) -> None:
    """Marts counted `cancelled`, `Online` and `Presencial`, which nothing was."""
    (row,) = network.query(
        f"select sum(cancelled_online), sum(cancelled_presencial), sum(completed_online), sum(completed_presencial)"
        f" from {MARTS}.professional_appointments"
    )
    there = network.at_source(
        "select count(*) from lacreiid_appointment where status in ('canceled', 'completed')"
        " group by status, type order by status, type desc"
    )
    assert row == tuple(number for (number,) in there)
    assert min(row) > 0


def test_fault_1_patients_are_found_by_the_words_of_the_source(network: Network, community: Community) -> None:
    """The profile type that was asked for is in no schema, so that there were no patients."""
    found = network.query(f"select profile_type, count(*) from {MODEL}.dim_patient where surrogate_key > 0 group by 1")
    assert dict(found)["patient"] == len(community.patients)
    assert network.query(f"select sum(total_patients) from {MARTS}.patients") == [(len(community.patients),)]


def test_fault_1_a_professional_who_books_is_a_patient_of_the_appointment(
    network: Network, community: Community
) -> None:
    (key,) = community.faults["practitioners_as_patients"]
    found = network.query(
        f"select patients.profile_type from {FACT} as fact inner join {MODEL}.dim_patient as patients"
        " on fact.patient_key = patients.patient_key where appointment_id = %s",
        key,
    )
    assert found == [("professional",)]


def test_fault_2_two_of_one_name_and_birth_date_are_two(network: Network, community: Community) -> None:
    """Keys were made of names and dates of birth: the second row of a key broke the load."""
    for subject, fault, column, dimension in (
        ("patient", "namesakes", "patient_key", "dim_patient"),
        ("professional", "equal_practitioners", "professional_key", "dim_professional"),
    ):
        found = network.query(
            f"select count(distinct {column}) from {MODEL}.{dimension}"
            f" inner join {PERSON_KEYS} on {column} = person_key"
            " where subject = %s and subject_id = any(%s)",
            subject,
            community.faults[fault],
        )
        assert found == [(2,)]
    clinics = network.query(
        f"select count(*) from {MODEL}.dim_clinic where clinic_id = any(%s)", community.faults["equal_clinics"]
    )
    assert clinics == [(2,)]


def test_fault_2_people_keep_their_appointments_however_often_it_is_built(lived: Lived) -> None:
    """The second run lost every patient, and who took another name left the old one's rows behind."""
    without = f"select count(*) from {FACT} where patient_key is null or professional_key is null"
    assert lived.network.query(without) == [(0,)]
    for column, dimension in (("patient_key", "dim_patient"), ("professional_key", "dim_professional")):
        orphans = f"select {column} from {FACT} except select {column} from {MODEL}.{dimension}"
        assert lived.network.query(orphans) == []


def test_fault_2_who_takes_another_name_is_who_they_were(own: Network, community: Community) -> None:
    versions = own.versions()
    own.at_source("update lacreisaude_professional set full_name = 'Outra Pessoa'")
    own.at_source("update lacreiid_user set first_name = 'Outra', last_name = 'Pessoa', birth_date = '1990-01-01'")
    own.load_and_build()
    found = own.versions()
    assert {**found, "dim_patient": 0} == {**versions, "dim_patient": 0}
    members = own.query(f"select count(distinct patient_key) from {MODEL}.dim_patient")
    booked = {visit.patient.key for visit in community.visits} | {person.key for person in community.patients}
    assert members == [(len(booked),)]


def test_fault_3_an_appointment_is_one_row_however_many_reports_it_has(network: Network, community: Community) -> None:
    """A row was made for each report, and the second one broke the load."""
    assert network.query(f"select count(*), count(distinct appointment_id) from {FACT}") == [
        (len(community.visits),) * 2
    ]
    visits = {visit.key: visit for visit in community.visits}
    for key in community.faults["several_reports"] + community.faults["several_cancellations"]:
        last = max(
            (one for one in visits[key].reports if one.author == "user"), key=lambda one: one.created, default=None
        )
        calls = [one.created for one in visits[key].cancellations]
        assert network.query(
            f"select report_count, rating, cancellation_count, cancellation_created_at from {FACT}"
            " where appointment_id = %s",
            key,
        ) == [(len(visits[key].reports), last.rating if last else None, len(calls), max(calls, default=None))]


def test_fault_3_an_appointment_that_is_moved_is_the_same_row(lived: Lived, network: Network) -> None:
    """The date was in the fingerprint, so that the old row stayed beside the new one."""
    query = f"select appointment_fingerprint, date_id, rescheduled from {FACT} where appointment_id = %s"
    (before,), (after,) = network.query(query, lived.moved), lived.network.query(query, lived.moved)
    assert after == (before[0], 20260331, True)
    assert before[1] < 20260300


def test_fault_4_what_nobody_said_is_a_member_and_not_a_new_row_each_time(own: Network) -> None:
    """Nulls join nothing and conflict with nothing: rows were doubled at each run, and clinics without a name lost."""
    own.at_source("alter table lacreisaude_professional alter state_id drop not null")
    own.at_source("update lacreisaude_professional set state_id = null, specialty = ' '")
    own.query(f"drop table {MODEL}.dim_professional")  # else appointments keep the state that they had
    own.load_and_build()
    keys = f"select distinct state, specialty from {MARTS}.mart_appointments"
    assert own.query(keys) == [("N/I", "N/I")]
    counts = {mart: len(rows) for mart, rows in own.marts().items()}
    assert written(own.build("full")) == set()
    assert {mart: len(rows) for mart, rows in own.marts().items()} == counts


def test_fault_4_clinics_without_a_name_or_a_place_are_there(network: Network, community: Community) -> None:
    keys = community.faults["unnamed_clinics"] + community.faults["placeless_clinics"]
    found = network.query(
        f"select clinic_id, state, city, time_zone from {MODEL}.dim_clinic where clinic_id = any(%s)", keys
    )
    assert {row[0]: row[1:] for row in found} == {
        keys[0]: ("RJ", "Niterói", "America/Sao_Paulo"),
        keys[1]: (None, None, "America/Sao_Paulo"),
    }
    assert network.query(f"select count(*) from {FACT} where clinic_id is null") == [(0,)]


def test_fault_5_an_appointment_from_before_all_others_has_its_day(lived: Lived) -> None:
    """The calendar grew into the future alone: an earlier day had no key."""
    days = lived.network.query(
        f"select min(date_id), count(*) filter (where calendar_date is null) from {FACT}"
        f" left join {MODEL}.dim_date using (date_id)"
    )
    assert days == [(20231104, 0)]
    first, last, number = lived.network.query(
        f"select min(calendar_date), max(calendar_date), count(*) from {MODEL}.dim_date"
    )[0]
    assert (last - first).days + 1 == number
    assert first < date(2023, 11, 4)
    assert last > date(2026, 3, 31)


@pytest.mark.parametrize("fault", ["next_day_in_utc", "next_month_in_utc", "other_day_in_sao_paulo"])
def test_fault_5_a_day_is_that_of_the_clock_on_the_wall(network: Network, community: Community, fault: str) -> None:
    """Days were those of UTC, by which an evening is the next day, and the last of a month the next month."""
    visits = {visit.key: visit for visit in community.visits}
    for key in community.faults[fault]:
        ((day,),) = network.query(f"select date_id from {FACT} where appointment_id = %s", key)
        assert day == int(f"{visits[key].local_start:%Y%m%d}")
        assert day != int(f"{visits[key].start:%Y%m%d}") or fault == "other_day_in_sao_paulo"


def test_fault_6_ages_are_those_of_the_day_of_signing_up(network: Network, community: Community) -> None:
    """Minors were counted as 60+, and all grew older with each run."""
    found = dict(
        network.query(
            f"select subject_id, age_group from {MODEL}.dim_patient inner join {PERSON_KEYS}"
            " on patient_key = person_key and subject = 'patient'"
        )
    )
    odd = [key for fault in ("under_18", "birthday_today", "no_birth_date") for key in community.faults[fault]]
    people = {person.key: person for person in community.people}
    assert {key: found[key] for key in odd} == {key: age_group(people[key]) for key in odd}
    assert {found[key] for key in community.faults["under_18"]} == {"<18"}


@pytest.mark.parametrize(
    ("born", "group"),
    [
        pytest.param("2008-02-29", "<18", id="born on a leap day, a day too young"),
        pytest.param("2008-02-28", "18-25", id="18 on that day"),
        pytest.param("1965-02-28", "60+", id="61 on that day"),
        pytest.param("1965-03-01", "46-60", id="60, a day too young for 61"),
        pytest.param("2026-03-01", "N/I", id="not born yet"),
        pytest.param("1880-01-01", "N/I", id="too old to be true"),
        pytest.param("infinity", "N/I", id="never born"),
    ],
)
def test_fault_6_groups_of_ages_have_their_bounds(grown: dict[str, str], born: str, group: str) -> None:
    assert grown[born] == group


@pytest.fixture(scope="module")
def grown(
    network: Network, new_database: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The group of an age by the date of birth, of people who all signed up on the evening of 28 February in Brazil."""
    one = network.copy(new_database, tmp_path_factory.mktemp("home"))
    births = ["2008-02-29", "2008-02-28", "1965-02-28", "1965-03-01", "2026-03-01", "1880-01-01", "infinity"]
    users = one.at_source(
        "select id from lacreiid_user where privacy_document_id = 1 order by id limit %s", len(births)
    )
    for (user,), born in zip(users, births, strict=True):
        one.at_source(
            "update lacreiid_user set birth_date = %s, created_at = '2026-03-01 01:00:00+00' where id = %s", born, user
        )
    one.load_and_build()
    groups = dict(
        one.query(
            f"select subject_id, age_group from {MODEL}.dim_patient inner join {PERSON_KEYS}"
            " on patient_key = person_key and subject = 'patient' where is_current"
        )
    )
    return {born: groups[user] for (user,), born in zip(users, births, strict=True)}


def test_fault_6_a_group_may_grow_by_more_than_a_thousand_per_cent(network: Network, community: Community) -> None:
    """1,100 per cent did not fit into the column."""
    people = {person.key: person for person in community.people}
    traits = people[community.faults["campaign"][0]].traits
    found = network.query(
        f"select period_month, total_patients, growth_rate from {MARTS}.patients where gender_identity = %s"
        " and sexual_orientation = %s and ethnic_group = %s order by 1",
        traits.gender_identity,
        traits.sexuality,
        traits.ethnic_group,
    )
    assert found == [(date(2025, 3, 1), 1, None), (date(2025, 4, 1), 12, Decimal("1100.00"))]


def test_fault_6_there_is_no_average_of_nothing(network: Network, community: Community) -> None:
    """A professional whom nobody has rated had a rating of 0."""
    (key,) = community.faults["unrated_practitioners"]
    found = network.query(
        f"select total_feedback, avg_feedback_rating, patients from {MARTS}.professionals inner join {PERSON_KEYS}"
        " on professional_sk = person_key where subject_id = %s and subject = 'professional'",
        key,
    )
    assert found == [(0, None, 0)]
    empty = f"select count(*) from {MARTS}.mart_feedback where total_feedback = 0 and avg_rating is not null"
    assert network.query(empty) == [(0,)]


def test_fault_6_who_is_entered_afterwards_did_not_wait_and_no_wait_is_a_wait_of_0(
    network: Network, community: Community
) -> None:
    """Waiting times below zero were averaged, and those of zero were not."""
    query = f"select distinct waiting_minutes from {FACT} where appointment_id = any(%s)"
    assert network.query(query, community.faults["created_after_date"]) == [(None,)]
    assert network.query(query, community.faults["no_wait"]) == [(0,)]


def test_fault_7_a_group_that_became_empty_is_gone(lived: Lived, community: Community) -> None:
    """Marts were never pruned: the last count of a group stayed."""
    person = next(each for each in community.people if each.key == lived.patient)
    cell = (
        sign_up_month(person),
        age_group(person),
        person.traits.gender_identity,
        person.traits.sexuality,
        person.traits.ethnic_group,
    )
    assert [row for row in lived.marts_before["patients"] if row[:5] == cell]
    assert [row for row in lived.network.marts()["patients"] if row[:5] == cell] == []


def test_fault_8_who_is_deleted_at_the_source_is_in_no_layer_and_no_version(lived: Lived) -> None:
    """Deletions never reached the warehouse."""
    relations = lived.network.query(
        "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace::regnamespace::text = any(%s)",
        [STAGING, MODEL, MARTS, "lacreisaude_staging_01"],
    )
    assert len(relations) > 35
    found = {
        (relation, kind)
        for (relation,) in relations
        for kind, key in vars(lived).items()
        if kind in {"patient", "patient_key", "professional", "professional_key"}
        and lived.network.query(
            f"select 1 from {relation} as held where held::text ~ ('\\m' || %s || '\\M') limit 1", key
        )
    }
    assert found == set()
    gone = [lived.network.query(f"select count(*) from {MODEL}.{name} where is_gone") for name in DIMENSIONS]
    assert gone == [[(0,)]] * len(DIMENSIONS)


def test_what_has_become_of_all_is_what_a_build_of_everything_makes(lived: Lived) -> None:
    marts = lived.network.marts()
    assert written(lived.network.build("full")) == set()
    assert lived.network.marts() == marts
    assert marts.keys() == set(EXACT_MARTS)
    assert marts != lived.marts_before
