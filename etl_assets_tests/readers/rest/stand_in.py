"""A service that plays what a test scripts: an HTTP server on a free port, which notes what it was asked and when."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LONGEST_HANG = 30
"""Seconds after which a hanging answer ends, so that no test hangs with it."""


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    form: dict[str, str]
    at: float
    """Seconds of the monotonic clock."""
    connection: object
    """Equal for requests that came on the same connection."""
    body: bytes = b""


@dataclass
class Answer:
    """What is played for one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds before anything is said."""
    cut_at: int | None = None
    """Bytes of the body after which the connection is cut, though its whole length was announced."""
    hang_up: bool = False
    """Close the connection without an answer."""
    hang: bool = False
    """Say nothing until the server ends."""
    drip: float = 0.0
    """Seconds between the bytes of the body."""


Script = Callable[[Asked], Answer]


class StandIn:
    """The server and what it was asked."""

    def __init__(self, script: Script, *, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._script = script
        self._under_way = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._errors: list[Exception] = []
        handler = type("Handler", (_Handler,), {"stand_in": self})
        self.server = _Server(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
        if self._errors:
            raise self._errors[0]

    def times(self, path: str | None = None) -> list[float]:
        """When it was asked, in order."""
        return sorted(asked.at for asked in self.asked if path in {None, asked.path})

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            answer = self._script(asked)
            self._over.wait(LONGEST_HANG if answer.hang else answer.after)
            return answer
        except Exception as error:
            # A mistake of the test's own: told when the server ends, or it would pass for a lost connection.
            self._errors.append(error)
            raise
        finally:
            with self._lock:
                self._under_way -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us in mid-answer means to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers=dict(self.headers),
            form=dict(parse_qsl(body.decode())),
            at=time.monotonic(),
            connection=self.client_address,
            body=body,
        )
        self._play(self.stand_in.answer(asked))

    do_POST = do_GET  # noqa: N815 (the name that http.server looks for)

    def _play(self, answer: Answer) -> None:
        if answer.hang_up or answer.hang:
            self._cut()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.drip:
            for at in range(len(answer.body)):
                self.wfile.write(answer.body[at : at + 1])
                time.sleep(answer.drip)
        else:
            self.wfile.write(answer.body[: answer.cut_at])
        if answer.cut_at is not None:
            self._cut()

    def _cut(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(SHUT_RDWR)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Silent."""


@contextmanager
def stand_in(script: Script, *, port: int = 0) -> Iterator[StandIn]:
    server = StandIn(script, port=port)
    try:
        yield server
    finally:
        server.close()


def in_turn(*answers: Answer) -> Script:
    """One answer after the other, and the last one for ever."""
    coming = list(answers)
    lock = threading.Lock()

    def script(_: Asked) -> Answer:
        with lock:
            return coming.pop(0) if len(coming) > 1 else coming[0]

    return script


def json_answer(content: object, **options: Any) -> Answer:
    return Answer(body=json.dumps(content).encode(), **options)


def zipped(content: object) -> Answer:
    return Answer(body=gzip.compress(json.dumps(content).encode()), headers={"Content-Encoding": "gzip"})


def http_date(seconds_from_now: float) -> str:
    return format_datetime(datetime.fromtimestamp(time.time() + seconds_from_now, UTC), usegmt=True)
