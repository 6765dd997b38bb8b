"""HTTP/1.1 on 127.0.0.1: connections that are kept open, gzip for those who take it, and connections that break."""

import socket
import sys
import threading
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

_WORTH_PACKING = 1_000
_GZIP = 31
"""The window that makes zlib write a gzip file."""


@dataclass(frozen=True)
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    packed: bool = False
    """Whether the body is gzip already."""


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    parameters: list[tuple[str, str]]
    headers: Message
    body: bytes

    @property
    def takes_gzip(self) -> bool:
        """Whether the caller says so."""
        return "gzip" in self.headers.get("Accept-Encoding", "").lower()

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))


Answering = Callable[[Request], tuple[Answer, Collection[str]]]
"""Gives the answer, and the kinds of faults that its sending still has to show."""


class Transport:
    """Takes requests and sends what is answered, each connection in a thread of its own.

    Without `gzip` nothing is packed, whatever a caller takes.
    """

    def __init__(self, port: int, answering: Answering, *, gzip: bool = True) -> None:
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.answering, self._server.gzip = answering, gzip
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Such as http://127.0.0.1:8765."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop listening, and hang up on callers who keep their connections."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()


class RunningService:
    """A stand-in that answers. It ends with `close`, or with the block it was opened for."""

    def __init__(self, port: int, *, gzip: bool = True) -> None:
        """Start to serve; called when all else is set up. `gzip` is as `Transport` has it.

        Raises:
            OSError: The port is taken.
        """
        self._closed = threading.Event()
        """What an answer waits on that is to come later: it is let go when the service ends."""
        self._transport = Transport(port, self._answer, gzip=gzip)

    @property
    def address(self) -> str:
        """Such as http://127.0.0.1:8765."""
        return self._transport.address

    def close(self) -> None:
        """Stop answering; requests that hang are let go."""
        if not self._closed.is_set():
            self._closed.set()
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: Request) -> tuple[Answer, Collection[str]]:
        """The answer, and the kinds of faults that its sending still has to show."""
        raise NotImplementedError


def packed(body: bytes) -> bytes:
    """The body as a gzip file, the same bytes every time."""
    press = zlib.compressobj(level=1, wbits=_GZIP)
    return press.compress(body) + press.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    answering: Answering
    gzip: bool

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A caller who hangs up is nothing to be told of.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        for request in list(self._open):
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def answer(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            parameters=parse_qsl(parts.query, keep_blank_values=True),
            headers=self.headers,
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        answer, faults = self.server.answering(request)
        if "dropped" in faults:
            self._hang_up()
            return
        body, is_packed = answer.body, answer.packed
        if "not_json" in faults:
            body, is_packed = b'{"meta":{"count":', False
        elif self.server.gzip and not is_packed and request.takes_gzip and len(body) >= _WORTH_PACKING:
            body, is_packed = packed(body), True
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if is_packed:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if "cut_off" in faults else body)
        self.wfile.flush()
        if "cut_off" in faults:
            self._hang_up()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 (the names that http.server looks for)

    def log_message(self, *_: object) -> None:
        """Say nothing: whoever answers keeps the record."""

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
