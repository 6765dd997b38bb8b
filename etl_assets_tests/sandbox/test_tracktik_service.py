"""The service over HTTP: its pages, its documents, and that it stays sound while the company changes."""

import re
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.query import Refused
from etl_assets.sandbox.tracktik.resources import RESOURCES
from etl_assets.sandbox.tracktik.service import Service, run_service, serve

WINDOW = {"startDateTime:between": "2026-01-02|2026-01-08"}
WINDOWS = {"shifts": "startDateTime", "work-sessions": "startedOn", "shift-summaries": "periodDate"}
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Caller:
    """Somebody with a token."""

    def __init__(self, service: Service) -> None:
        self.url, self.session = service.url, requests.Session()
        self.words = {
            name.removeprefix("ETL_TRACKTIK_").lower(): word
            for name, word in service.credentials.items()
            if not name.endswith("_URL")
        }
        self.tokens: dict[str, Any] = {}

    def __enter__(self) -> "Caller":
        self.tokens = self.token().json()
        self.session.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def token(self, **form: str) -> requests.Response:
        return self.session.post(
            f"{self.url}/oauth2/access_token", data={"grant_type": "password", **self.words, **form}, timeout=20
        )

    def get(self, path: str, query: Any = None, **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(f"{self.url}/{path}", params=query, headers=named, timeout=20)

    def data(self, path: str, query: Any = None, **headers: str) -> list[dict[str, Any]]:
        response = self.get(path, query, **headers)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["data"]
        return found


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(periods=2)


@pytest.fixture(scope="module")
def service(company: Company) -> Iterator[Service]:
    with serve(company) as service:
        yield service


@pytest.fixture(scope="module")
def caller(service: Service) -> Iterator[Caller]:
    with Caller(service) as caller:
        yield caller


def window(path: str, span: str = "2026-01-02|2026-01-08") -> dict[str, str]:
    return {f"{WINDOWS[path]}:between": span} if path in WINDOWS else {}


@pytest.mark.parametrize("path", RESOURCES)
def test_a_list_has_its_envelope(caller: Caller, path: str) -> None:
    found = caller.get(path, {**window(path), "limit": 3}).json()
    assert set(found["meta"]) == {"count", "itemCount", "limit", "offset", "request", "security", "debug", "resource"}
    assert (found["meta"]["itemCount"], found["meta"]["limit"], found["meta"]["offset"]) == (len(found["data"]), 3, 0)
    assert found["meta"]["resource"] == path
    assert found["meta"]["count"] >= len(found["data"]) > 0


@pytest.mark.parametrize("path", RESOURCES)
def test_a_document_has_the_fields_of_its_resource_but_those_on_demand(caller: Caller, path: str) -> None:
    resource = RESOURCES[path]
    [found] = caller.data(path, {**window(path), "limit": 1})
    assert list(found) == [name for name in resource.fields if name not in resource.on_demand]
    [found] = caller.data(path, {**window(path), "limit": 1, "fields": ",".join(resource.fields)})
    assert list(found) == list(resource.fields)
    single = caller.get(f"{path}/{found['id']}", {"fields": ",".join(resource.fields)}).json()["data"]
    assert single == found


def test_the_pages_of_a_list_add_up(caller: Caller) -> None:
    query = {**window("shifts"), "fields": "id", "limit": 130}
    count = caller.get("shifts", query).json()["meta"]["count"]
    pages = [caller.data("shifts", {**query, "offset": offset}) for offset in range(0, count + 130, 130)]
    ids = [shift["id"] for page in pages for shift in page]
    assert [len(page) for page in pages[:-1]] == [130] * (count // 130) + [count % 130]
    assert len(ids) == len(set(ids)) == count
    assert ids[:1000] == [shift["id"] for shift in caller.data("shifts", {**query, "limit": 5000})]


def test_a_page_has_100_by_default_and_1000_at_most(caller: Caller) -> None:
    query = {"startDateTime:between": "2025-12-26|2026-01-08"}
    for limit, given in (({}, 100), ({"limit": 5000}, 1000)):
        meta = caller.get("shifts", {**query, **limit}).json()["meta"]
        assert (meta["itemCount"], meta["limit"]) == (given, given)


def test_the_window_takes_whole_days_of_the_sites_own_zone(caller: Caller, company: Company) -> None:
    for path, name in WINDOWS.items():
        span = "2026-01-02|2026-01-02" if path == "shift-summaries" else "2026-01-03|2026-01-04"
        found = caller.data(path, {f"{name}:between": span, "limit": 1000})
        assert {document[name][:10] for document in found} == set(span.split("|"))
    shifts = caller.data("shifts", {"startDateTime:between": "2026-01-03|2026-01-04", "limit": 1000})
    assert len(shifts) == len(company.shifts(date(2026, 1, 3), date(2026, 1, 4)))
    late = [shift for shift in shifts if datetime.fromisoformat(shift["startDateTime"]).astimezone(UTC).day == 5]
    assert late, "an evening in the west is the next day in UTC"


@pytest.mark.parametrize(("path", "status"), [
    ("clients", "CLOSED"), ("employees", "TERMINATED"), ("positions", "INACTIVE"),
])  # fmt: skip
def test_what_is_inactive_is_left_out_unless_it_is_asked_for(caller: Caller, path: str, status: str) -> None:
    active = caller.data(path, {"limit": 1000})
    everything = caller.data(path, {"limit": 1000, "includeInactive": "true"})
    assert {document["status"] for document in active} == {"ACTIVE"}
    hidden = [document for document in everything if document["status"] == status]
    assert hidden
    assert caller.get(f"{path}/{hidden[0]['id']}").status_code == 200
    assert caller.data(path, {"status": status, "includeInactive": "true"})


def test_relations_are_ids_unless_they_are_included(caller: Caller) -> None:
    [plain] = caller.data("positions", {"limit": 1})
    [full] = caller.data("positions", {"limit": 1, "include": "billingSetting,payrollSetting,account"})
    assert (plain["billingSetting"], plain["account"]) == (plain["id"], full["account"]["id"])
    assert full["billingSetting"]["position"] == full["payrollSetting"]["position"] == full["id"]
    assert full["account"]["region"] in range(100, 200)
    assert isinstance(caller.data("clients")[0]["address"], int)
    assert isinstance(caller.data("employees")[0]["employmentProfile"], int)
    [guard] = caller.data("employees", {"limit": 1, "include": "employmentProfile"})
    assert guard["employmentProfile"]["employee"] == guard["id"]
    assert caller.data("clients", {"include": "address"})[0]["address"]["country"] == "US"
    rules = caller.data("overtime-rules")[2]["rules"]
    assert [(item["ruleType"], item["threshold"]) for item in rules] == [("DAILY", 8), ("DAILY", 12), ("PERIOD", 40)]
    assert len(caller.data("regions", {"includeInactive": "true"})) == len(caller.data("regions")) + 1
    assert caller.get("positions/4001", {"include": "billingSetting"}).json()["data"]["billingSetting"]["id"] == 4001


@pytest.mark.parametrize(
    ("header", "regions"),
    [
        pytest.param("111,117", {111, 117}, id="two regions"),
        pytest.param("111, 999,north", {111}, id="those that do not exist are dropped"),
        pytest.param("999", None, id="none exists: the header is ignored"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_filter_of_regions(caller: Caller, company: Company, header: str, regions: set[int] | None) -> None:
    every = {place["region"] for place in company.clients.values() if place["region"] not in (110, 190)}
    expected = regions or every
    employees = caller.data("employees", {"limit": 1000}, TTC_Region_Filter=header)
    assert {employee["region"] for employee in employees} == expected
    shifts = caller.data("shifts", {**WINDOW, "limit": 1000, "fields": "id,position"}, TTC_Region_Filter=header)
    assert {company.place(shift["position"]).region for shift in shifts} - {None} == expected
    for path in ("work-sessions", "shift-summaries"):
        found = caller.data(path, {**window(path), "limit": 1000}, TTC_Region_Filter=header)
        assert {company.place(one["position"]).region for one in found} - {None} == expected
    assert len(caller.data("regions", TTC_Region_Filter=header)) == 12


def test_money_keeps_its_two_decimals(caller: Caller) -> None:
    text = caller.get("positions", {"include": "billingSetting", "limit": 1000}).text
    rates = re.findall(r'"rate":([^,]+),', text)
    assert all(re.fullmatch(r"\d+\.\d\d", rate) for rate in rates)
    assert any(rate.endswith("0") for rate in rates)
    text = caller.get("shift-summaries", {**window("shift-summaries"), "limit": 1000}).text
    assert all(re.fullmatch(r"-?\d+\.\d\d", total) for total in re.findall(r'"billTotal":([^,]+),', text))
    assert all(re.fullmatch(r"\d+(\.\d{1,4})?", hours) for hours in re.findall(r'"billHours":([^,]+),', text))


def test_the_summaries_say_what_was_billed(caller: Caller, company: Company) -> None:
    lines = company.billed().shifts
    query = {**window("shift-summaries", "2025-12-26|2026-01-09"), "limit": 1000}
    response = caller.get("shift-summaries", query)
    for summary in requests.models.complexjson.loads(response.text, parse_float=Decimal)["data"]:
        found = lines[summary["id"]]
        assert found.bill_basis == "summary"
        assert Decimal(summary["billTotal"]) == found.amounts.bill_total
        assert Decimal(summary["payOvertimeImpact"]) == found.amounts.pay_overtime_impact
        assert Decimal(summary["billHours"]) == found.amounts.billable_hours


def test_what_does_not_exist(caller: Caller) -> None:
    for path in (
        "sites",
        "shifts/7",
        "shifts/99999999999999999999",
        "work-sessions/7",
        "clients/abc",
        "clients/2002/x",
    ):
        response = caller.get(path, {"id": "1"} if path == "sites" else None)
        assert response.status_code == 404, path
        assert "error" in response.json()
    assert caller.session.get(caller.url.removesuffix("/v1") + "/v2/clients", timeout=20).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(caller: Caller, method: str) -> None:
    assert (
        caller.session.request(method, f"{caller.url}/clients/2002", json={"name": "x"}, timeout=20).status_code == 405
    )
    assert caller.get("clients/2002").status_code == 200
    assert caller.get("oauth2/access_token").status_code == 405


def test_a_version_and_a_language_may_be_asked_for(caller: Caller) -> None:
    response = caller.get("regions", Accept="application/vnd.tracktik.v2020-01-01+json", TTC_Language="fr")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")


def test_an_answer_is_packed_for_those_who_take_it_so(caller: Caller) -> None:
    query = {**WINDOW, "limit": 1000}
    plain = caller.get("shifts", query, Accept_Encoding="identity")
    with caller.session.get(f"{caller.url}/shifts", params=query, stream=True, timeout=20) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        raw = response.raw.read(decode_content=False)
    assert "Content-Encoding" not in plain.headers
    assert zlib.decompress(raw, wbits=31) == plain.content
    assert len(raw) < len(plain.content) / 4


def test_one_connection_carries_many_requests(caller: Caller) -> None:
    connection = HTTPConnection(urlsplit(caller.url).netloc, timeout=20)
    sockets = []
    for method, path in (("GET", "regions"), ("POST", "regions"), ("GET", "sites"), ("GET", "clients")):
        headers = {"Authorization": str(caller.session.headers["Authorization"])}
        connection.request(method, f"/rest/v1/{path}", body="x" * 2000, headers=headers)
        connection.getresponse().read()
        sockets.append(connection.sock)
    assert len(set(sockets)) == 1
    assert sockets[0] is not None
    connection.close()


def test_what_was_asked_is_on_record(service: Service, caller: Caller) -> None:
    caller.get("regions", {"limit": "2"})
    asked = service.requests[-1]
    assert (asked.method, asked.path, dict(asked.query), asked.status) == ("GET", "regions", {"limit": "2"}, 200)
    assert asked.when.tzinfo is UTC


def test_a_list_that_was_prepared_is_the_list_that_is_asked_for(caller: Caller, service: Service) -> None:
    query = {**WINDOW, "limit": "200"}
    assert service.prepare("shifts", query) == caller.get("shifts", query).json()["meta"]["count"]
    with pytest.raises(Refused, match="At least one filter"):
        service.prepare("shifts")


def test_the_company_may_change_while_many_read() -> None:
    company = Company(periods=1, shifts_a_day=60)
    query = {"startDateTime:between": "2025-12-26|2026-01-08", "fields": "id,employee", "limit": "100"}
    stop = threading.Event()

    def change() -> None:
        shifts = [shift.id for shift in company.shifts() if shift.works]
        while not stop.is_set():
            company.assign_shift(shifts[0], 5001, at=AT)
            company.move_employee(5002, 111, at=AT)

    with serve(company) as service, ThreadPoolExecutor(8) as pool:
        changing = threading.Thread(target=change)
        changing.start()

        def read(offset: int) -> list[int]:
            with Caller(service) as caller:
                return [shift["id"] for shift in caller.data("shifts", {**query, "offset": offset})]

        pages = list(pool.map(read, list(range(0, 900, 100)) * 2))
        stop.set()
        changing.join()
    half = len(pages) // 2
    assert pages[:half] == pages[half:]
    assert sorted(number for page in pages[:half] for number in page) == [shift.id for shift in company.shifts()]


def test_what_changed_is_in_the_next_answer() -> None:
    company = Company(periods=1, shifts_a_day=20)
    with serve(company) as service, Caller(service) as caller:
        before = caller.data("regions")
        company.rename_region(111, "Elsewhere", at=AT)
        after = caller.data("regions")
    assert [one["name"] for one in after if one not in before] == ["Elsewhere"]


def test_it_runs_in_the_foreground_and_says_how_it_is_reached() -> None:
    lines: list[str] = []
    said, stop = threading.Event(), threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("export ETL_TRACKTIK_PASSWORD="):
            said.set()

    running = threading.Thread(target=run_service, args=(0,), kwargs={"periods": 1, "say": say, "until": stop})
    running.start()
    assert said.wait(20)
    words = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    url = words["ETL_TRACKTIK_URL"]
    form = {name.removeprefix("ETL_TRACKTIK_").lower(): word for name, word in words.items()}
    assert requests.post(f"{url}/oauth2/access_token", data={**form, "grant_type": "password"}, timeout=20).ok
    stop.set()
    running.join(20)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
