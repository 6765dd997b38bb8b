import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest

from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.cancellation import Cancelled
from etl_assets.readers.rest import client as http_client
from etl_assets.readers.rest.client import HttpClient, NotFound, RateLimiter, RequestRejected, RetryPolicy
from etl_assets_tests.readers.rest.calls import GOOD, QUICK, failed, get, service
from etl_assets_tests.readers.rest.stand_in import Answer, StandIn, http_date, in_turn, json_answer, stand_in, zipped

HTML = Answer(body=b"<html><body><h1>Sign in</h1></body></html>", headers={"Content-Type": "text/html"})


def gaps(server: StandIn) -> list[float]:
    return [after - before for before, after in pairwise(server.times())]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=500), id="500"),
        pytest.param(Answer(status=502), id="502"),
        pytest.param(Answer(status=503), id="503"),
        pytest.param(Answer(status=504), id="504"),
        pytest.param(Answer(status=429), id="429"),
        pytest.param(Answer(status=408), id="408"),
        pytest.param(Answer(status=425), id="425"),
        pytest.param(Answer(hang_up=True), id="no answer at all"),
        pytest.param(Answer(hang=True), id="no answer in time"),
        pytest.param(Answer(body=b'{"a": 1}' * 100, cut_at=8), id="a body cut off where it would be valid"),
        pytest.param(Answer(body=b'{"a": 1'), id="broken JSON"),
        pytest.param(Answer(body=b'{"a": "\xff"}'), id="no UTF-8"),
        pytest.param(Answer(body=b""), id="nothing"),
        pytest.param(HTML, id="a page for people"),
        pytest.param(Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}), id="broken gzip"),
        pytest.param(
            Answer(body=zipped({"a": 1}).body[:-12], headers={"Content-Encoding": "gzip"}), id="gzip without its end"
        ),
    ],
)
def test_what_may_pass_is_tried_again(answer) -> None:
    with service(in_turn(answer, answer, GOOD)) as (client, server):
        assert get(client) == {"a": 1}
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 410, 418, 422, 451, 501, 505])
def test_what_will_not_pass_fails_at_once_and_says_what_the_service_says(status) -> None:
    error, server = failed(json_answer({"message": "Unknown field startDate"}, status=status), GOOD)
    assert len(server.asked) == 1
    assert isinstance(error, RequestRejected)
    assert not isinstance(error, TransientError)
    assert isinstance(error, NotFound) == (status in {404, 410})
    assert error.status == status
    assert f"GET shifts: the service refused it with {status}" in str(error)
    assert "Unknown field startDate" in str(error)


def test_the_status_counts_where_its_words_are_cut_off() -> None:
    error, server = failed(Answer(status=403, body=b"not for you" * 100, cut_at=8), GOOD)
    assert isinstance(error, RequestRejected)
    assert error.status == 403
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    ("body", "kind", "is_own"),
    [
        pytest.param(b'{"message": "no such shift"}', "application/json", True, id="JSON"),
        pytest.param(b'\xef\xbb\xbf{"message": "no such shift"}', "text/json", True, id="JSON behind a mark"),
        pytest.param(b"", "application/problem+json", True, id="nothing, as JSON"),
        pytest.param(b"<html><body>Not Found</body></html>", "text/html", False, id="a page of a gateway"),
        pytest.param(b"<html>Not Found</html>", "application/json", False, id="a page that passes for JSON"),
        pytest.param(b"404 page not found", "text/plain", False, id="plain text"),
        pytest.param(b"", "text/html", False, id="nothing"),
        pytest.param(b"[" * 5000, "application/json", False, id="a nest without bottom"),
    ],
)
def test_only_the_service_s_own_answer_says_that_something_is_not_there(status, body, kind, is_own) -> None:
    error, server = failed(Answer(status=status, body=body, headers={"Content-Type": kind}), GOOD)
    assert isinstance(error, RequestRejected)
    assert error.status == status
    assert isinstance(error, NotFound) == is_own
    assert len(server.asked) == 1


def test_a_byte_order_mark_is_no_part_of_an_answer() -> None:
    with service(in_turn(Answer(body=b'\xef\xbb\xbf{"a": 1}'))) as (client, server):
        # Python's json would pass over it too.
        assert client.get("shifts", parse=bytes) == b'{"a": 1}'
        assert client.post("token", {}, parse=bytes) == b'{"a": 1}'
        assert len(server.asked) == 2


def test_words_of_the_service_are_cut_to_a_length_and_rid_of_tags() -> None:
    error, _ = failed(Answer(status=400, body=b"<html><p>Bad\x00\r\n  <b>field</b></p>" + b"x" * 5000))
    assert "400 Bad Request: Bad field xxx" in str(error)
    assert len(str(error)) < 400


def test_giving_up_says_what_was_tried_how_often_and_for_how_long() -> None:
    error, server = failed(Answer(status=503, body=b"maintenance"), Answer(hang_up=True), Answer(status=503))
    assert isinstance(error, TransientError)
    assert len(server.asked) == 4
    message = str(error)
    assert message.startswith("GET shifts: given up after 4 tries in 0.")
    assert "503 Service Unavailable: maintenance (1x)" in message
    assert "503 Service Unavailable (2x)" in message
    assert "RemoteDisconnected: Remote end closed connection without response (1x)" in message


def test_a_time_out_is_told_as_one() -> None:
    error, _ = failed(Answer(hang=True))
    assert "no answer within 0.2 s (4x)" in str(error)


def test_patience_ends_before_the_attempts_where_it_is_short() -> None:
    retry_policy = RetryPolicy(
        max_attempts=1000, initial_backoff=timedelta(milliseconds=50), total_timeout=timedelta(milliseconds=300)
    )
    error, server = failed(Answer(status=500), retry_policy=retry_policy)
    assert isinstance(error, TransientError)
    assert 2 <= len(server.asked) <= 4
    assert server.times()[-1] - server.times()[0] < 0.3


def test_the_wait_doubles_up_to_its_longest() -> None:
    retry_policy = RetryPolicy(
        max_attempts=5,
        initial_backoff=timedelta(milliseconds=40),
        max_backoff=timedelta(milliseconds=100),
        total_timeout=QUICK.total_timeout,
    )
    _, server = failed(Answer(status=500), retry_policy=retry_policy)
    for gap, wait in zip(gaps(server), [0.04, 0.08, 0.1, 0.1], strict=True):
        assert wait <= gap < wait + 0.04 + 0.15


def test_threads_that_failed_together_do_not_come_back_together() -> None:
    retry_policy = RetryPolicy(max_attempts=2, initial_backoff=timedelta(seconds=0.5))
    together = in_turn(*[Answer(status=500, after=0.05)] * 8, GOOD)
    with service(together, retry_policy=retry_policy) as (client, server), ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: get(client), range(8)))
    back = server.times()[8:]
    assert back[-1] - back[0] > 0.05


def test_a_refused_connection_is_tried_again_and_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (
        HttpClient(url, retry_policy=QUICK) as client,
        pytest.raises(TransientError, match=r"Connection refused.*\(4x\)"),
    ):
        get(client)
    retry_policy = RetryPolicy(
        max_attempts=50, initial_backoff=timedelta(milliseconds=20), max_backoff=timedelta(milliseconds=20)
    )
    with HttpClient(url, retry_policy=retry_policy) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(get, client)
        time.sleep(0.1)
        with stand_in(in_turn(GOOD), port=port):
            assert answer.result() == {"a": 1}


def test_where_nobody_was_there_the_next_calls_are_made_once_until_one_gets_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with HttpClient(f"http://127.0.0.1:{port}", retry_policy=QUICK) as client:
        for tries in ("4 tries", "1 try"):
            with pytest.raises(TransientError, match=rf"after {tries}.*Connection refused"):
                get(client)
        last = Answer(body=GOOD.body, headers={"Connection": "close"})
        with stand_in(in_turn(Answer(status=503), last), port=port):
            assert get(client) == {"a": 1}  # one that is there is asked again, as ever
        with pytest.raises(TransientError, match=r"after 4 tries.*Connection refused"):
            get(client)


def test_a_connection_that_is_not_made_in_time_is_told_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        client = HttpClient(f"http://127.0.0.1:{full.getsockname()[1]}", retry_policy=QUICK)
        with client, pytest.raises(TransientError, match=r"no connection within 0.2 s \(4x\)"):
            get(client)
        for each in waiting:
            each.close()


def test_an_answer_without_end_is_given_up() -> None:
    retry_policy = RetryPolicy(read_timeout=timedelta(seconds=5), max_attempts=2, total_timeout=timedelta(seconds=0.4))
    error, _ = failed(Answer(body=b" " * 60, drip=0.05), retry_policy=retry_policy)
    assert isinstance(error, TransientError)
    assert "the answer has no end" in str(error)


def test_an_answer_beyond_all_measure_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(http_client, "MAX_BODY_BYTES", 1000)
    error, server = failed(zipped("x" * 5000))
    assert not isinstance(error, TransientError)
    assert "larger than" in str(error)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "asked", [pytest.param(lambda: "1", id="seconds"), pytest.param(lambda: http_date(2), id="date")]
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_is_asked_for_is_kept(status, asked) -> None:
    def script(_) -> Answer:
        return Answer(status=status, headers={"Retry-After": asked()}) if len(server.asked) == 1 else GOOD

    with service(script) as (client, server):
        assert get(client) == {"a": 1}
        assert 0.95 < gaps(server)[0] < 2.5


def test_a_wait_beyond_all_patience_is_not_begun() -> None:
    error, server = failed(Answer(status=429, headers={"Retry-After": "3600"}))
    assert isinstance(error, TransientError)
    assert len(server.asked) == 1
    assert "3,600 s of quiet asked" in str(error)


@pytest.mark.parametrize(
    "reset",
    [pytest.param(lambda: "1", id="seconds from now"), pytest.param(lambda: str(time.time() + 1.9), id="epoch")],
)
def test_all_threads_are_quiet_until_calls_are_allowed_again(reset) -> None:
    def script(_) -> Answer:
        used_up = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset()}
        return json_answer({}, headers=used_up if len(server.asked) == 1 else {"X-RateLimit-Remaining": "9"})

    with service(script) as (client, server):
        get(client)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: get(client), range(4)))
        assert gaps(server)[0] > 0.85
        assert server.times()[-1] - server.times()[1] < 0.5


def test_calls_that_are_left_are_made_without_a_wait() -> None:
    left = json_answer({}, headers={"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "60"})
    with service(in_turn(left)) as (client, server):
        get(client)
        get(client)
        assert gaps(server)[0] < 0.5


def test_a_reset_beyond_all_patience_is_not_waited_for() -> None:
    used_up = json_answer({}, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "3600"})
    with service(in_turn(used_up)) as (client, server):
        get(client)
        with pytest.raises(TransientError, match=r"asks for 3,600 s of quiet; it is waited for 5 s at most"):
            get(client)
        assert len(server.asked) == 1


def test_the_pace_is_kept_over_all_threads_as_the_service_counts_it() -> None:
    per = 0.4
    with service(in_turn(json_answer({}, after=0.02)), rate_limiter=RateLimiter(5, timedelta(seconds=per))) as (
        client,
        server,
    ):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: get(client), range(17)))
        times = server.times()
        assert len(times) == 17
        assert all(sixth - first >= per for first, sixth in zip(times, times[5:], strict=False))
        assert times[4] - times[0] < per / 2, "what is allowed at once goes out at once"
        assert times[-1] - times[0] < 3 * per + 1, "no longer than it must"


def test_waiting_its_turn_does_not_cost_a_call_its_patience() -> None:
    retry_policy = RetryPolicy(
        max_attempts=2, initial_backoff=timedelta(milliseconds=1), total_timeout=timedelta(milliseconds=300)
    )
    with service(
        in_turn(GOOD, Answer(status=500), GOOD),
        retry_policy=retry_policy,
        rate_limiter=RateLimiter(1, timedelta(seconds=0.5)),
    ) as (
        client,
        _,
    ):
        get(client)
        assert get(client) == {"a": 1}


def test_the_reader_of_a_body_may_say_that_it_is_no_use_at_all() -> None:
    def read(_: bytes) -> None:
        raise EtlError("no count")

    with service(in_turn(GOOD)) as (client, server):
        with pytest.raises(EtlError, match="no count"):
            client.get("shifts", parse=read)
        assert len(server.asked) == 1


def test_a_call_is_what_was_asked_for() -> None:
    with service(in_turn(zipped({"a": 1})), headers={"Accept": "application/vnd.x+json"}) as (client, server):
        asked = {"startDateTime:between": "2025-05-01|2025-05-31", "include": "a,b"}
        assert get(client, parameters=asked, headers={"TTC-Region-Filter": "7"}) == {"a": 1}
        assert client.post("/token", {"grant": "x y&z"}, parse=json.loads) == {"a": 1}
    first, second = server.asked
    assert (first.method, first.path, first.query) == ("GET", "/shifts", asked)
    assert first.headers["User-Agent"].startswith("etl-assets")
    assert first.headers["Accept"] == "application/vnd.x+json"
    assert first.headers["TTC-Region-Filter"] == "7"
    assert (second.method, second.path, second.form) == ("POST", "/token", {"grant": "x y&z"})
    assert first.connection == second.connection, "connections are kept open"


def test_no_cookie_is_kept() -> None:
    with service(in_turn(json_answer({}, headers={"Set-Cookie": "session=1"}))) as (client, server):
        get(client)
        get(client)
    assert "Cookie" not in server.asked[1].headers


UNAVAILABLE = Answer(status=503, headers={"Retry-After": "60"})
USED_UP = json_answer({}, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"})


@pytest.mark.parametrize(
    ("answer", "options"),
    [
        pytest.param(UNAVAILABLE, lambda: {"retry_policy": RetryPolicy()}, id="for another try"),
        pytest.param(GOOD, lambda: {"rate_limiter": RateLimiter(1)}, id="for its turn"),
        pytest.param(USED_UP, lambda: {"retry_policy": RetryPolicy()}, id="for the end of the quiet"),
    ],
)
@pytest.mark.parametrize("how", ["close", "stop"])
def test_a_thread_that_waits_ends_when_nobody_waits_for_it(answer, options, how) -> None:
    with service(in_turn(answer), **options()) as (client, server):
        cancellation = client.cancellation.child()

        def ask_for_ever() -> None:
            while True:
                get(client, cancellation=cancellation)

        with ThreadPoolExecutor(1) as threads:
            asking = threads.submit(ask_for_ever)
            while not server.asked:
                time.sleep(0.01)
            time.sleep(0.1)
            began = time.monotonic()
            (client.close if how == "close" else cancellation.cancel)()
            assert isinstance(asking.exception(timeout=5), Cancelled)
            assert time.monotonic() - began < 0.5
        assert len(server.asked) == 1
        if how == "stop":
            client.cancellation.check()


@pytest.mark.parametrize("how", ["close", "stop"])
def test_an_answer_that_nobody_waits_for_is_not_read_to_its_end(how) -> None:
    with service(in_turn(Answer(body=b" " * 200, drip=0.02))) as (client, _), ThreadPoolExecutor(1) as threads:
        cancellation = client.cancellation.child()
        reading = threads.submit(get, client, cancellation=cancellation)
        time.sleep(0.2)
        (client.close if how == "close" else cancellation.cancel)()
        assert isinstance(reading.exception(timeout=1), Cancelled)


def test_a_closed_client_sends_nothing_more() -> None:
    with stand_in(in_turn(GOOD)) as server:
        client = HttpClient(server.url)
        client.close()
        client.close()
        with pytest.raises(Cancelled):
            get(client)
        assert server.asked == []


def test_many_threads_share_one_client() -> None:
    with service(in_turn(json_answer({}, after=0.05)), connections=8) as (client, server):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: get(client), range(32)))
        assert server.most_at_once == 8
        assert len({asked.connection for asked in server.asked}) == 8
    assert threading.active_count() < 20
