import pytest

from etl_assets.readers.cancellation import CancellationToken, Cancelled
from etl_assets.readers.rest.rate_limit import RateLimiter, retry_after, seconds_until_reset

NOW = "Fri, 30 May 2025 12:00:00 GMT"
EPOCH = 1748606400


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("Fri, 30 May 2025 12:00:30 GMT", 30),
        ("Fri, 30 May 2025 12:01:00 -0000", 60),
        ("Fri, 30 May 2025 14:00:05 +0200", 5),
        ("Fri, 30 May 2025 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_the_wait_is_read_as_seconds_or_as_a_date_of_the_services_own_clock(header, seconds) -> None:
    assert retry_after({"Date": NOW} | ({} if header is None else {"Retry-After": header})) == seconds


@pytest.mark.parametrize(
    ("remaining", "reset", "seconds"),
    [
        ("0", "30", 30),
        ("0", f"{EPOCH + 45}", 45),
        ("0", f"{EPOCH - 45}", 0),
        ("0", "soon", None),
        ("0", None, None),
        ("1", "30", None),
        (None, "30", None),
    ],
)
def test_calls_are_allowed_again_in_seconds_or_at_a_moment(remaining, reset, seconds) -> None:
    headers = {"Date": NOW, "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": reset}
    assert seconds_until_reset({name: value for name, value in headers.items() if value is not None}) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Remaining": "0", "Interval-Milliseconds": "10000"}, 10, id="an interval that is used up"),
        pytest.param({"Remaining": "1", "Interval-Milliseconds": "10000"}, None, id="an interval that is not"),
        pytest.param({"Remaining": "0", "Interval-Milliseconds": "soon"}, None, id="an interval that is no number"),
        pytest.param({"Remaining": "9", "Daily-Remaining": "0"}, 43_200, id="a day that is used up, at noon"),
        pytest.param({"Remaining": "9", "Daily-Remaining": "1"}, None, id="a day that is not"),
    ],
)
def test_a_service_may_say_how_long_it_counts_and_not_until_when(headers, seconds) -> None:
    assert (
        seconds_until_reset({"Date": NOW} | {f"X-RateLimit-{name}": text for name, text in headers.items()}) == seconds
    )


def test_without_the_services_clock_ours_must_do() -> None:
    assert retry_after({"Retry-After": NOW}) == 0
    assert seconds_until_reset({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}) > 0


def test_a_pace_that_lets_nothing_out_is_none() -> None:
    with pytest.raises(ValueError, match="a pace of 0 calls"):
        RateLimiter(0)


def test_a_stop_ends_its_children_and_not_its_parent() -> None:
    parent = CancellationToken()
    early, other = parent.child(), parent.child()
    early.cancel()
    assert (early.is_cancelled, other.is_cancelled, parent.is_cancelled) == (True, False, False)
    parent.cancel()
    assert other.is_cancelled
    with pytest.raises(Cancelled):
        parent.child().child().wait(60)
