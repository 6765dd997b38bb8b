"""How Lacrei Saude's models read what its columns can hold: words for truths, odd keys, labels, and no numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.drawing import draw
from etl_assets.sandbox.lacrei_saude.vocabulary import SPECIAL_KEYS
from etl_assets_tests.sql.lacrei_saude_builds import MARTS, MODEL, PATIENTS, SEED, STAGING, Network, filled

HELD = "lacreisaude_staging_01"
# What stands in a column of texts, and what it says.
TRUTHS = {
    "true": True, "T": True, "1": True, "Yes": True, "y": True, " SIM ": True, "s": True, "verdadeiro": True,
    "false": False, "F": False, "0": False, "No": False, "n": False, "não": False, "Nao": False, "falso": False,
    "": None, "talvez": None, "2": None,
}  # fmt: skip
# What the source may have as a person's gender identity, a key, a label or a code, and what it is conformed to.
ANSWERS = {
    "3": "HC", "Homem Cis": "HC", "homem cisgênero": "HC", "HOMEM CISGENERO": "HC", "hc": "HC", "Intersexo": "IT",
    "Interssexo": "IT", "IN": "IT", "Outra": "OU", "Outro (Especificar)": "OU", "Nao binaria": "NB",
    " Não-Bina\u0301ria ": "NB", "Mulher Transgênera": "MT", "Ainda sem nome": None, "PA": None,
}  # fmt: skip


@dataclass(frozen=True)
class Odd:
    """An installation whose staging holds what another source may have; and the keys of it."""

    network: Network
    users: dict[str, str]
    profiles: dict[str, str]
    doubled: str
    unrated: str
    anonymous: str
    endless: str
    far: str
    warnings: dict[str, int]


@pytest.fixture(scope="module")
def community() -> Community:
    return draw(SEED, patients=PATIENTS)


@pytest.fixture(scope="module")
def odd(empty_database: Callable[[], str], warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Odd:
    """The stand-in is loaded; then staging is made what another source may have, and all is built."""
    one = filled(empty_database(), warehouse_url, tmp_path_factory.mktemp("home"))

    def keys(table: str, number: int, where: str = "true") -> list[str]:
        found = one.query(f"select id from {HELD}.{table} where {where} order by md5(id) limit %s", number)
        assert len(found) == number
        return [key for (key,) in found]

    one.query(f"alter table {HELD}.lacreiid_user alter is_active type text")
    users = dict(zip(TRUTHS, keys("lacreiid_user", len(TRUTHS), "privacy_document_id = 1"), strict=True))
    for word, user in users.items():
        one.query(f"update {HELD}.lacreiid_user set is_active = %s where id = %s", word, user)
    one.query(f"alter table {HELD}.lacreiid_profile alter gender_identity_id type text")
    profiles = dict(zip(ANSWERS, keys("lacreiid_profile", len(ANSWERS)), strict=True))
    for word, profile in profiles.items():
        one.query(f"update {HELD}.lacreiid_profile set gender_identity_id = %s where id = %s", word, profile)
    one.query(f"update {HELD}.lacreiid_ethnicgroup set name = 'Uma que ninguém conhece' where id = 4")
    one.query(f"update {HELD}.lacreiid_pronoun set pronoun = 'Ele/Dele' where id = 2")
    by_patient = "created_by_content_type_id = 7 and eval > 1"
    doubled, unrated, anonymous = keys("lacreiid_report", 3, by_patient)
    # A table that is read without its key may have a row twice; the later one counts.
    one.query(f"alter table {HELD}.lacreiid_report drop constraint lacreiid_report_pkey")
    one.query(
        f"insert into {HELD}.lacreiid_report select (earlier.report).*"
        " from (select jsonb_populate_record(held, %s::jsonb)"
        f" as report from {HELD}.lacreiid_report as held where id = %s) as earlier",
        '{"eval": 1, "updated_at": "2020-01-01T00:00:00Z"}',
        doubled,
    )
    one.query(f"update {HELD}.lacreiid_report set eval = 9 where id = %s", unrated)
    one.query(f"update {HELD}.lacreiid_report set created_by_content_type_id = null where id = %s", anonymous)
    endless, far = keys("lacreiid_appointment", 2, "status = 'pending'")
    one.query(f"update {HELD}.lacreiid_appointment set date = 'infinity' where id = %s", endless)
    one.query(f"update {HELD}.lacreiid_appointment set date = '2999-06-01 15:00:00+00' where id = %s", far)
    # One of each, where a person should have one: the last changed counts.
    for table, owner in (("lacreiid_profile", "user_id"), ("lacreisaude_clinic", "professional_id")):
        one.query(
            f"insert into {HELD}.{table} select (other.one).*"
            " from (select jsonb_populate_record(held, %s::jsonb) as one"
            f" from {HELD}.{table} as held order by {owner} limit 1) as other",
            '{"id": "another1", "updated_at": "2020-01-01T00:00:00Z"}',
        )
    results = one.build("full", tests=True)
    warnings = {each.unique_id.split(".")[2]: each.failures for each in results if each.status == "warn"}
    return Odd(one, users, profiles, doubled, unrated, anonymous, endless, far, warnings)


@pytest.mark.parametrize("word", TRUTHS)
def test_a_truth_is_known_by_the_words_for_it(odd: Odd, word: str) -> None:
    found = odd.network.query(f"select is_active from {STAGING}.lacreiid_user where user_id = %s", odd.users[word])
    assert found == [(TRUTHS[word],)]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_is_conformed_by_key_code_or_label(odd: Odd, answer: str) -> None:
    found = odd.network.query(
        f"select gender_identity from {STAGING}.lacreiid_profile where profile_id = %s", odd.profiles[answer]
    )
    assert found == [(ANSWERS[answer],)]


def test_an_answer_that_nobody_knows_is_null_and_counted_by_attribute_and_label(odd: Odd) -> None:
    unknown = odd.network.query(
        f"select attribute, answer, label from {STAGING}.attribute_answer where code is null order by 1, 2"
    )
    assert unknown == [
        ("ethnic_group", "4", "Uma que ninguém conhece"),
        ("gender_identity", "Ainda sem nome", None),
        ("gender_identity", "PA", None),
    ]
    assert odd.warnings["lacrei_saude__every_answer_has_a_code"] == len(unknown)
    held = odd.network.query(f"select count(*) from {HELD}.lacreiid_profile where ethnic_group_id = 4")
    without = odd.network.query(
        f"select count(*) from {STAGING}.lacreiid_profile as conformed inner join {HELD}.lacreiid_profile as held"
        " on conformed.profile_id = held.id where held.ethnic_group_id = 4 and conformed.ethnic_group is null"
    )
    assert held == without != [(0,)]


def test_a_label_of_another_version_is_the_same_code(odd: Odd) -> None:
    found = odd.network.query(
        f"select distinct conformed.pronoun from {STAGING}.lacreiid_profile as conformed inner join"
        f" {HELD}.lacreiid_profile as held on conformed.profile_id = held.id where held.pronoun_id = 2"
    )
    assert found == [("EL",)]


def test_of_a_row_that_is_there_twice_the_later_one_counts(odd: Odd) -> None:
    (row,) = odd.network.query(f"select evaluation from {STAGING}.lacreiid_report where report_id = %s", odd.doubled)
    assert row[0] > 1


def test_a_rating_out_of_range_is_none_and_counts_in_no_average(odd: Odd) -> None:
    row = odd.network.query(f"select evaluation from {STAGING}.lacreiid_report where report_id = %s", odd.unrated)
    assert row == [(None,)]
    assert len([name for name in odd.warnings if name.startswith("not_null_lacrei_saude__stg_lacreiid_report")]) == 1


def test_whose_report_it_is_is_what_the_content_type_says(odd: Odd, community: Community) -> None:
    """A key alone does not say it: some are those of a patient and of a professional."""
    found = odd.network.query(
        f"select report_id, created_by, created_by_user_id, created_by_professional_id from {STAGING}.lacreiid_report"
    )
    expected = {
        report.key: ("patient", visit.patient.key, None)
        if report.author == "user"
        else ("professional", None, visit.practitioner.key)
        for visit in community.visits
        for report in visit.reports
    }
    assert {row[0]: row[1:] for row in found} == expected | {odd.anonymous: (None, None, None)}
    both = {visit.patient.key for visit in community.visits} & {one.key for one in community.practitioners}
    assert both
    counted = odd.network.query(f"select sum(total_feedback) from {MARTS}.mart_feedback")
    assert counted == [(community.count("reports", "author")["user",] - 2,)]


def test_keys_that_look_like_numbers_stay_as_they_are(odd: Odd, community: Community) -> None:
    there = {
        (STAGING, "lacreiid_user", "user_id"): {person.key for person in community.people},
        (STAGING, "lacreiid_report", "report_id"): {report.key for report in community.reports},
        (MODEL, "dim_clinic", "clinic_id"): {one.clinic.key for one in community.practitioners if one.clinic},
        (MODEL, "fact_lacreisaude_appointments", "appointment_id"): {visit.key for visit in community.visits},
    }
    for (schema, relation, column), keys in there.items():
        found = odd.network.query(
            f"select {column} from {schema}.{relation} where {column} = any(%s)", list(SPECIAL_KEYS)
        )
        assert {key for (key,) in found} == keys & set(SPECIAL_KEYS) >= {"00012345", "1234e567"}, relation


def test_a_price_that_is_no_number_is_null_and_counted(odd: Odd, community: Community) -> None:
    found = odd.network.query(
        f"select clinic_id, consult_price, online_clinic_consult_price from {STAGING}.lacreisaude_clinic"
        " where has_unusable_price"
    )
    assert found == [(key, None, None) for key in community.faults["nan_prices"]]
    assert odd.warnings["lacrei_saude__prices_are_numbers"] == 1


def test_an_appointment_that_never_begins_has_no_day_and_one_far_away_has(odd: Odd) -> None:
    days = dict(
        odd.network.query(
            f"select appointment_id, date_id from {MODEL}.fact_lacreisaude_appointments where appointment_id = any(%s)",
            [odd.endless, odd.far],
        )
    )
    assert days == {odd.endless: None, odd.far: 29990601}
    assert odd.network.query(f"select count(*) < 40000, bool_or(date_id = 29990601) from {MODEL}.dim_date") == [
        (True, True)
    ]


def test_a_second_profile_or_clinic_of_one_person_doubles_nothing(odd: Odd, community: Community) -> None:
    assert odd.network.query(f"select count(*) from {STAGING}.lacreiid_profile where profile_id = 'another1'") == [(1,)]
    assert odd.network.query(
        f"select count(*) - count(distinct patient_key) from {MODEL}.dim_patient where is_current and patient_key <> ''"
    ) == [(0,)]
    assert odd.network.query(
        f"select count(*), count(*) filter (where clinic_id = 'another1') from {MODEL}.fact_lacreisaude_appointments"
    ) == [(len(community.visits), 0)]
