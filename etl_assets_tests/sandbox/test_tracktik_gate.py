"""Who is let in, and how often."""

import time
from collections.abc import Iterator

import pytest
import requests

from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import Service, serve
from etl_assets_tests.sandbox.test_tracktik_service import Caller


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(periods=1, shifts_a_day=10)


@pytest.fixture
def service(company: Company) -> Iterator[Service]:
    with serve(company) as service:
        yield service


@pytest.fixture
def caller(service: Service) -> Iterator[Caller]:
    with Caller(service) as caller:
        yield caller


def test_a_token_is_given_for_the_right_words(caller: Caller) -> None:
    assert caller.tokens["expires_in"] == 3600
    assert {"access_token", "refresh_token", "token_type"} < set(caller.tokens)
    assert caller.get("regions").status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "field"),
    [
        pytest.param({"scope": "basic"}, 400, "scope", id="a scope is refused"),
        pytest.param({"grant_type": "client_credentials"}, 400, "grant_type", id="another grant"),
        pytest.param({"password": "wrong"}, 401, None, id="a wrong password"),
        pytest.param({"client_secret": "wrong"}, 401, None, id="a wrong secret"),
        pytest.param({"grant_type": "refresh_token", "refresh_token": "x"}, 401, "refresh_token", id="no such token"),
        pytest.param({"grant_type": "refresh_token"}, 401, "refresh_token", id="nothing to refresh"),
    ],
)
def test_what_the_token_endpoint_refuses(caller: Caller, form: dict[str, str], status: int, field: str | None) -> None:
    response = caller.token(**form)
    assert response.status_code == status
    assert response.json()["error"].get("field") == field


def test_a_word_that_is_missing_is_named(caller: Caller) -> None:
    form = {"grant_type": "password", **caller.words}
    del form["client_id"]
    response = requests.post(f"{caller.url}/oauth2/access_token", data=form, timeout=20)
    assert (response.status_code, response.json()["error"]["field"]) == (400, "client_id")


def test_tokens_are_also_given_out_above_the_base(caller: Caller) -> None:
    url = caller.url.removesuffix("/v1") + "/oauth2/access_token"
    assert requests.post(url, data={"grant_type": "password", **caller.words}, timeout=20).status_code == 200


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic c2FuZGJveA=="])
def test_without_a_good_token_nobody_is_let_in(caller: Caller, header: str | None) -> None:
    response = requests.get(f"{caller.url}/regions", headers={"Authorization": header} if header else {}, timeout=20)
    assert response.status_code == 401
    assert response.json()["error"]["status"] == 401


def test_a_refresh_token_is_good_once(caller: Caller) -> None:
    refresh = {"grant_type": "refresh_token", "refresh_token": caller.tokens["refresh_token"]}
    first = caller.token(**refresh)
    assert first.status_code == 200
    assert first.json()["access_token"] != caller.tokens["access_token"]
    assert caller.token(**refresh).status_code == 401
    assert caller.token(**{**refresh, "refresh_token": first.json()["refresh_token"]}).status_code == 200
    caller.session.headers["Authorization"] = f"Bearer {first.json()['access_token']}"
    assert caller.get("regions").status_code == 200


def test_a_token_ends(company: Company) -> None:
    with serve(company, token_seconds=1.2) as service, Caller(service) as caller:
        assert caller.get("regions").status_code == 200
        time.sleep(1.3)
        assert caller.get("regions").status_code == 401
        refreshed = caller.token(grant_type="refresh_token", refresh_token=caller.tokens["refresh_token"])
        caller.session.headers["Authorization"] = f"Bearer {refreshed.json()['access_token']}"
        assert caller.get("regions").status_code == 200


def test_calls_are_counted_by_the_minute(company: Company) -> None:
    with serve(company, calls_per_minute=3, minute_seconds=2.0) as service, Caller(service) as caller:
        answers = [caller.get("regions") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
        assert 0 <= int(answers[0].headers["X-RateLimit-Reset"]) - time.time() + 2 < 6
        assert answers[3].headers["Retry-After"] in ("1", "2")
        time.sleep(2.05)
        assert caller.get("regions").status_code == 200


def test_without_a_limit_no_header_tells_of_one(caller: Caller) -> None:
    assert not [name for name in caller.get("regions").headers if name.lower().startswith("x-ratelimit")]


def test_every_answer_takes_as_long_as_is_asked_for(company: Company) -> None:
    with serve(company, latency=0.2) as service, Caller(service) as caller:
        began = time.monotonic()
        caller.get("regions")
        assert 0.2 <= time.monotonic() - began < 1.5


def test_a_port_can_be_chosen_and_is_free_again_afterwards(company: Company) -> None:
    with serve(company) as service:
        port = int(service.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            serve(company, port=port)
    with serve(company, port=port) as again, Caller(again) as caller:
        assert caller.get("regions").status_code == 200
