"""The stand-in of Clinical Conductor over HTTP: who is let in, which shape an answer has, and what OData's words do."""

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
import requests

from etl_assets.sandbox.trialsync.books import Books
from etl_assets.sandbox.trialsync.service import Instances, Service, run_instances
from etl_assets_tests.sandbox.trialsync import Conductor

PAGE = {"Items", "NextPageLink", "Count"}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


@pytest.fixture(scope="module")
def caller(service: Service) -> Iterator[Conductor]:
    with Conductor(service) as caller:
        yield caller


@pytest.mark.parametrize("headers", [{}, {"CCAPIKey": "wrong"}, {"X-ApiKey": "not-a-secret-1"}])
def test_without_the_key_nobody_is_let_in(service: Service, headers: dict[str, str]) -> None:
    response = requests.get(f"{service.url}/api/v1/sites", headers=headers, timeout=20)
    assert response.status_code == 401
    assert response.json() == {"Message": "Authorization has been denied for this request."}


@pytest.mark.parametrize(("kind", "base"), [("CC", "/CCSWEB"), ("CCE", "/CCEWEB"), ("CCS", "/CCSWEB")])
def test_the_base_path_follows_the_type(kind: str, base: str) -> None:
    with Service(instance_type=kind) as service, Conductor(service) as caller:
        assert service.url == f"{service.address}{base}"
        assert caller.answer("instance/details")["instanceType"] == kind
        other = caller.session.get(f"{service.address}/CCXWEB/api/v1/sites", timeout=20)
        assert other.status_code == 404


def test_there_is_no_other_type() -> None:
    with pytest.raises(KeyError, match="CCX"):
        Service(instance_type="CCX")


def test_a_path_that_the_vendor_does_not_have_is_not_found_as_asp_net_says_it(caller: Conductor) -> None:
    response = caller.get("users/odata")
    assert response.status_code == 404
    url = f"{caller.service.url}/api/v1/users/odata"
    assert response.json() == {"Message": f"No HTTP resource was found that matches the request URI '{url}'."}


@pytest.mark.parametrize(
    "path",
    [
        "studies/5",
        "studies/1013/arms",
        "studies/5/subjects/odata",
        "patients/5",
        "patients/20121/allergies",
        "patient-visits/5/elements",
        "studies/1001/visits/201/elements/odata",
        "studies/1001/subjects/201/patient-visits",
    ],
)
def test_a_parent_that_is_not_there_is_not_found_as_the_application_says_it(caller: Conductor, path: str) -> None:
    response = caller.get(path)
    assert response.status_code == 404
    [said] = response.json()
    assert said["error"] == "NotFound"


def test_others_than_get_are_not_allowed(caller: Conductor) -> None:
    assert caller.session.delete(f"{caller.service.url}/api/v1/patients/20001", timeout=20).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["site-payments/odata", "monitor-queries/odata", "engagements/odata", "studies/1001/actions/101/unit-completions"],
)
def test_what_is_not_licensed_is_for_the_enterprise_alone(caller: Conductor, path: str) -> None:
    assert caller.get(path).status_code == 501
    with Service(instance_type="CCE") as service, Conductor(service) as other:
        assert other.get(path).status_code == 200


def test_the_topology_may_be_forbidden(caller: Conductor) -> None:
    assert len(caller.answer("instance/topology")["ccs"][0]["sites"]) == 6
    with Service(shows_topology=False) as service, Conductor(service) as other:
        assert other.get("instance/topology").status_code == 403


def test_the_shapes_of_answers(caller: Conductor) -> None:
    assert caller.answer("system/allergies/odata").keys() == PAGE
    assert isinstance(caller.answer("patients/odata"), list)
    assert isinstance(caller.answer("sites"), list)
    assert caller.answer("studies/1001")["id"] == 1001
    assert caller.answer("patients/20007")["id"] == 20_007
    assert all(isinstance(name, str) for name in caller.answer("system/lookup-lists"))
    assert caller.answer("studies/1001/arms")[0].keys() == {"Id", "Uid", "Name"}


def test_fifty_records_are_given_where_nobody_says_how_many(caller: Conductor) -> None:
    page = caller.answer("patient-visits/odata")
    assert len(page["Items"]) == 50
    assert page["NextPageLink"] == f"{caller.service.url}/api/v1/patient-visits/odata?$skip=50"
    assert page["Count"] is None
    assert len(caller.answer("patients/odata")) == 50


def test_a_count_is_told_where_it_is_asked_for(caller: Conductor) -> None:
    page = caller.answer("patient-visits/odata", top=3, count="true")
    assert (len(page["Items"]), page["NextPageLink"]) == (3, None)
    assert page["Count"] == len(caller.records("patient-visits/odata"))


def test_top_is_a_total_and_links_lead_to_the_rest_of_it() -> None:
    with Service(page_size=100) as service, Conductor(service) as caller:
        whole = caller.records("appointments/odata")
        page = caller.answer("appointments/odata", top=250, skip=10, orderby="id")
        found, sizes = page["Items"], [len(page["Items"])]
        while page["NextPageLink"]:
            assert "$orderby=id" in page["NextPageLink"]
            page = caller.session.get(page["NextPageLink"], timeout=20).json()
            found, sizes = found + page["Items"], [*sizes, len(page["Items"])]
        assert sizes == [100, 100, 50]
        assert found == whole[10:260]


@pytest.mark.parametrize("path", ["patients/odata", "elements/odata", "subject-statuses/odata", "appointments/odata"])
def test_pages_by_skip_give_the_list_once(caller: Conductor, path: str) -> None:
    whole = caller.records(path)
    pages = list(caller.pages(path, top=37))
    assert {len(page) for page in pages[:-1]} == {37}
    assert [record for page in pages for record in page] == whole
    assert all(one != other for one, other in pairwise(whole))


@pytest.mark.parametrize(
    "query",
    [
        {"top": 1001},
        {"top": "many"},
        {"skip": -1},
        {"orderby": "modifiedDate"},
        {"orderby": "study"},
        {"orderby": "study/color"},
        {"filter": "modifiedDate gt 2025-12-24T00:00:00.000Z"},
        {"filter": "startswith(status, 'P')"},
    ],
)
def test_a_query_that_is_none_is_a_bad_request(caller: Conductor, query: dict[str, object]) -> None:
    response = caller.get("appointments/odata", **query)
    assert response.status_code == 400
    assert [each.keys() for each in response.json()] == [{"error", "message", "data"}]


def test_lists_are_ordered_as_is_asked(caller: Conductor) -> None:
    ids = [record["id"] for record in caller.records("appointments/odata")]
    assert ids == sorted(ids)
    assert [record["id"] for record in caller.records("appointments/odata", orderby="id desc")] == ids[::-1]
    turned = caller.answer("appointments/odata", top=5, skip=3, orderby="id desc")["Items"]
    assert [record["id"] for record in turned] == ids[::-1][3:8]
    by_day = [
        (each["plannedStart"], -each["id"])
        for each in caller.records("appointments/odata", orderby="plannedStart,id desc")
    ]
    assert by_day == sorted(by_day)
    names = [record["study"]["name"] for record in caller.records("subject-statuses/odata", orderby="study/name desc")]
    assert names == sorted(names, reverse=True)


def test_statuses_are_in_the_order_of_the_key_that_they_have(caller: Conductor) -> None:
    key = [
        (each["study"]["id"], each["subject"]["Id"], each["status"], each["eventDate"])
        for each in caller.records("subject-statuses/odata", orderby="study/id,subject/Id,status,eventDate")
    ]
    assert key == sorted(key)
    assert len(set(key)) == len(key) > 500


def test_studies_are_filtered_by_when_they_were_changed(caller: Conductor) -> None:
    studies = caller.answer("studies")
    moment = sorted(study["lastUpdatedOn"] for study in studies)[5]
    later = caller.answer("studies/odata", filter=f"lastUpdatedOn gt {moment.replace('Z', '.000Z')}")
    assert {study["id"] for study in later} == {study["id"] for study in studies if study["lastUpdatedOn"] > moment}
    assert len(later) == 6
    one = caller.answer("studies/odata", filter=f"lastUpdatedOn ge {moment} and id eq {later[0]['id']}")
    assert one == later[:1]


def test_requests_are_counted_by_what_they_asked_for() -> None:
    with Service() as service, Conductor(service) as caller:
        for patient in (20_001, 20_002, 20_002):
            caller.get(f"patients/{patient}/allergies")
        caller.get("users/odata", top=5)
        assert service.requests == {"patients/{}/allergies": 3, "users/odata": 1}
        last = service.latest[-1]
        assert (last.path, last.query, last.status) == ("users/odata", {"$top": "5"}, 404)


def test_two_instances_have_the_same_ids_and_other_contents() -> None:
    with Instances() as instances:
        north, south = (Conductor(service) for service in instances.services.values())
        with north, south:
            one, other = (each.records("patients/odata") for each in (north, south))
            assert [record["id"] for record in one] == [record["id"] for record in other]
            assert not {record["ssn"] for record in one} & {record["ssn"] for record in other}
            assert south.get("sites").url.startswith(f"{instances.services['south'].address}/CCEWEB/")
        south.session.headers["CCAPIKey"] = north.session.headers["CCAPIKey"]
        assert south.get("sites").status_code == 401


def test_the_command_says_what_a_loader_needs_to_find_both() -> None:
    lines: list[str] = []
    until = threading.Event()
    until.set()
    run_instances(0, say=lines.append, until=until)
    names = [line.removeprefix("export ").split("=")[0] for line in lines]
    each = ("URL", "API_KEY", "TYPE")
    assert names == [
        "ETL_TRIALSYNC_INSTANCES",
        *(f"ETL_TRIALSYNC_{instance}_{name}" for instance in ("NORTH", "SOUTH") for name in each),
    ]
    assert "export ETL_TRIALSYNC_INSTANCES=north,south" in lines
    assert "export ETL_TRIALSYNC_SOUTH_TYPE=CCE" in lines


def test_what_is_given_again_is_given_as_it_stands_now() -> None:
    books = Books()
    with Service(books) as service, Conductor(service) as caller:
        before = caller.records("patients/odata")
        books.change("patients", 20_003)
        changed = [
            one["id"] for one, other in zip(before, caller.records("patients/odata"), strict=True) if one != other
        ]
        assert changed == [20_003]
