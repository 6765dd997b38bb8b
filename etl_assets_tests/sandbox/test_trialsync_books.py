"""The invented trials: what is told of them in one list agrees with every other, at any scale, and over time."""

import re
import threading
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from etl_assets.sandbox.trialsync.books import Books, Enrolment, Scale
from etl_assets.sandbox.trialsync.people import PLANTED, planted_values
from etl_assets.sandbox.trialsync.service import Service
from etl_assets_tests.sandbox.trialsync import Conductor, Record

END = {"ScreenFailed", "NonQualified", "RunInFailed", "Dropped", "Completed"}
CHILDREN = ("allergies", "conditions", "devices", "medications", "procedures", "touches/campaign")


@pytest.fixture(scope="module")
def books() -> Books:
    return Books()


@pytest.fixture(scope="module")
def caller(books: Books) -> Iterator[Conductor]:
    with Service(books, instance_type="CCE") as service, Conductor(service) as caller:
        yield caller


@pytest.fixture(scope="module")
def studies(caller: Conductor) -> list[Record]:
    return caller.records("studies")


@pytest.fixture(scope="module")
def subjects(caller: Conductor, studies: list[Record]) -> dict[int, Record]:
    found = [one for study in studies for one in caller.records(f"studies/{study['id']}/subjects/odata")]
    assert len({one["id"] for one in found}) == len(found) == 160
    return {one["id"]: one for one in found}


@pytest.fixture(scope="module")
def statuses(caller: Conductor) -> dict[int, list[Record]]:
    """The statuses of each subject in the order of their dates."""
    found: dict[int, list[Record]] = defaultdict(list)
    for one in caller.records("subject-statuses/odata"):
        found[one["subject"]["Id"]].append(one)
    return {subject: sorted(events, key=lambda each: each["eventDate"]) for subject, events in found.items()}


@pytest.fixture(scope="module")
def patient_visits(caller: Conductor) -> list[Record]:
    return caller.records("patient-visits/odata")


def test_the_last_status_is_the_subjects(subjects: dict[int, Record], statuses: dict[int, list[Record]]) -> None:
    assert statuses.keys() == subjects.keys()
    for identity, events in statuses.items():
        subject = subjects[identity]
        assert [event["status"] for event in events if event["isCurrentStatus"]] == [subject["status"]]
        assert events[-1]["status"] == subject["status"]
        assert all(event["site"] == subject["site"] and event["study"] == subject["study"] for event in events)
        assert events[0]["status"] == "Prescreened"
        assert len({event["eventDate"] for event in events}) == len(events)
    assert {subject["status"] for subject in subjects.values()} >= {*END, "Prescreened", "Randomized"} - {"Screened"}


def test_the_books_know_what_a_mart_must_come_to(
    books: Books, subjects: dict[int, Record], statuses: dict[int, list[Record]]
) -> None:
    counted: Counter[tuple[int, int, str, str]] = Counter()
    for subject in subjects.values():
        happened = [(event["status"], event["eventDate"]) for event in statuses[subject["id"]]]
        for what, moment in [*happened, ("enrolled", subject["enrollmentDate"])]:
            if moment:
                counted[subject["study"]["id"], subject["site"]["id"], moment[:7], what] += 1
    expected = books.enrolment()
    names = {
        "screened": "Screened",
        "screen_failed": "ScreenFailed",
        "randomised": "Randomized",
        "completed": "Completed",
    }
    for key, month in expected.items():
        found = {name: counted[(*key, what)] for name, what in {**names, "enrolled": "enrolled"}.items()}
        assert month == Enrolment(**found)
    for name, what in {**names, "enrolled": "enrolled"}.items():
        total = sum(count for (*_, each), count in counted.items() if each == what)
        assert total == sum(getattr(month, name) for month in expected.values()) > 30


def test_enrolment_lies_between_screening_and_randomisation(
    subjects: dict[int, Record], statuses: dict[int, list[Record]]
) -> None:
    for subject in subjects.values():
        moments = {event["status"]: event["eventDate"] for event in statuses[subject["id"]]}
        assert (subject["treatmentStart"] is None) == ("Randomized" not in moments) == (subject["arm"] is None)
        if subject["enrollmentDate"]:
            assert moments["Screened"] < subject["enrollmentDate"] < moments.get("Randomized", "9")
        if "ScreenFailed" in moments or "NonQualified" in moments:
            assert subject["enrollmentDate"] is None


def test_the_list_of_patient_visits_is_that_of_all_subjects(
    caller: Conductor, subjects: dict[int, Record], patient_visits: list[Record]
) -> None:
    each = [
        visit
        for subject in subjects.values()
        for visit in caller.records(f"studies/{subject['study']['id']}/subjects/{subject['id']}/patient-visits")
    ]
    assert each == patient_visits
    assert len({visit["id"] for visit in each}) == len(each)


def test_a_patient_visit_is_one_of_the_protocol(
    caller: Conductor, studies: list[Record], patient_visits: list[Record]
) -> None:
    protocol = {
        visit["id"]: (study["id"], visit["name"], position)
        for study in studies
        for position, visit in enumerate(caller.records(f"studies/{study['id']}/visits/odata"), start=1)
    }
    for one in patient_visits:
        assert protocol[one["visitId"]] == (one["study"]["id"], one["visitName"], one["sequence"])
        assert one["minDueDate"] < one["targetDueDate"] < one["maxDueDate"]


def test_appointments_are_those_of_the_patient_visits(
    caller: Conductor, subjects: dict[int, Record], patient_visits: list[Record], books: Books
) -> None:
    expected = {
        planned["id"]: (planned["status"], planned["scheduledStart"], one["visitId"], one["subject"]["Id"])
        for one in patient_visits
        for planned in one["appointments"]
    }
    appointments = caller.records("appointments/odata")
    assert len(appointments) == len(expected) > 500
    for one in appointments:
        status, begins, visit, subject = expected[one["id"]]
        assert (one["status"], one["plannedStart"], one["visit"]["id"]) == (status, begins, visit)
        assert one["patient"]["id"] == subjects[subject]["patient"]["id"]
        assert one["site"] == subjects[subject]["site"]
        past = begins[:10] <= books.now.isoformat()
        assert (one["status"] in {"Completed", "Cancelled", "NoShow"}) == past
    assert {one["status"] for one in appointments} == {"Completed", "Pending", "Cancelled", "NoShow"}


def test_nothing_is_planned_after_a_subject_has_ended(
    statuses: dict[int, list[Record]], patient_visits: list[Record]
) -> None:
    for one in patient_visits:
        last = statuses[one["subject"]["Id"]][-1]
        if last["status"] in END and one["targetDueDate"] > last["eventDate"]:
            assert (one["appointments"], one["status"]) == ([], "Pending")
        if last["status"] == "Completed":
            assert one["status"] == "Completed"


def test_elements_and_stipends_are_of_their_visits(caller: Conductor, patient_visits: list[Record]) -> None:
    elements = {one["id"]: one for one in caller.records("elements/odata")}
    paid = 0
    for visit in patient_visits[::29]:
        study = visit["study"]["id"]
        planned = caller.records(f"studies/{study}/visits/{visit['visitId']}/elements/odata")
        done = caller.records(f"patient-visits/{visit['id']}/elements")
        assert [one["element"]["id"] for one in planned] == [one["elementId"] for one in done]
        assert {one["visit"]["id"] for one in planned} == {visit["visitId"]}
        for one in done:
            assert (elements[one["elementId"]]["name"], elements[one["elementId"]]["study"]["id"]) == (
                one["name"],
                study,
            )
            assert (one["completedOn"] is not None) == (visit["status"] == "Completed")
        for stipend in caller.records(f"patient-visits/{visit['id']}/stipends"):
            paid += 1
            assert (stipend["patientVisitId"], stipend["patientStudyId"]) == (visit["id"], visit["subject"]["Id"])
    assert paid > 5


def test_everybody_and_everything_that_is_named_is_there(
    caller: Conductor, studies: list[Record], subjects: dict[int, Record]
) -> None:
    known = {
        name: {one["id"]: one["name"] for one in caller.records(path)}
        for name, path in {"study": "studies", "site": "sites", "sponsor": "sponsors/odata"}.items()
    }
    patients = {one["id"]: one for one in caller.records("patients/odata")}
    for study in studies:
        assert known["sponsor"][study["sponsor"]["id"]] == study["sponsor"]["name"]
        assert known["site"][study["managingSite"]["id"]] == study["managingSite"]["name"]
        assert study["createdOn"] < study["lastUpdatedOn"]
    active: dict[int, set[int]] = defaultdict(set)
    for subject in subjects.values():
        assert known["site"][subject["site"]["id"]] == subject["site"]["name"]
        for name, value in subject["patient"].items():
            assert name in {"title", "ethnicity", "name"} or patients[subject["patient"]["id"]][name] == value
        if subject["status"] not in END:
            active[subject["patient"]["id"]].add(subject["study"]["id"])
    for patient in patients.values():
        assert {study["id"] for study in patient["activeStudies"]} == active[patient["id"]]


def test_monitor_queries_are_those_of_all_studies(caller: Conductor, studies: list[Record]) -> None:
    each = [one for study in studies for one in caller.records(f"studies/{study['id']}/monitor-queries/odata")]
    assert each == caller.records("monitor-queries/odata")
    assert all(one["closedOn"] is None or one["createdOn"] < one["closedOn"] for one in each)
    assert {one["closedOn"] is None for one in each} == {True, False}


def test_roles_have_the_same_ids_in_every_study_and_personnel_has_none(
    caller: Conductor, studies: list[Record]
) -> None:
    roles = [[role["id"] for role in caller.records(f"studies/{study['id']}/roles")] for study in studies]
    assert roles == [[1, 2, 3]] * len(studies)
    assert caller.records("studies/1001/personnel")[0].keys() == {"Role", "Staff"}


def test_few_patients_have_anything(caller: Conductor) -> None:
    found = {name: [caller.records(f"patients/{20_001 + number}/{name}") for number in range(120)] for name in CHILDREN}
    for name, lists in found.items():
        assert 4 <= sum(map(bool, lists)) <= 30, name
        ids = [one["id"] for records in lists for one in records]
        assert len(set(ids)) == len(ids)


def everything(caller: Conductor) -> list[Any]:
    paths = (
        "patients/odata",
        "subject-statuses/odata",
        "patient-visits/odata",
        "appointments/odata",
        "studies",
        "staff/odata",
    )
    return [caller.records(path) for path in paths]


def test_the_same_seed_tells_the_same_and_another_does_not(caller: Conductor) -> None:
    with Service(Books()) as same, Conductor(same) as again:
        assert everything(again) == everything(caller)
    with Service(Books(2)) as other, Conductor(other) as elsewhere:
        for one, another in zip(everything(elsewhere), everything(caller), strict=True):
            assert one != another


def test_days_go_by_and_what_was_past_stays() -> None:
    books = Books()
    with Service(books) as service, Conductor(service) as caller:
        before, patients = caller.records("subject-statuses/odata"), caller.records("patients/odata")
        visits = {one["id"]: one["status"] for one in caller.records("patient-visits/odata")}
        books.advance(60)
        after = caller.records("subject-statuses/odata")
        as_of = {(one["subject"]["Id"], one["status"], one["eventDate"]) for one in before}
        later = {(one["subject"]["Id"], one["status"], one["eventDate"]) for one in after}
        assert as_of < later
        assert all("2026-02-01" < moment[:10] <= "2026-04-02" for _, _, moment in later - as_of)
        newcomers = {one["id"] for one in caller.records("patients/odata")} - {one["id"] for one in patients}
        assert newcomers == set(range(20_121, 20_121 + len(newcomers)))
        new_subjects = {subject for subject, _, _ in later} - {subject for subject, _, _ in as_of}
        assert len(new_subjects) == len(newcomers) > 1
        now = {one["id"]: one["status"] for one in caller.records("patient-visits/odata")}
        assert visits.keys() < now.keys()
        moved = {(status, now[visit]) for visit, status in visits.items() if now[visit] != status}
        assert moved == {("Pending", "Completed")}
        appointments = caller.records("appointments/odata")
        assert {one["patient"]["id"] for one in appointments} <= {one["id"] for one in caller.records("patients/odata")}
        assert (
            sum(month.screened for month in books.enrolment().values()) == Counter(s for _, s, _ in later)["Screened"]
        )


def test_days_gone_by_at_once_or_one_by_one_come_to_the_same() -> None:
    at_once, one_by_one = Books(), Books()
    at_once.advance(40)
    for _ in range(40):
        one_by_one.advance(1)
    with Service(at_once) as one, Service(one_by_one) as other, Conductor(one) as this, Conductor(other) as that:
        assert everything(this) == everything(that)


def test_a_newcomer_stays_the_same_patient() -> None:
    books = Books()
    with Service(books) as service, Conductor(service) as caller:

        def who() -> dict[int, int]:
            studies = [one["id"] for one in caller.records("studies")]
            lists = [caller.records(f"studies/{study}/subjects/odata") for study in studies]
            return {one["id"]: one["patient"]["id"] for subjects in lists for one in subjects}

        books.advance(120)
        before = who()
        books.advance(120)
        after = who()
        assert before.items() < after.items()
        newcomers = [patient for subject, patient in after.items() if subject not in before]
        assert len(set(newcomers)) == len(newcomers) > 3
        assert min(newcomers) > max(before.values())


def test_a_change_is_of_one_record_and_moves_the_stamp_of_a_study() -> None:
    books = Books()
    with Service(books) as service, Conductor(service) as caller:
        before = caller.records("studies")
        books.change("studies", 1003)
        after = caller.records("studies")
        [(old, new)] = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        assert (new["id"], new["lastUpdatedOn"][:10]) == (1003, "2026-02-01")
        assert old["lastUpdatedOn"] < new["lastUpdatedOn"]
        [element] = caller.answer("elements/odata", top=1)["Items"]
        books.change("elements", element["id"])
        assert caller.answer("elements/odata", top=1)["Items"] != [element]


def test_what_is_deleted_is_gone_with_what_was_told_of_it() -> None:
    books = Books()
    with Service(books) as service, Conductor(service) as caller:
        [subject, *_] = caller.records("studies/1002/subjects/odata")
        sizes = {
            path: len(caller.records(path))
            for path in ("subject-statuses/odata", "patient-visits/odata", "patients/odata")
        }
        books.delete("subjects", subject["id"])
        books.delete("patients", 20_005)
        assert subject["id"] not in {one["id"] for one in caller.records("studies/1002/subjects/odata")}
        assert caller.get(f"studies/1002/subjects/{subject['id']}/patient-visits").status_code == 404
        assert subject["id"] not in {one["subject"]["Id"] for one in caller.records("subject-statuses/odata")}
        assert subject["id"] not in {one["subject"]["Id"] for one in caller.records("patient-visits/odata")}
        assert len(caller.records("subject-statuses/odata")) < sizes["subject-statuses/odata"]
        assert len(caller.records("patients/odata")) == sizes["patients/odata"] - 1
        assert caller.get("patients/20005").status_code == caller.get("patients/20005/allergies").status_code == 404
        assert caller.get("patients/20006").status_code == 200


def test_with_a_study_all_below_it_is_gone() -> None:
    books = Books()
    lists = ("patient-visits", "appointments", "subject-statuses", "elements", "monitor-queries")
    paths = [f"{name}/odata" for name in lists]
    with Service(books, instance_type="CCE") as service, Conductor(service) as caller:
        assert all(1003 in {one["study"]["id"] for one in caller.records(path)} for path in paths)
        books.delete("studies", 1003)
        assert all(1003 not in {one["study"]["id"] for one in caller.records(path)} for path in paths)
        assert 1003 not in {one["id"] for one in caller.records("studies")}
        assert caller.get("studies/1003").status_code == caller.get("studies/1003/visits/odata").status_code == 404


def test_books_may_change_while_they_are_read() -> None:
    books = Books()
    with Service(books, cache_bytes=0) as service, Conductor(service) as caller:
        changing = threading.Thread(target=lambda: [books.advance(1) for _ in range(150)])
        changing.start()
        found = []
        while changing.is_alive():
            found.append(len(caller.records("subject-statuses/odata")))
        changing.join()
        found.append(len(caller.records("subject-statuses/odata")))
    assert found == sorted(found)
    assert found[-1] > 546


def test_there_is_room_for_newcomers_and_no_more() -> None:
    books = Books(scale=Scale(studies=6, subjects=12))
    books.advance(20_000)
    with Service(books) as service, Conductor(service) as caller:
        ids = [one["id"] for study in range(1001, 1007) for one in caller.records(f"studies/{study}/subjects/odata")]
    assert 12 < len(ids) == len(set(ids)) <= 6 * (books.block - 1)


def test_planted_values_are_where_they_belong_and_can_be_recognised(caller: Conductor) -> None:
    planted = set(planted_values(1, 120))
    assert all(PLANTED.fullmatch(value) for value in planted)
    text = caller.get("patients/odata", top=1000).text
    found = set(PLANTED.findall(text))
    assert found == planted
    assert {patient["ssn"] for patient in caller.records("patients/odata")} <= planted
    assert not planted & set(planted_values(2, 120))
    for path in (
        "studies",
        "sites",
        "staff/odata",
        "subject-statuses/odata",
        "patient-visits/odata",
        "providers/odata",
    ):
        assert PLANTED.search(caller.get(path, top=1000).text) is None
    named = set(PLANTED.findall(caller.get("appointments/odata", top=1000).text))
    assert named
    assert all(re.fullmatch("Zq[a-z]+", name) for name in named)


def test_each_patient_has_values_of_their_own() -> None:
    values = Counter(planted_values(1, 5_000))
    assert max(values.values()) == 1


def test_a_million_visits_are_told_of_without_being_kept() -> None:
    books = Books(scale=Scale(patients=60_000, studies=200, sites=20, subjects=45_000, visits=26))
    with Service(books, cache_bytes=0) as service, Conductor(service) as caller:
        total = caller.answer("patient-visits/odata", top=1, count="true")["Count"]
        assert total > 1_000_000
        caller.answer("appointments/odata", top=1)
        tracemalloc.start()
        try:
            for skip in range(0, total, total // 3):
                page = caller.answer("patient-visits/odata", top=1000, skip=skip, orderby="id")["Items"]
                assert len({one["id"] for one in page}) == min(1000, total - skip)
                assert len(caller.answer("patients/odata", top=1000, skip=skip // 30)) == 1000
            assert len(caller.answer("appointments/odata", top=1000, skip=400_000, orderby="id desc")["Items"]) == 1000
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 40_000_000


@pytest.mark.parametrize(
    "scale",
    [{"studies": 1, "sites": 1, "subjects": 0, "patients": 1}, {"subjects": 700, "patients": 20, "elements": 12}],
)
def test_any_scale_has_as_many_as_it_says(scale: dict[str, int]) -> None:
    books = Books(scale=Scale(**scale))
    with Service(books) as service, Conductor(service) as caller:
        assert len(caller.records("patients/odata")) == scale["patients"]
        assert len({one["subject"]["Id"] for one in caller.records("subject-statuses/odata")}) == scale["subjects"]
        assert len({one["id"] for one in caller.records("appointments/odata")}) == books.offsets("appointments").size


@pytest.mark.parametrize("scale", [{"patients": 0}, {"visits": 91}, {"elements": 901}])
def test_a_scale_that_cannot_be_is_refused(scale: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"there must be|at most"):
        Scale(**scale)
