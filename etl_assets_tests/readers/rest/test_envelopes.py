import json
import time
from dataclasses import replace
from datetime import date

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from etl_assets.declare.document_reader import Document
from etl_assets.declare.rest import Window, fields
from etl_assets.errors import EtlError
from etl_assets.readers.rest import jsonb
from etl_assets.readers.rest.envelopes import EnvelopeParser
from etl_assets_tests.readers.rest.services import CLIENTS, SHIFTS

RECORDS = EnvelopeParser(CLIENTS)
DATED = EnvelopeParser(SHIFTS)
IN_UNIX_TIME_TOO = EnvelopeParser(replace(SHIFTS, load=Window(slice_by="startDateTime", allows_unix_time=True)))


def page(*records: bytes, reader: EnvelopeParser = RECORDS, **options):
    return reader.parse_page(
        b'{"meta": {"count": %d}, "data": [' % len(records) + b", ".join(records) + b"]}", **options
    )


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b"7", 7),
        (b'"7"', 7),
        (b'"007"', 7),
        (b"-7", -7),
        (b"9223372036854775807", 2**63 - 1),
        (b'"9223372036854775807"', 2**63 - 1),
        (b"9223372036854775808", None),
        (b'"9223372036854775808"', None),
        (b"99999999999999999999999999", None),
        (b"7.0", None),
        (b"7e0", None),
        (b"true", None),
        (b"null", None),
        (b'""', None),
        (b'" 7"', None),
        (b'"7a"', None),
        ('"\u0667"'.encode(), None),
        (b"[7]", None),
        (b'{"id": 7}', None),
    ],
)
def test_the_key_is_a_whole_number_or_its_digits(value, key) -> None:
    answer = page(b'{"id": ' + value + b"}", b'{"id": 1}')
    assert [document.key for document in answer.documents] == ([(1,)] if key is None else [(key,), (1,)])
    if key is None:
        (rejected,) = answer.rejected
        assert (rejected.key, rejected.position, rejected.field) == (None, 0, "id")
        assert rejected.reason == f"{value.decode()} is not a whole number that a bigint holds"
        assert rejected.raw == '{"id": ' + value.decode() + "}"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2025-05-30T23:00:00-04:00", date(2025, 5, 30)),
        ("2025-05-30", date(2025, 5, 30)),
        ("2024-02-29 00:00", date(2024, 2, 29)),
        ("2025-02-29", None),
        ("2025-W22-5", None),
        ("20250530", None),
        ("2025-5-30T", None),
        ("0000-00-00", None),
        ("30/05/2025", None),
        ("", None),
        (None, None),
        (1748577600, None),
    ],
)
def test_the_slice_is_the_date_that_its_field_begins_with(value, day) -> None:
    raw = json.dumps({"id": 7, "startDateTime": value}).encode()
    answer = page(raw, reader=DATED)
    if day:
        assert answer.documents == [Document((7,), day, raw)]
    else:
        (rejected,) = answer.rejected
        assert (rejected.key, rejected.field) == ((7,), "startDateTime")
        assert rejected.reason == f"{json.dumps(value)} is not a text that begins with YYYY-MM-DD"


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (1748577600, date(2025, 5, 30)),
        ("1748577600", date(2025, 5, 30)),
        (1748577600.5, date(2025, 5, 30)),
        (1748649599, date(2025, 5, 30)),
        (1748649600, date(2025, 5, 31)),
        ("2025-05-30T23:00:00-04:00", date(2025, 5, 30)),
        ("20250530", None),
        (20250530, None),
        (1748577600000, None),
        (-1748577600, None),
        (True, None),
        ("", None),
        ([1748577600], None),
        (None, None),
    ],
)
def test_the_slice_may_be_a_unix_time_where_the_table_says_so(value, day) -> None:
    raw = json.dumps({"id": 7, "startDateTime": value}).encode()
    answer = page(raw, reader=IN_UNIX_TIME_TOO)
    assert [document.slice for document in answer.documents] == ([day] if day else [])
    expected = "is not a text that begins with YYYY-MM-DD, or a Unix time in seconds"
    assert [each.reason for each in answer.rejected] == ([] if day else [f"{json.dumps(value)} {expected}"])


@pytest.mark.parametrize(
    ("raw", "field", "reason"),
    [
        (b"{}", "id", "it is missing"),
        (b'{"id": 7}', "startDateTime", "it is missing"),
        (b"[]", None, "it is no object"),
        (b"7", None, "it is no object"),
        (b"null", None, "it is no object"),
    ],
)
def test_what_is_no_record_is_told_as_what_it_is(raw, field, reason) -> None:
    (rejected,) = page(raw, reader=DATED).rejected
    assert (rejected.field, rejected.reason, rejected.raw) == (field, reason, raw.decode())


def test_a_long_record_is_cut_where_it_is_refused_and_whole_where_it_is_kept() -> None:
    kept, rejected = b'{"id": 7, "a": "%s"}' % (b"x" * 9000), b'{"id": "%s"}' % (b"x" * 9000)
    answer = page(kept, rejected)
    assert answer.documents[0].raw == kept
    assert len(answer.rejected[0].raw) < 2100
    assert len(answer.rejected[0].reason) < 120


def test_places_count_from_the_first_of_the_page() -> None:
    answer = page(b'{"id": 1}', b"{}", b'{"id": 3}', b"{}", first_position=40)
    assert [rejected.position for rejected in answer.rejected] == [41, 43]
    assert answer.first_key == (1,)
    assert answer.size == 4


def test_the_first_key_is_that_of_the_first_record_kept_or_not() -> None:
    assert page(b'{"id": 1, "a": "\\u0000"}', b'{"id": 2}').first_key == (1,)
    assert page(b"{}", b'{"id": 2}').first_key is None
    assert page().first_key is None


def test_a_nest_without_bottom_is_an_error_and_no_crash() -> None:
    with pytest.raises(RecursionError):
        page(b'{"id": 1, "a": ' + b"[" * 5000 + b"]" * 5000 + b"}")


REFUSED = [
    (rb'"\u0000"', jsonb.NUL_CHARACTER),
    (rb'"a\\\u0000"', jsonb.NUL_CHARACTER),
    (rb'{"\u0000": 1}', jsonb.NUL_CHARACTER),
    (rb'"\ud83d"', jsonb.LONE_SURROGATE),
    (rb'"\uD83D and more of it"', jsonb.LONE_SURROGATE),
    (rb'"\ude00"', jsonb.LONE_SURROGATE),
    (rb'"\ude00\ud83d"', jsonb.LONE_SURROGATE),
    (rb'"\ud83d\u0041"', jsonb.LONE_SURROGATE),
    (rb'"\ud83d\ud83d\ude00"', jsonb.LONE_SURROGATE),
    (rb'"\ud83d\\ude00"', jsonb.LONE_SURROGATE),
    (rb'"\\\ud83d"', jsonb.LONE_SURROGATE),
    (b'"\xff"', jsonb.INVALID_UTF8),
    (b'"\xed\xa0\xbd"', jsonb.INVALID_UTF8),
    (b'"\xc0\x80"', jsonb.INVALID_UTF8),
    (b'{"\xff": 1}', jsonb.INVALID_UTF8),
    (b"1e131072", jsonb.NUMBER_OVERFLOW),
    (b"-1E+400000", jsonb.NUMBER_OVERFLOW),
    (b"1.5e-16383", jsonb.NUMBER_OVERFLOW),
    (b"1e99999999999999999999999", jsonb.NUMBER_OVERFLOW),
]
KEPT = [
    rb'"\\u0000"',
    rb'"\\\\u0000"',
    rb'"\\ud83d"',
    rb'"\ud83d\ude00"',
    rb'"\uD83D\uDE00"',
    rb'"\u00e9\u0001"',
    rb'"\\\ud83d\ude00"',
    '"é😀\u2028\ufffe"'.encode(),
    b'"1e400000"',
    b'"deadbe0e00000123"',
    b'[1.0, "\\"1e400000"]',
    b"9.9e131071",
    b"1e-16383",
    b"12.50",
]


@pytest.mark.parametrize(("value", "reason"), REFUSED)
def test_what_jsonb_refuses_is_refused_alone(value, reason, connection) -> None:
    raw = b'{"id": 7, "value": ' + value + b"}"
    answer = page(b'{"id": 1}', raw, b'{"id": 3}')
    assert [document.raw for document in answer.documents] == [b'{"id": 1}', b'{"id": 3}']
    (rejected,) = answer.rejected
    assert (rejected.position, rejected.field, rejected.reason) == (1, None, reason)
    assert rejected.raw == raw.decode(errors="backslashreplace")
    if b"\xff" not in raw[:20] or b'"\xff": ' not in raw:
        assert rejected.key == (7,)
    assert not taken_by_postgresql(connection, raw), "else it would be rejected for nothing"


@pytest.mark.parametrize("value", KEPT)
def test_what_jsonb_takes_is_kept(value, connection) -> None:
    raw = b'{"id": 7, "value": ' + value + b"}"
    assert page(b'{"id": 1}', raw).documents[1:] == [Document((7,), None, raw)]
    assert page(b'{"id": 1, "a": "\\ud800 \\u0000"}', raw).documents == [Document((7,), None, raw)]
    assert taken_by_postgresql(connection, raw)


def taken_by_postgresql(connection: psycopg.Connection, raw: bytes) -> bool:
    """Whether a binary COPY, as the loader's, would take the record."""
    try:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("create temporary table taken (document jsonb) on commit drop")
            with cursor.copy("copy taken from stdin (format binary)") as copy:
                copy.set_types(["jsonb"])
                copy.write_row([Jsonb(raw, dumps=bytes)])
            cursor.execute("drop table taken")
    except psycopg.DataError:
        return False
    return True


ESCAPES = st.sampled_from(["\\u0000", "\\ud83d", "\\ude00", "\\\\", "\\n", "u0000", "d83d", "x", "é", "\\u00e9", "😀"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ESCAPES, max_size=8))
def test_what_is_refused_is_what_postgresql_refuses(connection, pieces) -> None:
    raw = ('{"id": 7, "a": "' + "".join(pieces) + '"}').encode()
    answer = page(b'{"id": 1}', raw, b'{"id": 2}')
    taken = connection.execute("select pg_input_is_valid(%s, 'jsonb')", (raw.decode(),)).fetchone()[0]
    assert [document.raw for document in answer.documents] == [b'{"id": 1}', *[raw] * taken, b'{"id": 2}']
    assert [rejected.raw for rejected in answer.rejected] == [raw.decode()] * (not taken)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"meta": {"count": 1}, "data": [{"id": 1}', id="cut off"),
        pytest.param(b'{"meta": {"count": 1}, "data": [{"id": 1}]} and more', id="more than JSON"),
        pytest.param(b'{"meta": {"count": 1}, "data": [{"id": 1, "a": "\\ud800"}', id="cut off, and half a pair"),
        pytest.param(b'{"meta": {"count": 1}, "data": [{"id": 01}]}', id="no JSON in a record"),
        pytest.param(b'{"meta": {"count": 1, "a": "\xff"}, "data": [{"id": 1}]}', id="no UTF-8 outside of the records"),
    ],
)
def test_a_broken_body_is_told_as_that(body) -> None:
    with pytest.raises(ValueError, match=r"malformed|truncated|UTF-8"):
        RECORDS.parse_page(body)


def test_records_are_the_services_own_bytes_where_half_a_pair_is_among_them() -> None:
    twin = b'{ "id":1 , "rate":12.50,"a":"\\ud83d"}'
    body = b'{"meta":{"count":3,"resource":{ "id":1 }},"data":\n[ { "id":1 },' + twin + b' ,{ "id":1 } ]}'
    answer = RECORDS.parse_page(body)
    assert [document.raw for document in answer.documents] == [b'{ "id":1 }'] * 2
    assert [rejected.raw for rejected in answer.rejected] == [twin.decode()]


def test_a_single_record_is_read_from_its_envelope() -> None:
    assert RECORDS.parse_single(b'{"meta": {}, "data": {"id": 7}}') == Document((7,), None, b'{"id": 7}')
    with pytest.raises(EtlError, match="clients: the answer is not of the form data"):
        RECORDS.parse_single(b"[]")
    with pytest.raises(msgspec.DecodeError):
        RECORDS.parse_single(b'{"data": {"id": 7}')


NO_JSON = [
    (b"NaN", jsonb.NOT_A_NUMBER),
    (b"-NaN", jsonb.NOT_A_NUMBER),
    (b"nan", jsonb.NOT_A_NUMBER),
    (b"-inf", jsonb.NOT_A_NUMBER),
    (b"[1, Infinity]", jsonb.NOT_A_NUMBER),
    (b'{"a": -Infinity}', jsonb.NOT_A_NUMBER),
    (b'"a raw \t tab"', jsonb.UNESCAPED),
    (b'"a raw \n line"', jsonb.UNESCAPED),
    (b'"a raw \x00"', jsonb.UNESCAPED),
    (rb'"O\'Neill"', jsonb.UNESCAPED),
    (rb'"\x41"', jsonb.UNESCAPED),
    (rb'"\u12"', jsonb.UNESCAPED),
]


@pytest.mark.parametrize(("value", "reason"), NO_JSON)
def test_what_is_no_json_costs_the_record_that_it_is_in(value, reason, connection) -> None:
    raw = b'{"id": 7, "value": ' + value + b', "name": "NaN \\" nan, inf"}'
    answer = page(b'{"id": 1}', raw, b'{"id": 3, "name": "NaN"}')
    assert [document.raw for document in answer.documents] == [b'{"id": 1}', b'{"id": 3, "name": "NaN"}']
    (rejected,) = answer.rejected
    assert (rejected.key, rejected.position, rejected.field, rejected.reason) == ((7,), 1, None, reason)
    assert rejected.raw == raw.decode()
    assert b"\0" in raw or not taken_by_postgresql(connection, raw), "else it would be rejected for nothing"


@pytest.mark.parametrize("key", [b"NaN", b"Infinity", b'"a\tb"', rb'"O\'Neill"'])
def test_a_key_that_is_no_json_is_no_key(key) -> None:
    reader = EnvelopeParser(replace(CLIENTS, key="code", fields=fields(text="code")))
    answer = page(b'{"code": "a"}', b'{"code": ' + key + b"}", reader=reader)
    assert [document.key for document in answer.documents] == [("a",)]
    assert [(rejected.key, rejected.position) for rejected in answer.rejected] == [(None, 1)]


def test_a_nan_beside_the_records_costs_none_and_is_no_count() -> None:
    body = b'{"meta": {"count": %s, "average": NaN}, "data": [{"id": 1, "rate": 12.50}]}'
    assert [document.raw for document in RECORDS.parse_page(body % b"1").documents] == [b'{"id": 1, "rate": 12.50}']
    with pytest.raises(EtlError, match="not of the form"):
        RECORDS.parse_page(body % b"NaN")


def test_what_is_no_json_is_as_slow_as_it_is_long() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=r"malformed|truncated"):
        RECORDS.parse_page(b'{"data": [' + b'"\\' * 500_000)
    assert time.monotonic() - began < 2
