"""The community: the same from the same seed, with everything that is odd on purpose, and counted by its own books."""

import re
from collections import Counter
from datetime import UTC, date, timedelta

import pytest

from etl_assets.sandbox.lacrei_saude.community import (
    CANCELED,
    COMPLETED,
    IN_PERSON,
    NOW,
    ONLINE,
    TODAY,
    Community,
    Person,
    Practitioner,
    Visit,
)
from etl_assets.sandbox.lacrei_saude.drawing import draw
from etl_assets.sandbox.lacrei_saude.people import cpf_of
from etl_assets.sandbox.lacrei_saude.vocabulary import SAO_PAULO, SPECIAL_KEYS, STATES


@pytest.fixture(scope="module")
def community() -> Community:
    return draw(7, patients=120)


def visits(community: Community, fault: str) -> list[Visit]:
    return [visit for visit in community.visits if visit.key in community.faults[fault]]


def people(community: Community, fault: str) -> list[Person]:
    return [person for person in community.people if person.key in community.faults[fault]]


def practitioners(community: Community, fault: str) -> list[Practitioner]:
    keys = set(community.faults[fault])
    return [one for one in community.practitioners if {one.key, one.clinic.key if one.clinic else ""} & keys]


def test_the_same_seed_is_the_same_community_and_another_is_another(community: Community) -> None:
    assert repr(draw(7, patients=120)) == repr(community)  # a price that is no number equals nothing
    assert draw(8, patients=120).visits[0].key == community.visits[0].key == "00012345"
    assert draw(8, patients=120).count("visits", "status") != community.count("visits", "status")


def test_keys_are_eight_hexadecimal_digits_once_in_a_table_and_some_look_like_numbers(community: Community) -> None:
    for rows in (community.people, community.practitioners, community.visits, community.reports, community.agreements):
        keys = [row.key for row in rows]
        assert all(re.fullmatch("[0-9a-f]{8}", key) for key in keys)
        assert len(set(keys)) == len(keys)
        assert set(SPECIAL_KEYS) <= set(keys)


def test_every_fault_has_its_keys(community: Community) -> None:
    assert {fault for fault, keys in community.faults.items() if not keys} == set()


def test_two_namesakes_are_born_on_one_day(community: Community) -> None:
    one, other = people(community, "namesakes")
    assert (one.name, one.birth_date) == (other.name, other.birth_date)
    assert one.email != other.email


def test_rare_answers_are_of_one_to_four_people(community: Community) -> None:
    cells = Counter(person.traits for person in community.people if person.traits.gender_identity == "TV")
    rare = {traits: number for traits, number in cells.items() if traits.sexuality == "DE"}
    assert sorted(rare.values()) == [1, 2, 3, 4]


def test_a_campaign_brings_twelve_times_as_many_of_one_group(community: Community) -> None:
    found = people(community, "campaign")
    assert Counter((one.created.year, one.created.month) for one in found) == {(2025, 3): 1, (2025, 4): 12}
    assert len({one.traits for one in found}) == 1
    assert sum(one.traits == found[0].traits for one in community.people) == 13


def test_ages_reach_below_eighteen_and_to_no_age_at_all(community: Community) -> None:
    assert all(one.birth_date > date(2008, 2, 27) for one in people(community, "under_18") if one.birth_date)
    assert [one.birth_date for one in people(community, "birthday_today")] == [TODAY.replace(year=2000)]
    assert [one.birth_date for one in people(community, "no_birth_date")] == [None]


def test_professionals_and_clinics_are_told_apart_by_their_keys_alone(community: Community) -> None:
    one, other = practitioners(community, "equal_practitioners")
    assert (one.full_name, one.state) == (other.full_name, other.state)
    assert one.clinic
    assert other.clinic
    place = (one.clinic.name, one.clinic.city, one.clinic.state)
    assert place == (other.clinic.name, other.clinic.city, other.clinic.state)
    assert None not in place
    assert [one.clinic.name for one in practitioners(community, "unnamed_clinics") if one.clinic] == [None]
    placeless = [one.clinic for one in practitioners(community, "placeless_clinics") if one.clinic]
    assert [(clinic.city, clinic.state) for clinic in placeless] == [(None, None)]
    assert [one.clinic for one in practitioners(community, "without_clinic")] == [None]
    assert practitioners(community, "empty_specialty")[0].specialty is None


def test_an_evening_is_another_day_or_month_in_utc(community: Community) -> None:
    for visit in visits(community, "next_day_in_utc"):
        assert visit.start.astimezone(UTC).date() == visit.local_start.date() + timedelta(days=1)
    found = visits(community, "next_month_in_utc")
    assert [(visit.month, visit.start.month) for visit in found] == [(date(2025, 6, 1), 7), (date(2025, 12, 1), 1)]


def test_brazil_has_four_clocks(community: Community) -> None:
    island, acre = visits(community, "other_day_in_sao_paulo")
    assert (island.local_start.day, island.start.astimezone(SAO_PAULO).day) == (1, 30)
    assert (acre.local_start.day, acre.start.astimezone(SAO_PAULO).day) == (31, 1)
    clocks = {
        state.zone.utcoffset(None) or island.start.astimezone(state.zone).utcoffset() for state in STATES.values()
    }
    clocks.add(island.local_start.utcoffset())
    assert clocks == {timedelta(hours=-hours) for hours in (2, 3, 4, 5)}


def test_what_was_entered_afterwards_waited_less_than_nothing(community: Community) -> None:
    days = [visit.waiting_minutes for visit in visits(community, "created_after_date")]
    assert days == [-(day * 1440 + 7) for day in (3, 4, 5)]
    assert [visit.waiting_minutes for visit in visits(community, "no_wait")] == [0]


def test_an_appointment_has_as_many_reports_and_cancellations_as_were_made(community: Community) -> None:
    authors = [[report.author for report in visit.reports] for visit in visits(community, "several_reports")]
    assert authors == [["user", "professional"], ["user", "professional", "user"]]
    assert [len(visit.cancellations) for visit in visits(community, "several_cancellations")] == [3]
    (silent,) = visits(community, "canceled_without_reason")
    assert (silent.status, silent.cancellations) == (CANCELED, [])
    (rebooked,) = visits(community, "rebooked")
    assert rebooked.rescheduled
    assert (rebooked.start, rebooked.practitioner) == (silent.start, silent.practitioner)


def test_a_professional_whom_nobody_rates_has_completed_appointments(community: Community) -> None:
    (one,) = practitioners(community, "unrated_practitioners")
    assert [visit.reports for visit in visits(community, "never_rated")] == [[]]
    assert not [visit for visit in community.visits if visit.practitioner is one and visit.reports]


def test_some_feedback_names_people_and_some_says_nothing(community: Community) -> None:
    personal = [one.feedback for one in community.reports if one.key in community.faults["personal_feedback"]]
    known = {person.phone for person in community.people} | {person.cpf for person in community.people}
    known |= {one.full_name for one in community.practitioners} | {one.email for one in community.people}
    assert all(any(value in text for value in known) for text in personal)
    assert {one.feedback for one in community.reports if one.key in community.faults["empty_feedback"]} == {""}


def test_appointments_reach_over_eighteen_months_and_beyond_today(community: Community) -> None:
    months = {visit.month for visit in community.visits}
    assert min(months) <= date(2024, 10, 1)
    assert max(months) > TODAY
    assert {visit.status for visit in community.visits if visit.start > NOW} == {"pending", "confirmed", CANCELED}


def test_counts_are_of_the_facts(community: Community) -> None:
    by_status = community.count("visits", "status", "type")
    assert by_status[COMPLETED, ONLINE] == sum(
        one.status == COMPLETED and one.type == ONLINE for one in community.visits
    )
    assert {kind for _, kind in by_status} == {IN_PERSON, ONLINE}
    assert sum(by_status.values()) == len(community.visits)
    assert set(community.count("reports", "rating")) == {(rating,) for rating in (1, 2, 3, 4, 5)}
    states = community.count("visits", "practitioner.state.code")
    assert sum(states.values()) == len(community.visits)


@pytest.mark.parametrize(("number", "cpf"), [(529_982_247, "529.982.247-25"), (111_444_777, "111.444.777-35")])
def test_a_cpf_has_its_check_digits(number: int, cpf: str) -> None:
    assert cpf_of(number) == cpf
