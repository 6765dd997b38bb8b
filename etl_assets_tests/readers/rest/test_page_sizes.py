"""Pages that do not come in time, or not whole: fewer records are asked for, and that is kept."""

from datetime import timedelta

import pytest

from etl_assets.declare.endpoints import Single
from etl_assets.errors import TransientError
from etl_assets_tests.readers.rest.odata_service import ODataService, odata_table, skips
from etl_assets_tests.readers.rest.services import CLIENTS
from etl_assets_tests.readers.rest.shapes import OFFSETS, VALUE, VALUE_LINKS, one_to, reading, table
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, json_answer

SLOW = {
    "no answer in time": Answer(hang=True),
    "an answer that is cut off": Answer(body=b'{"Items": [{"id": 1}]}', cut_at=10),
    "an answer without its end": Answer(body=b'{"Items": [{"id": 1}'),
    "a gateway's time-out": Answer(status=504, body=b"<html>upstream timed out</html>"),
}
IMPATIENT = timedelta(seconds=0.2)


def heavy(service: ODataService, most: int, instead: Answer = SLOW["no answer in time"]):
    """A server that cannot give more than `most` records in time."""

    def script(asked: Asked) -> Answer:
        return instead if int(asked.query.get("$top", 0)) > most else service(asked)

    return script


def tops(server) -> list[int]:
    return [int(asked.query["$top"]) for asked in server.asked]


def keys_of(reader, declared) -> list:
    return [document.key for page in reader.read(declared) for document in page.documents]


@pytest.mark.parametrize("instead", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("counts", [True, False])
def test_a_page_that_does_not_come_is_halved_and_that_is_kept_for_the_table(instead, counts) -> None:
    declared = odata_table(800, timeout=IMPATIENT)
    with reading(heavy(ODataService(450, counts=counts), 200, instead)) as (reader, server):
        assert keys_of(reader, declared) == one_to(450)
        assert tops(server)[:3] == [800, 400, 200]
        assert max(tops(server)[2:]) == 200
        first = len(server.asked)
        assert keys_of(reader, declared) == one_to(450)
        assert tops(server)[first] == 200
        assert reader.page_sizes == {"visits": 200}


def test_a_page_size_that_was_come_to_before_is_where_a_reader_begins() -> None:
    with reading(heavy(ODataService(450, counts=True), 200)) as (reader, server):
        reader.page_sizes["visits"] = 200
        assert keys_of(reader, odata_table(800)) == one_to(450)
        assert sorted(skips(server)) == [0, 200, 400]
        assert set(tops(server)) == {200}
        reader.page_sizes["other"] = 7
        keys_of(reader, odata_table(300, path="other"))
        assert tops(server)[-1] == 50, "and no less than the least is asked for"


@pytest.mark.parametrize("counts", [True, False])
def test_a_page_in_the_middle_that_does_not_come_is_asked_for_in_parts(counts) -> None:
    service = ODataService(1000, counts=counts)

    def script(asked: Asked) -> Answer:
        first, top = int(asked.query["$skip"]), int(asked.query["$top"])
        return Answer(hang=True) if first <= 610 < first + top and top > 60 else service(asked)

    with reading(script) as (reader, server):
        assert keys_of(reader, odata_table(200, timeout=IMPATIENT)) == one_to(1000)
        assert reader.page_sizes == {"visits": 50}
    assert len(server.asked) < 30


def test_a_size_that_was_come_to_is_used_for_the_rest_of_the_list_at_once() -> None:
    service = ODataService(1600, counts=True)

    def script(asked: Asked) -> Answer:
        return service(asked) if asked.query["$skip"] == "0" or int(asked.query["$top"]) <= 200 else Answer(hang=True)

    with reading(script, connections=1) as (reader, server):
        assert keys_of(reader, odata_table(400, timeout=IMPATIENT)) == one_to(1600)
    assert tops(server) == [400, 400, *[200] * 6]


def test_a_link_that_does_not_come_is_asked_for_by_skip() -> None:
    service = ODataService(100, cap=60, links="skiptoken")

    def script(asked: Asked) -> Answer:
        return Answer(hang=True) if "$skiptoken" in asked.query else service(asked)

    with reading(script) as (reader, server):
        assert keys_of(reader, odata_table(200, timeout=IMPATIENT)) == one_to(100)
        assert reader.page_sizes == {"visits": 100}
    assert skips(server) == [0, 60, 60, 100]


def test_the_rest_of_a_page_that_does_not_come_is_asked_for_and_no_more() -> None:
    """Of the page from 200 the server gives 150, and does not answer to the link to the other 50."""
    service = ODataService(600, counts=True, cap=lambda offset: 150 if offset == 200 else 200, links="skiptoken")

    def script(asked: Asked) -> Answer:
        return Answer(hang=True) if "$skiptoken" in asked.query else service(asked)

    with reading(script) as (reader, server):
        assert keys_of(reader, odata_table(200, timeout=IMPATIENT)) == one_to(600)
    assert [int(asked.query["$top"]) for asked in server.asked if asked.query.get("$skip") == "350"] == [50]


def test_what_is_as_small_as_it_may_be_is_retried_as_it_is() -> None:
    slow = [Answer(hang=True), Answer(hang=True)]

    def script(asked: Asked) -> Answer:
        return slow.pop() if slow else ODataService(3)(asked)

    with reading(script) as (reader, server):
        assert keys_of(reader, odata_table(50, timeout=IMPATIENT)) == one_to(3)
        assert tops(server)[:3] == [50, 50, 50]
        assert reader.page_sizes == {}


def test_a_service_that_gives_no_page_of_any_size_leaves_the_size_as_it_was() -> None:
    with reading(lambda _: Answer(hang=True)) as (reader, server):
        with pytest.raises(TransientError, match="4 tries"):
            keys_of(reader, odata_table(200, timeout=IMPATIENT))
        assert reader.page_sizes == {}
    assert tops(server) == [200, 100, 50, 50, 50, 50]


def test_a_failure_that_has_nothing_to_do_with_the_size_is_retried_as_it_is() -> None:
    busy = [Answer(status=503), Answer(status=500), Answer(hang_up=True)]

    def script(asked: Asked) -> Answer:
        return busy.pop() if busy else ODataService(3, counts=True)(asked)

    with reading(script) as (reader, server):
        assert keys_of(reader, odata_table(200)) == one_to(3)
        assert tops(server) == [200] * 4
        assert reader.page_sizes == {}


@pytest.mark.parametrize("paging", [VALUE_LINKS, OFFSETS], ids=["links", "offsets"])
def test_an_endpoint_has_a_time_out_of_its_own_however_it_is_paged(paging) -> None:
    declared = table(VALUE, paging, timeout=IMPATIENT, lookup=Single())
    with reading(lambda _: json_answer({"value": []}, after=0.5)) as (reader, _):
        with pytest.raises(TransientError, match=r"no answer within 0\.2 s \(4x\)"):
            list(reader.read(declared))
        with pytest.raises(TransientError, match=r"no answer within 0\.2 s \(4x\)"):
            reader.find(declared, (1,))
        assert list(reader.read(table(VALUE, paging))) == []
    assert CLIENTS.endpoint.timeout is None
