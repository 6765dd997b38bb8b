"""The community in a database: whole, in both schemas the same, and never over others' tables."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from etl_assets.cli import main
from etl_assets.errors import EtlError
from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.drawing import draw
from etl_assets.sandbox.lacrei_saude.fill import MARK, fill, host, rows_of
from etl_assets.sandbox.lacrei_saude.planted import planted
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, SCHEMAS, tables
from etl_assets.sandbox.lacrei_saude.vocabulary import DOMAIN, ODD_TEXTS, SPECIAL_KEYS
from etl_assets.warehouse import embedded
from etl_assets_tests.sandbox.lacrei_saude.catalogue import describe, written

SEED, SMALL = 7, 120
GROUPS = {
    OLDER: """
        select g.name, s.name, e.name, count(*) from lacreiid_user u join lacreiid_profile p on p.user_id = u.id
        left join lacreiid_genderidentity g on g.id = p.gender_identity_id
        left join lacreiid_sexualorientation s on s.id = p.sexual_orientation_id
        left join lacreiid_ethnicgroup e on e.id = p.ethnic_group_id
        join lacreiid_privacydocument d on d.id = u.privacy_document_id and d.profile_type = 'lacreiid'
        group by 1, 2, 3
    """,
    NEWER: """
        select p.gender_identity, p.sexuality, p.ethnic_group, count(*)
        from lacreiid_user u join lacreiid_profile p on p.user_id = u.id
        join lacreiid_privacydocument d on d.id = u.privacy_document_id and d.profile_type = 'client'
        group by 1, 2, 3
    """,
}


@pytest.fixture(scope="module")
def community() -> Community:
    return draw(SEED, patients=SMALL)


@pytest.fixture(scope="module")
def filled(empty_database: Callable[[], str]) -> dict[str, str]:
    """The URLs of a database of each schema; nobody writes into them."""
    urls = {schema: empty_database() for schema in SCHEMAS}
    for schema, url in urls.items():
        fill(url, schema=schema, patients=SMALL, seed=SEED)
    return urls


@pytest.fixture(params=SCHEMAS)
def either(request: pytest.FixtureRequest, filled: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(filled[request.param], autocommit=True) as connection:
        yield connection


@pytest.fixture
def older(filled: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(filled[OLDER], autocommit=True) as connection:
        yield connection


def counted(connection: psycopg.Connection, statement: str) -> Counter[tuple[object, ...]]:
    return Counter({tuple(group): number for *group, number in connection.execute(statement)})


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_table_holds_the_rows_that_were_drawn(filled: dict[str, str], community: Community, schema: str) -> None:
    drawn = rows_of(community, schema)
    with psycopg.connect(filled[schema]) as connection:
        for table in tables(schema):
            (held,) = connection.execute(f"select count(*) from {table}").fetchone() or (0,)
            assert held == len(drawn[table]) + (table == "django_site") > 0, table


def test_appointments_ratings_and_states_are_those_of_the_books(
    either: psycopg.Connection, community: Community
) -> None:
    by_status = "select status, type, count(*) from lacreiid_appointment group by 1, 2"
    assert counted(either, by_status) == community.count("visits", "status", "type")
    assert counted(either, "select eval, count(*) from lacreiid_report group by 1") == community.count(
        "reports", "rating"
    )
    by_state = """
        select s.code, count(*) from lacreiid_appointment a join lacreisaude_professional p on p.id = a.professional_id
        join address_state s on s.id = p.state_id group by 1
    """
    assert counted(either, by_state) == community.count("visits", "practitioner.state.code")


def test_rows_say_who_was_where_when_and_what_was_said(either: psycopg.Connection, community: Community) -> None:
    visits = (
        "select id, professional_id, user_id, date, created_at, rescheduled, agreement_id from lacreiid_appointment"
    )
    assert set(either.execute(visits)) == {
        (
            visit.key,
            visit.practitioner.key,
            visit.patient.key,
            visit.start,
            visit.created,
            visit.rescheduled,
            visit.agreement and visit.agreement.key,
        )
        for visit in community.visits
    }
    said = """
        select r.id, appointment_id, coalesce(u.id, p.id), model, feedback from lacreiid_report r
        join django_content_type t on t.id = created_by_content_type_id
        left join lacreiid_user u on model = 'user' and u.id = created_by_object_id
        left join lacreisaude_professional p on model = 'professional' and p.id = created_by_object_id
    """
    assert set(either.execute(said)) == {
        (report.key, visit.key, getattr(visit, who).key, report.author, report.feedback)
        for visit in community.visits
        for report in visit.reports
        for who in ["patient" if report.author == "user" else "practitioner"]
    }
    people = "select id, first_name, last_name, birth_date, created_at, is_active, is_staff from lacreiid_user"
    assert set(either.execute(people)) == {
        (one.key, one.first_name, one.last_name, one.birth_date, one.created, one.is_active, one.is_staff)
        for one in community.people
    }
    reasons = either.execute("select id, appointment_id, reason from lacreiid_cancellation")
    assert set(reasons) == {
        (one.key, visit.key, one.reason) for visit in community.visits for one in visit.cancellations
    }


def test_patients_by_group_are_those_of_the_books_in_both_schemas(filled: dict[str, str], community: Community) -> None:
    groups = community.count("patients", "traits.gender_identity", "traits.sexuality", "traits.ethnic_group")
    with psycopg.connect(filled[NEWER]) as connection:
        assert counted(connection, GROUPS[NEWER]) == groups
    with psycopg.connect(filled[OLDER]) as connection:
        found = counted(connection, GROUPS[OLDER])
        assert sorted(found.values()) == sorted(groups.values())
        assert found["Travesti", "Demissexual", "Parda"] == groups["TV", "DE", "PA"] == 4


def test_both_schemas_say_the_same_of_everything_that_both_have(community: Community) -> None:
    older, newer = rows_of(community, OLDER), rows_of(community, NEWER)
    differ = {"lacreiid_privacydocument": {"profile_type"}, "django_content_type": {"app_label"}}
    shared = older.keys() & newer.keys()
    for table in shared:
        columns = set(tables(OLDER)[table].names) & set(tables(NEWER)[table].names) - differ.get(table, set())
        assert len(older[table]) == len(newer[table]), table
        for one, other in zip(older[table], newer[table], strict=True):
            assert {name: one[name] for name in columns} == {name: other[name] for name in columns}, table
    assert [row["profile_type"] for row in older["lacreiid_privacydocument"]] == ["lacreiid", "lacreisaude"]
    assert [row["profile_type"] for row in newer["lacreiid_privacydocument"]] == ["client", "professional"]


def test_disabilities_are_an_array_in_the_newer_schema_and_rows_in_the_older(
    filled: dict[str, str], community: Community
) -> None:
    by_array = "select unnest(disability_types), count(*) from lacreiid_profile group by 1"
    by_rows = """
        select position_order, count(*) from lacreiid_profile_disability_types d
        join lacreiid_disabilitytype t on t.id = d.disabilitytype_id group by 1
    """
    expected = Counter(code for person in community.people for code in person.traits.disability_types)
    with psycopg.connect(filled[NEWER]) as newer, psycopg.connect(filled[OLDER]) as older:
        assert counted(newer, by_array) == {(code,): number for code, number in expected.items()}
        codes = ("NP", "AU", "CO", "MO", "MU", "VI", "OU")
        assert counted(older, by_rows) == {(codes.index(code) + 1,): number for code, number in expected.items()}


def test_answers_in_ones_own_words_are_where_each_schema_has_them(filled: dict[str, str], community: Community) -> None:
    said = sum(len(person.traits.own_words) for person in community.people)
    with psycopg.connect(filled[NEWER]) as newer, psycopg.connect(filled[OLDER]) as older:
        assert counted(newer, "select count(*) from lacreiid_otherprofileanswer")[()] == said > 0
        columns = "other_ethnic_group, other_gender_identity, other_sexual_orientation, other_pronoun"
        statement = f"select sum(num_nonnulls({columns}, other_disability_types)) from lacreiid_profile"
        assert counted(older, statement)[()] == said


def test_values_of_every_type_arrive(either: psycopg.Connection, community: Community) -> None:
    def one(statement: str) -> object:
        return (either.execute(statement).fetchone() or (None,))[0]

    nan = one(f"select consult_price from lacreisaude_clinic where id = '{community.faults['nan_prices'][0]}'")
    assert isinstance(nan, Decimal)
    assert nan.is_nan()
    assert one("select count(*) from lacreiid_appointment where extract(microseconds from created_at)::int % 1000 > 0")
    families = either.execute("select distinct family(requester_ip_address) from lacreisaude_contactrequest order by 1")
    assert families.fetchall() == [(4,), (6,)]
    assert one("select count(*) from notification_notification where cardinality(send_to) = 2")
    assert one("select count(*) from notification_notification where pickled_context = '\\x80044e2e00ff'")
    assert one("select json_context -> 'values' from notification_notification limit 1") == json.loads("[1, 2.5, null]")
    assert one("select count(distinct photo_description) from lacreiid_profile") == len(ODD_TEXTS)
    assert one("select max(closing_time)::text from lacreisaude_clinicopeningschedule") == "22:00:00.5"
    keys = {key for (key,) in either.execute("select id from lacreiid_user intersect select id from lacreiid_report")}
    assert keys == set(SPECIAL_KEYS)


def test_a_row_can_be_added_without_a_number(empty_database: Callable[[], str]) -> None:
    url = empty_database()
    fill(url, patients=5)
    with psycopg.connect(url) as connection:
        highest = connection.execute("select max(id) from address_state").fetchone()
        added = "insert into address_state (created_at, updated_at, name, code, active, country_id)"
        found = connection.execute(f"{added} values (now(), now(), 'x', 'XX', true, 1) returning id").fetchone()
        assert highest == (54,)
        assert found == (55,)


def test_everything_personal_is_listed(either: psycopg.Connection, community: Community) -> None:
    found = planted(either)
    assert {person.email for person in community.people} < found["emails"]
    assert all(email.endswith(f"@{DOMAIN}") for email in found["emails"])
    assert {person.phone for person in community.people} | {
        person.phone.removeprefix("+55") for person in community.people
    } == found["phones"]
    assert {one.full_name for one in community.practitioners} < found["names"]
    assert {one.pix[1] for one in community.practitioners if one.pix} == found["pix_keys"]
    cpfs = {one.person.cpf for one in (*community.practitioners, *community.agreements)}
    cpfs |= {visit.patient.cpf for visit in community.visits[:30]}  # whose payments the payment service told of
    cpfs |= {visit.patient.cpf for visit in community.visits if any("CPF" in one.feedback for one in visit.reports)}
    assert found["cpfs"] == cpfs | {cpf.replace(".", "").replace("-", "") for cpf in cpfs}
    owner = community.practitioners[1].person
    of_one = planted(either, owner.key)
    assert of_one["phones"] == {owner.phone, owner.phone.removeprefix("+55")}
    assert owner.email in of_one["emails"]
    assert len(of_one["emails"]) <= 2


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("emails", r"[\w.]+@pessoas\.lacrei\.invalid"),
        ("phones", r"\+55\d{11}"),
        ("cpfs", r"\d{3}\.\d{3}\.\d{3}-\d\d"),
        ("secrets", r"secret-[\w-]+"),
        ("addresses", r"192\.0\.2\.\d+|2001:db8::[0-9a-f]+"),
    ],
)
def test_nothing_of_such_a_form_is_in_the_database_and_not_listed(
    either: psycopg.Connection, kind: str, form: str
) -> None:
    found = set(re.findall(form, written(either)))
    assert len(found) > 5
    assert found - planted(either)[kind] == set()


def test_what_is_there_is_left_alone_unless_it_is_wanted_anew(empty_database: Callable[[], str]) -> None:
    url = empty_database()
    assert len(fill(url, patients=5)) == 50
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("delete from lacreisaude_waitinglist")
        connection.execute("create table theirs as select 1 as one")
        assert fill(url, patients=5) == {}
        with pytest.raises(EtlError, match="another community"):
            fill(url, patients=5, schema=NEWER)
        assert connection.execute("select count(*) from lacreisaude_waitinglist").fetchone() == (0,)
        assert len(fill(url, patients=5, schema=NEWER, anew=True)) == 48
        assert describe(connection).keys() == {*tables(NEWER), "theirs"}
        name = connection.execute("select name from django_site where domain = %s", [MARK]).fetchone()
        assert name == ("newer, seed 1, 5 patients",)


def test_tables_of_somebody_else_are_refused(empty_database: Callable[[], str]) -> None:
    url = empty_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table theirs as select 1 as one")
        with pytest.raises(EtlError, match="holds 1 tables and is not marked"):
            fill(url, anew=True)
        assert connection.execute("select one from theirs").fetchall() == [(1,)]
        with pytest.raises(ValueError, match="not marked"):
            planted(connection)


def test_a_server_hosts_one_beside_the_warehouse(empty_database: Callable[[], str]) -> None:
    server_url = empty_database()
    name = f"hosted_{urlsplit(server_url).path.removeprefix('/')}"
    url = host(server_url, database=name, patients=5)
    assert url == host(server_url, database=name, patients=5)
    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from address_state").fetchone() == (27,)


def test_the_command_fills_a_database(empty_database: Callable[[], str], capsys: pytest.CaptureFixture[str]) -> None:
    url = empty_database()
    assert main(["sandbox", "lacrei_saude", url, "--schema", "newer", "--patients", "5", "--seed", "3"]) == 0
    assert "A network of 5 patients" in capsys.readouterr().out
    with psycopg.connect(url) as connection:
        (first,) = connection.execute("select min(created_at) from lacreiid_user").fetchone() or (None,)
        assert isinstance(first, datetime)
        name = connection.execute("select name from django_site where domain = %s", [MARK]).fetchone()
        assert name == ("newer, seed 3, 5 patients",)


def test_the_command_has_a_database_beside_the_embedded_warehouse_and_in_no_other_server(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ETL_HOME", str(tmp_path))
    monkeypatch.setenv("ETL_WAREHOUSE_URL", embedded.server_url(server))
    assert main(["sandbox", "lacrei_saude", "--patients", "5"]) == 1
    assert "somebody's own" in capsys.readouterr().err
    monkeypatch.delenv("ETL_WAREHOUSE_URL")
    home = tmp_path / "postgres"
    home.symlink_to(server)
    try:
        assert main(["sandbox", "lacrei_saude", "--patients", "5"]) == 0
    finally:
        home.unlink()
    assert "In the database lacrei_saude_sandbox" in capsys.readouterr().out
    with psycopg.connect(embedded.server_url(server, "lacrei_saude_sandbox")) as connection:
        assert connection.execute("select count(*) from lacreisaude_profession").fetchone() == (7,)
    with psycopg.connect(embedded.server_url(server), autocommit=True) as connection:
        connection.execute("drop database lacrei_saude_sandbox")
