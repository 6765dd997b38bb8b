import json
import logging
import shutil
import ssl
import subprocess
from collections.abc import Mapping

import pytest

from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.rest import client as http_client
from etl_assets.readers.rest.client import HttpClient, RequestRejected
from etl_assets_tests.readers.rest.calls import GOOD, QUICK, SECRET, Key, everything_in, failed, get, service
from etl_assets_tests.readers.rest.stand_in import Answer, in_turn, stand_in

OPENSSL = shutil.which("openssl")


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    error, server = failed(Answer(status=401, body=b"who are you"), GOOD, auth=Key())
    assert isinstance(error, RequestRejected)
    assert error.status == 401
    assert len(server.asked) == 1
    assert server.asked[0].headers["Authorization"] == f"Key {SECRET}"


def test_the_machines_own_credentials_are_not_sent(tmp_path, monkeypatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with service(in_turn(GOOD), auth=Key()) as (client, server):
        get(client)
        client.post("token", {}, parse=json.loads)
    assert server.asked[0].headers["Authorization"] == f"Key {SECRET}"
    assert "Authorization" not in server.asked[1].headers


def test_another_host_is_never_sent_the_call() -> None:
    with stand_in(in_turn(GOOD)) as stranger:
        moved = Answer(status=302, headers={"Location": f"{stranger.url}/shifts"})
        error, server = failed(moved, GOOD, auth=Key())
    assert isinstance(error, RequestRejected)
    assert not isinstance(error, TransientError)
    assert error.status == 302
    assert "127.0.0.1" in str(error)
    assert stranger.asked == []
    assert len(server.asked) == 1


def test_a_redirect_within_the_service_is_followed_with_its_credentials() -> None:
    with service(in_turn(Answer(status=301, headers={"Location": "/there?x=1"}), GOOD), auth=Key()) as (
        client,
        server,
    ):
        assert get(client) == {"a": 1}
    assert (server.asked[1].path, server.asked[1].query) == ("/there", {"x": "1"})
    assert server.asked[1].headers["Authorization"] == f"Key {SECRET}"


@pytest.mark.parametrize(
    "target", ["http://[", "http://127.0.0.1:port/", "ftp://127.0.0.1/", "https://127.0.0.1/", "//else/"]
)
def test_a_redirect_to_no_place_of_the_service_is_refused(target) -> None:
    error, server = failed(Answer(status=302, headers={"Location": target}), auth=Key())
    assert not isinstance(error, TransientError)
    assert len(server.asked) == 1


def test_redirects_without_end_are_refused() -> None:
    error, server = failed(Answer(status=302, headers={"Location": "/shifts"}))
    assert isinstance(error, RequestRejected)
    assert len(server.asked) == 1 + http_client.MAX_REDIRECTS


def test_a_form_is_not_sent_on() -> None:
    with service(in_turn(Answer(status=307, headers={"Location": "/there"}), GOOD)) as (client, server):
        with pytest.raises(RequestRejected):
            client.post("token", {"password": SECRET}, parse=json.loads)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            Answer(status=400, body=b"x" * 290 + SECRET.encode() + b"y"), id="refused, at the edge of the cut"
        ),
        pytest.param(Answer(status=500, body=json.dumps({"you": SECRET}).encode()), id="given up"),
        pytest.param(Answer(body=b"<html>" + SECRET.encode(), headers={"Content-Type": SECRET}), id="broken body"),
        pytest.param(Answer(hang_up=True), id="no answer"),
        pytest.param(Answer(hang=True), id="time-out"),
        pytest.param(Answer(body=b"x" * 100, cut_at=10), id="cut off"),
        pytest.param(
            Answer(status=302, headers={"Location": f"http://other.invalid/?t={SECRET}"}), id="sent elsewhere"
        ),
        pytest.param(Answer(status=401, body=SECRET.encode()), id="unknown"),
    ],
)
def test_no_secret_is_in_an_error_or_in_the_log(answer, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with service(in_turn(answer), auth=Key()) as (client, _):
        with pytest.raises(EtlError) as for_question:
            get(client)
        with pytest.raises(EtlError) as for_form:
            client.post("token", {"password": SECRET}, parse=json.loads)
        message = everything_in(for_question.value) + everything_in(for_form.value) + repr(client) + caplog.text
    assert "urllib3" in caplog.text
    assert SECRET[:4] not in message
    for error in (for_question.value, for_form.value):
        assert error.__cause__ is None
        assert error.__context__ is None


@pytest.mark.parametrize("key", [f"{SECRET}\n", f"\u2603 {SECRET}"])
def test_a_secret_that_cannot_be_sent_is_not_told_either(key, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    with service(in_turn(GOOD), auth=Key(key)) as (client, server):
        with pytest.raises(EtlError, match="GET shifts: it cannot be sent") as raised:
            get(client)
        assert server.asked == []
    assert not isinstance(raised.value, TransientError)
    assert SECRET not in everything_in(raised.value) + caplog.text


@pytest.mark.parametrize("secret", ['a "quoted" one', "with space & more", "ünïcode"])
@pytest.mark.parametrize("spell", [json.dumps, str])
def test_a_secret_is_found_as_the_service_spells_it(secret, spell) -> None:
    error, _ = failed(Answer(status=400, body=b"you sent " + spell(secret).encode()), auth=Other(secret))
    assert "***" in str(error)
    assert secret not in str(error)
    assert json.dumps(secret) not in str(error)


class Other(Key):
    """A key that does not go into a header."""

    def headers(self, post) -> Mapping[str, str]:
        return {}


@pytest.mark.skipif(not OPENSSL, reason="no openssl to make a certificate with")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path) -> None:
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with stand_in(in_turn(GOOD)) as server:
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        client = HttpClient(server.url.replace("http:", "https:"), retry_policy=QUICK)
        with client, pytest.raises(EtlError, match="certificate is not to be trusted") as raised:
            get(client)
    assert not isinstance(raised.value, TransientError)
    assert server.asked == []


@pytest.mark.parametrize(
    "base",
    [
        "ftp://host/x",
        "host/x",
        "https://",
        "https://me:secret@host",
        "https://host/?a=1",
        "https://host/#a",
        "http://[",
        "http://host:x",
        "",
    ],
)
def test_an_address_is_plain(base) -> None:
    with pytest.raises(EtlError, match="like https://host/path") as raised:
        HttpClient(base)
    assert "secret" not in str(raised.value)
