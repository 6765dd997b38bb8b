"""Answers that cannot be read: how they begin is kept for the loader, and is in no message, representation or log."""

import json
import logging

import pytest

from etl_assets.declare.endpoints import OnePage, Single
from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.rest.client import RequestRejected
from etl_assets.readers.rest.unreadable import MAX_EXCERPT_BYTES, BrokenAnswer, Excerpt, UnreadableAnswer
from etl_assets_tests.readers.rest.calls import SECRET, everything_in, failed, service
from etl_assets_tests.readers.rest.odata_service import odata_table
from etl_assets_tests.readers.rest.shapes import VALUE, VALUE_LINKS, failure, reading, table
from etl_assets_tests.readers.rest.stand_in import Answer

PATIENT = b'{"patients": [{"id": 1, "name": "Doe", "ssn": "123-45-6789"}'
OTHER_FORM = PATIENT + b"]}"


def revealed(error: EtlError) -> bytes:
    assert isinstance(error, UnreadableAnswer)
    assert error.excerpt is not None
    return error.excerpt.reveal()


@pytest.mark.parametrize(
    "declared",
    [odata_table(), table(VALUE, VALUE_LINKS), table(Single(at="item"), OnePage())],
    ids=["OData", "an object", "a record"],
)
def test_an_answer_of_another_form_is_kept(declared) -> None:
    error = failure(lambda _: Answer(body=OTHER_FORM), declared)
    assert not isinstance(error, TransientError)
    assert revealed(error) == OTHER_FORM


@pytest.mark.parametrize("body", [PATIENT, b"<html>Doe 123-45-6789", b'{"Doe": "\xff 123-45-6789", "value": []}'])
def test_an_answer_that_is_broken_at_every_attempt_is_kept(body) -> None:
    error = failure(lambda _: Answer(body=body), odata_table())
    assert isinstance(error, BrokenAnswer)
    assert isinstance(error, TransientError)
    assert "4 tries" in str(error)
    assert revealed(error) == body


def test_a_nest_without_bottom_is_kept() -> None:
    body = b'{"value": [{"id": 1, "a": ' + b"[" * 5000 + b"]" * 5000 + b"}]}"
    error = failure(lambda _: Answer(body=body), odata_table())
    assert not isinstance(error, TransientError)
    assert revealed(error) == body[:MAX_EXCERPT_BYTES]


def test_a_record_s_own_answer_is_kept_too() -> None:
    declared = table(VALUE, VALUE_LINKS, lookup=Single(at="item"))
    with reading(lambda _: Answer(body=OTHER_FORM)) as (reader, _), pytest.raises(UnreadableAnswer) as raised:
        reader.find(declared, (1,))
    assert revealed(raised.value) == OTHER_FORM


@pytest.mark.parametrize("body", [OTHER_FORM, PATIENT], ids=["another form", "broken"])
def test_nothing_of_it_is_in_a_message_a_representation_or_the_log(body, caplog) -> None:
    caplog.set_level(logging.DEBUG, logger="etl_assets")
    error = failure(lambda _: Answer(body=body), odata_table())
    assert b"Doe" in revealed(error)
    everything = everything_in(error) + caplog.text + repr(error.excerpt) + str(error.excerpt)
    assert "Doe" not in everything
    assert "6789" not in everything
    assert "Excerpt(" in everything


def test_no_more_is_kept_than_its_beginning_and_no_secret() -> None:
    body = f'{{"key": "{SECRET}", "text": "'.encode() + b"x" * 10_000 + b'"}'
    kept = revealed(failure(lambda _: Answer(body=body), odata_table()))
    assert MAX_EXCERPT_BYTES - len(SECRET) < len(kept) <= MAX_EXCERPT_BYTES
    assert kept.startswith(b'{"key": "***", "text": "xxx')


@pytest.mark.parametrize("begin", [MAX_EXCERPT_BYTES - 7, MAX_EXCERPT_BYTES + 4096 - 7, 0])
def test_half_a_secret_is_not_kept(begin) -> None:
    text = "x" * begin + SECRET * (500 if begin == 0 else 1) + "y" * 10_000
    kept = Excerpt(text.encode(), [SECRET]).reveal().decode()
    assert SECRET[:4] not in kept
    assert len(kept) <= MAX_EXCERPT_BYTES


def test_bytes_that_are_no_text_are_kept_as_they_came() -> None:
    assert Excerpt(b"\xff\x00\xfe\xe9").reveal() == b"\xff\x00\xfe\xe9"


def test_what_may_hold_credentials_is_not_kept() -> None:
    for body in (b'{"access_token": "', b"[" * 5000 + b"]" * 5000):
        with service(lambda _, body=body: Answer(body=body)) as (client, _), pytest.raises(EtlError) as raised:
            client.post("token", {"password": SECRET}, parse=json.loads)
        assert getattr(raised.value, "excerpt", None) is None
        assert "access_token" not in everything_in(raised.value)


@pytest.mark.parametrize("answer", [Answer(status=503, body=b"Doe"), Answer(hang_up=True), Answer(status=403)])
def test_a_failure_without_an_answer_to_be_read_is_no_such_error(answer) -> None:
    error, _ = failed(answer)
    assert isinstance(error, TransientError | RequestRejected)
    assert not isinstance(error, UnreadableAnswer)
