import html
import itertools
import json
import logging
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import quote, quote_plus

import pytest

from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.rest import responses
from etl_assets.readers.rest.client import HttpClient, RequestRejected
from etl_assets.readers.rest.oauth import PasswordGrant
from etl_assets.readers.rest.responses import redact
from etl_assets_tests.readers.rest.calls import QUICK, everything_in, get
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, json_answer, stand_in

WORDS = {
    "client_id": "client-id-7",
    "client_secret": "s3cret&of the=client",
    "username": "reader@example.com",
    "password": "pass word/+%",
}


class Office:
    """A service with tokens: gives them out, and lets in who has the newest."""

    def __init__(self, *, expires_in: object = 3600, after: float = 0.0) -> None:
        self.expires_in = expires_in
        self.after = after
        self.grants: Counter[str] = Counter()
        self.tokens: list[str] = []
        self.refresh: str | None = None
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.refreshes = True
        self.gives_refresh = True
        self.lets_in = True
        self.together: threading.Barrier | None = None
        """Refuses so many calls at once."""
        self.says: list[Answer] = []
        """What the token endpoint says first, instead."""

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/rest/oauth2/access_token":
            return self.give(asked)
        with self.lock:
            known = self.tokens and asked.headers.get("Authorization") == f"Bearer {self.tokens[-1]}"
        if known and self.lets_in:
            return json_answer({"a": 1})
        if self.together:
            self.together.wait(timeout=20)
        return json_answer({"error": "expired"}, status=401)

    def give(self, asked: Asked) -> Answer:
        form = dict(asked.form)
        with self.lock:
            self.grants[form.pop("grant_type")] += 1
            if self.says:
                return self.says.pop(0)
            client = {name: WORDS[name] for name in ("client_id", "client_secret")}
            known = [WORDS, {**client, "refresh_token": self.refresh} if self.refreshes else None]
            if asked.method != "POST" or "Authorization" in asked.headers or form not in known:
                return json_answer({"error": "invalid_grant", "you_sent": form}, status=400)
            number = next(self.numbers)
            self.tokens.append(f"access-token-{number}")
            if self.gives_refresh:
                self.refresh = f"refresh-token-{number}"
            token = {"access_token": self.tokens[-1], "expires_in": self.expires_in}
            return json_answer(
                token | ({"refresh_token": self.refresh} if self.gives_refresh else {}), after=self.after
            )

    def forget(self) -> None:
        """No token lets in any more."""
        self.tokens.append("none")


@contextmanager
def let_in(office: Office, **options):
    grant = PasswordGrant(**{**WORDS, "env_prefix": "ETL_TRACKTIK", **options})
    with stand_in(office) as server, HttpClient(f"{server.url}/rest", auth=grant, retry_policy=QUICK) as client:
        yield client, server


def test_a_token_is_had_by_the_password_and_used_until_it_ends() -> None:
    office = Office()
    with let_in(office) as (client, server):
        for _ in range(3):
            assert get(client) == {"a": 1}
    assert office.grants == {"password": 1}
    assert server.asked[0].form == {**WORDS, "grant_type": "password"}, "and no scope"
    assert server.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("expires_in", [0.6, "0.6"])
def test_a_token_is_renewed_before_it_ends(expires_in) -> None:
    office = Office(expires_in=expires_in)
    with let_in(office) as (client, server):
        get(client)
        get(client)
        assert office.grants == {"password": 1}
        time.sleep(0.55)
        get(client)
    assert office.grants == {"password": 1, "refresh_token": 1}
    assert server.asked[3].form == {
        "client_id": WORDS["client_id"],
        "client_secret": WORDS["client_secret"],
        "grant_type": "refresh_token",
        "refresh_token": "refresh-token-1",
    }
    assert len(server.asked) == 5, "no call was refused"


def test_the_margin_is_kept_where_a_token_lives_long() -> None:
    office = Office(expires_in=3600)
    with let_in(office, margin=timedelta(seconds=10)) as (client, _):
        get(client)
        get(client)
        assert office.grants == {"password": 1}
    office = Office(expires_in=10)
    with let_in(office, margin=timedelta(seconds=60)) as (client, _):
        get(client)
        get(client)
        assert office.grants == {"password": 1}, "a margin longer than the life would renew at every call"


@pytest.mark.parametrize("expires_in", [None, 0])
def test_a_token_that_does_not_say_its_end_is_used_until_it_is_refused(expires_in) -> None:
    office = Office(expires_in=expires_in)
    with let_in(office) as (client, _):
        get(client)
        get(client)
        assert office.grants == {"password": 1}
        office.forget()
        get(client)
    assert office.grants == {"password": 1, "refresh_token": 1}


def test_a_token_that_is_refused_in_mid_run_is_renewed_and_the_call_repeated() -> None:
    office = Office()
    with let_in(office) as (client, server):
        get(client)
        office.forget()
        assert get(client) == {"a": 1}
    assert office.grants == {"password": 1, "refresh_token": 1}
    assert [asked.headers.get("Authorization") for asked in server.asked if asked.method == "GET"] == [
        "Bearer access-token-1",
        "Bearer access-token-1",
        "Bearer access-token-2",
    ]


def test_a_second_refusal_in_a_row_is_final() -> None:
    office = Office()
    with let_in(office) as (client, server):
        office.lets_in = False
        with pytest.raises(RequestRejected) as raised:
            get(client)
    assert raised.value.status == 401
    assert not isinstance(raised.value, TransientError)
    assert len([asked for asked in server.asked if asked.method == "GET"]) == 2
    assert office.grants.total() == 2


def test_a_refused_refresh_falls_back_to_the_password() -> None:
    office = Office()
    with let_in(office) as (client, _):
        get(client)
        office.refreshes = False
        office.forget()
        assert get(client) == {"a": 1}
        assert office.grants == {"password": 2, "refresh_token": 1}
        office.forget()
        office.refreshes = True
        get(client)
    assert office.grants == {"password": 2, "refresh_token": 2}


def test_a_refresh_token_is_kept_until_there_is_another_and_dropped_when_it_is_refused() -> None:
    office = Office()
    with let_in(office) as (client, _):
        get(client)
        office.gives_refresh = False
        for refreshed in (1, 2):
            office.forget()
            get(client)
            assert office.grants == {"password": 1, "refresh_token": refreshed}
        office.refreshes = False
        for by_password in (2, 3):
            office.forget()
            get(client)
            assert office.grants == {"password": by_password, "refresh_token": 3}


def test_many_threads_renew_a_refused_token_once() -> None:
    office = Office(after=0.1)
    with let_in(office) as (client, server):
        get(client)
        office.forget()
        office.together = threading.Barrier(8)
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda _: get(client), range(8))) == [{"a": 1}] * 8
    assert office.grants == {"password": 1, "refresh_token": 1}
    rejected = [asked for asked in server.asked if asked.headers.get("Authorization") == "Bearer access-token-1"]
    assert len(rejected) == 1 + 8


def test_many_threads_get_their_first_token_once() -> None:
    office = Office(after=0.1)
    with let_in(office) as (client, _), ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: get(client), range(8)))
    assert office.grants == {"password": 1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            json_answer({"error": "invalid_client", "seen": WORDS}, status=401), "401 invalid_client", id="401"
        ),
        pytest.param(json_answer({"error": "invalid_grant"}, status=400), "400 invalid_grant", id="400"),
        pytest.param(Answer(status=400, body=b"no such user"), "(400)", id="400 without a code"),
    ],
)
def test_wrong_credentials_say_where_to_look_and_are_tried_once(answer, reason, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    office = Office()
    office.says = [answer] * 10
    errors = []
    with let_in(office) as (client, _):

        def ask(_: int) -> None:
            try:
                get(client)
            except EtlError as error:
                errors.append(error)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(ask, range(4)))
    assert len(errors) == 4
    assert office.grants == {"password": 1}, "a few wrong passwords would lock the user out"
    for error in errors:
        assert not isinstance(error, TransientError)
        assert reason in str(error)
        names = (
            "ETL_TRACKTIK_CLIENT_ID",
            "ETL_TRACKTIK_CLIENT_SECRET",
            "ETL_TRACKTIK_USERNAME",
            "ETL_TRACKTIK_PASSWORD",
        )
        assert all(name in str(error) for name in names)
        message = everything_in(error) + caplog.text
        assert not [value for value in WORDS.values() if value in message or json.dumps(value)[1:-1] in message]


def test_a_token_office_that_is_down_is_asked_again() -> None:
    office = Office()
    office.says = [Answer(status=503), Answer(body=b"<html>"), json_answer({"no": "token"})]
    with let_in(office) as (client, _):
        assert get(client) == {"a": 1}
    assert office.grants == {"password": 4}


def test_a_token_office_that_stays_down_is_transient_and_one_that_is_not_there_is_not() -> None:
    office = Office()
    office.says = [Answer(status=500)] * 100
    with let_in(office) as (client, _), pytest.raises(TransientError, match=r"POST oauth2/access_token: given up"):
        get(client)
    office.says = [Answer(status=404)] * 100
    with let_in(office) as (client, _), pytest.raises(RequestRejected, match=r"POST oauth2/access_token.*404"):
        get(client)


def test_no_secret_and_no_token_is_told(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    message = ""
    office = Office()
    with let_in(office) as (client, _):
        get(client)
        tokens = [office.tokens[-1], office.refresh]

        def tell(status: int) -> Answer:
            return json_answer({"you sent": [*WORDS.values(), *tokens]}, status=status)

        office.says = [tell(400), tell(500), tell(503), tell(200), tell(500)]
        office.forget()
        with pytest.raises(EtlError) as raised:
            get(client)
        message += everything_in(raised.value)
    with stand_in(lambda _: json_answer(WORDS, status=404)) as server:
        grant = PasswordGrant(**WORDS, env_prefix="ETL_TRACKTIK")
        with HttpClient(server.url, auth=grant, retry_policy=QUICK) as client, pytest.raises(RequestRejected) as raised:
            get(client)
        message += everything_in(raised.value) + repr(client) + repr(grant) + str(grant) + repr([grant])
    message += caplog.text
    assert "oauth2/access_token" in message
    secrets = [*WORDS.values(), *tokens]
    assert not [value for value in secrets if value in message or json.dumps(value)[1:-1] in message]


def test_a_token_that_no_header_can_carry_is_no_token(caplog) -> None:
    office = Office()
    office.says = [json_answer({"access_token": "evil\r\nX: y"})] * 10
    with let_in(office) as (client, server), pytest.raises(TransientError, match="cannot be read") as raised:
        get(client)
    assert "evil" not in everything_in(raised.value) + caplog.text
    assert all(asked.method == "POST" for asked in server.asked)


SPELLINGS = {
    "as it is": lambda secret: secret,
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "JSON of PHP": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
    "JSON, every character": lambda secret: "".join(f"\\u{ord(each):04X}" for each in secret),
    "an address": lambda secret: quote(secret, safe=""),
    "an address in small letters": lambda secret: re.sub("%..", lambda code: code[0].lower(), quote(secret, safe="")),
    "an address in an address": lambda secret: quote(quote(secret, safe=""), safe=""),
    "a form": quote_plus,
    "HTML": html.escape,
    "HTML by numbers": lambda secret: "".join(f"&#{ord(each)};" for each in secret),
    "HTML by hexadecimal numbers": lambda secret: "".join(f"&#x{ord(each):X};" for each in secret),
    "HTML in HTML": lambda secret: html.escape(html.escape(secret)),
}
HARD = "p\"a'ss wörd/+%<&>\\1"


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 500])
def test_nothing_of_a_token_endpoint_s_answer_is_repeated(spell, status, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    said = f"<p>we know {spell(HARD)} of old</p>"
    headers = {"Location": "http://elsewhere.invalid/", "Content-Type": "text/of-old"}
    office = Office()
    office.says = [Answer(status=status, body=said.encode(), headers=headers)] * 10
    with let_in(office, password=HARD) as (client, _), pytest.raises(EtlError) as raised:
        get(client)
    message = everything_in(raised.value) + caplog.text
    assert "oauth2/access_token" in message
    assert not [word for word in (spell(HARD), HARD, "we know", "of old", "of-old", "elsewhere") if word in message]


@pytest.mark.parametrize("code", ["invalid_grant", "invalid_hunter", "invalid_client_hunter", ["invalid_grant"], None])
def test_of_an_error_code_the_standard_s_own_are_told_alone(code) -> None:
    office = Office()
    office.says = [json_answer({"error": code, "error_description": "hunter"}, status=400)]
    with let_in(office) as (client, _), pytest.raises(EtlError) as raised:
        get(client)
    assert ("(400 invalid_grant)" in str(raised.value)) == (code == "invalid_grant")
    assert "hunter" not in everything_in(raised.value)


def test_a_status_line_that_is_none_is_not_repeated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:

        def answer() -> None:
            for _ in range(QUICK.max_attempts):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(b"we know pass word/+% of old\r\n\r\n")

        answered = threads.submit(answer)
        grant = PasswordGrant(**WORDS, env_prefix="ETL_TRACKTIK")
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with HttpClient(url, auth=grant, retry_policy=QUICK) as client, pytest.raises(TransientError) as raised:
            get(client)
        answered.result()
    assert "BadStatusLine" in str(raised.value)
    assert "of old" not in everything_in(raised.value)


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_what_a_service_says_elsewhere_is_repeated_without_its_secrets(spell) -> None:
    grant = PasswordGrant(**{**WORDS, "password": HARD}, env_prefix="ETL_TRACKTIK")
    told = redact(f"No field q for {spell(HARD)}!", grant.secrets())
    assert told == "No field q for ***!"


def test_half_a_secret_at_the_end_of_what_is_looked_at_is_not_told(monkeypatch) -> None:
    monkeypatch.setattr(responses, "MAX_QUOTED_BYTES", 5000)
    told = redact("<i>" * 1660 + "half of hunter2-s3cret", ["hunter2-s3cret"])
    assert "hunter" not in told
    assert len(told) < 5
