"""What a rejection says of a list: that there is no such endpoint, that it is not licensed, or something else."""

import pytest

from etl_assets.errors import TransientError
from etl_assets.readers.rest.client import RequestRejected
from etl_assets_tests.readers.rest.odata_service import odata_table
from etl_assets_tests.readers.rest.shapes import failure, reading
from etl_assets_tests.readers.rest.stand_in import Answer


@pytest.mark.parametrize(
    ("status", "is_not_offered", "is_unlicensed"),
    [
        (404, True, False),
        (410, True, False),
        (405, True, False),
        (501, False, True),
        (400, False, False),
        (401, False, False),
        (403, False, False),
        (451, False, False),
        (505, False, False),
    ],
)
@pytest.mark.parametrize("body", [b'{"message": "no"}', b"<html>no</html>", b""], ids=["JSON", "HTML", "nothing"])
def test_a_rejection_tells_an_endpoint_that_is_not_there_from_one_that_is_not_licensed(
    status, is_not_offered, is_unlicensed, body
) -> None:
    error = failure(lambda _: Answer(status=status, body=body), odata_table())
    assert isinstance(error, RequestRejected)
    assert (error.is_not_offered, error.is_unlicensed) == (is_not_offered, is_unlicensed)


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_an_endpoint_that_is_not_there_is_asked_for_once(status) -> None:
    with reading(lambda _: Answer(status=status)) as (reader, server):
        with pytest.raises(RequestRejected) as raised:
            list(reader.read(odata_table()))
        assert not isinstance(raised.value, TransientError)
        assert len(server.asked) == 1
