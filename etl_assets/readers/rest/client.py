"""The only place that speaks HTTP: calls that are repeated where that may help, and fail at once where it cannot.

What a body means is not known here: the caller's `read` makes of it what is wanted, and says by a ValueError that it is
broken, which is as transient as a lost connection. What goes out in headers and forms is in no message, log line or
exception: the errors of `requests` hold the whole request, so none of them leaves this module, not even as a cause.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import Authority
from etl_assets.readers.rest.rate_limit import Pace, Stop, until_reset
from etl_assets.readers.rest.responses import Answer, NotFound, Refused, judge, words
from etl_assets.readers.rest.retries import Call, Failure, Patience

__all__ = ["HttpClient", "NotFound", "Pace", "Patience", "Refused"]

T = TypeVar("T")
U = TypeVar("U")

PATIENCE = Patience()
USER_AGENT = "etl-assets"
LARGEST_BODY = 256 << 20
"""Bytes. A larger answer is not the page that was asked for."""
HOPS = 3
"""Redirects within the service that are followed."""

_CHUNK = 1 << 20
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)


class HttpClient:
    """Calls to one service, by as many threads as like to, on one pool of connections."""

    def __init__(
        self,
        base: str,
        *,
        authority: Authority | None = None,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        patience: Patience = PATIENCE,
        connections: int = 8,
    ) -> None:
        """Nothing is sent yet.

        Args:
            base: What every path begins with, such as https://tenant.example.com/rest/v1.
            authority: Gives the headers that let calls in. A key belongs there, not into `headers`.
            headers: Sent with every call.
            pace: How many calls are allowed; where none is given, as many as like to.
            patience: How long the service is waited for.
            connections: How many are kept open; the most threads that make good use of the client.

        Raises:
            EtlError: `base` is no plain http(s) address.
        """
        if _origin(base) is None or set(base) & set("@?#"):
            raise EtlError("The address of a service is like https://host/path, without user, password, ? and #.")
        self.stop = Stop()
        """Set when the client is closed. A read takes a child of it, so that it can be given up by itself."""
        self._base = base.rstrip("/")
        self._authority = authority
        self._pace = pace or Pace()
        self._patience = patience
        self._timeout = (patience.connect.total_seconds(), patience.silence.total_seconds())
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})})
        # Else requests would put what ~/.netrc has for the host in place of our own header.
        self._session.auth = lambda request: request
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in _PORTS:
            self._session.mount(f"{scheme}://", HTTPAdapter(pool_connections=1, pool_maxsize=connections))

    def __repr__(self) -> str:
        return f"HttpClient({self._base!r})"

    def __enter__(self) -> "HttpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections and the waits of all threads; a call from now on raises `Abandoned`."""
        self.stop.set()
        self._session.close()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        read: Callable[[bytes], T],
        headers: Mapping[str, str] | None = None,
        stop: Stop | None = None,
    ) -> T:
        """Ask for something.

        Args:
            path: What follows the base.
            parameters: As they are meant; they are encoded here.
            read: Makes of the body what is wanted; a ValueError of it says that the body is broken.
            headers: Sent besides those of the client.
            stop: A child of `self.stop` that ends this call.

        Returns:
            What `read` made of the answer.

        Raises:
            NotFound: The service says 404.
            Refused: It says another 4xx, 401 twice in a row, or sends the call to another host.
            TransientError: It could not be reached or did not answer whole, as often and as long as there is patience.
            Abandoned: `stop` was set, or the client closed.
            EtlError: Its certificate is not to be trusted; or what `read` raises.
        """
        request = _Request("GET", path, parameters or {}, headers or {})
        call = self._call(request, stop)
        return self._patience.insist(lambda: self._judge(call, self._let_in(call, request), read), call)

    def post(self, path: str, form: Mapping[str, str], *, read: Callable[[bytes], T], stop: Stop | None = None) -> T:
        """Send a form, without what the authority gives; all else is as `get` has it."""
        request = _Request("POST", path, form=form)
        call = self._call(request, stop)
        return self._patience.insist(lambda: self._judge(call, self._send(call, request), read), call)

    def _call(self, request: _Request, stop: Stop | None) -> Call:
        call = Call(f"{request.method} {request.path}", stop or self.stop)
        call.stop.check()
        return call

    def _let_in(self, call: Call, request: _Request) -> Answer | Failure:
        """Send a request with what the authority gives; once more, where that is refused and can be renewed."""
        if self._authority is None:
            return self._send(call, request)

        def post(path: str, form: Mapping[str, str], read: Callable[[bytes], U]) -> U:
            return self.post(path, form, read=read, stop=call.stop)

        headers = self._authority.headers(post)
        answer = self._send(call, request, headers)
        unknown = isinstance(answer, Answer) and answer.status == HTTPStatus.UNAUTHORIZED
        if unknown and self._authority.renew(headers, post):
            return self._send(call, request, self._authority.headers(post))
        return answer

    def _send(self, call: Call, request: _Request, headers: Mapping[str, str] | None = None) -> Answer | Failure:
        """Send a request when its turn has come, and follow redirects that stay within the service."""
        url, parameters = f"{self._base}/{request.path.lstrip('/')}", request.parameters
        sent = {**request.headers, **(headers or {})}
        hops = 0
        while True:
            queued = monotonic()
            with self._pace.turn(call.stop, longest_quiet=self._patience.total):
                call.queued += monotonic() - queued
                answer = self._exchange(call, request, url, parameters, sent)
            if isinstance(answer, Failure):
                return answer
            self._pace.keep_quiet(until_reset(answer.headers) or 0.0)
            if answer.target is None:
                return answer
            url, parameters, hops = urljoin(url, answer.target), {}, hops + 1
            there = _origin(url)
            if hops > HOPS or request.method != "GET" or there != _origin(self._base):
                where = "{}://{}:{}".format(*there) if there else "nowhere"
                raise Refused(call.name, answer.status, f"it sends the call on to {where}")

    def _exchange(
        self, call: Call, request: _Request, url: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> Answer | Failure:
        """Send one request and take its answer. No error of `requests` gets out, for it holds what was sent."""
        try:
            with self._session.request(
                request.method,
                url,
                params=parameters,
                data=request.form,
                headers=headers,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            ) as response:
                return Answer(response.status_code, response.headers, self._body(call, response))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = self._failure(call, error)
        if isinstance(failure, EtlError):
            raise failure
        return failure

    def _body(self, call: Call, response: requests.Response) -> bytes:
        began, parts, size = monotonic(), [], 0
        try:
            while part := response.raw.read1(_CHUNK, decode_content=True):
                call.stop.check()
                size += len(part)
                if size > LARGEST_BODY:
                    raise EtlError(f"{call.name}: the answer is larger than {LARGEST_BODY >> 20} MB.")
                if monotonic() - began > self._patience.total.total_seconds():
                    raise HTTPError("the answer has no end")
                parts.append(part)
        except HTTPError:
            # The status alone says what is to be done; the words were for people.
            if response.status_code < HTTPStatus.BAD_REQUEST:
                raise
        return b"".join(parts)

    def _judge(self, call: Call, answer: Answer | Failure, read: Callable[[bytes], T]) -> T | Failure:
        if isinstance(answer, Failure):
            return answer
        judged = judge(call.name, answer, read, self._secrets())
        if isinstance(judged, Failure):
            self._pace.keep_quiet(judged.quiet)
        return judged

    def _secrets(self) -> Iterable[str]:
        return self._authority.secrets() if self._authority else ()

    def _failure(self, call: Call, error: Exception) -> Failure | EtlError:
        root = _root(error)
        if isinstance(error, requests.ConnectTimeout):
            return Failure(f"no connection within {self._timeout[0]:g} s")
        if isinstance(root, TimeoutError):
            return Failure(f"no answer within {self._timeout[1]:g} s")
        if isinstance(root, ssl.SSLCertVerificationError):
            return EtlError(f"{call.name}: the service's certificate is not to be trusted: {root.verify_message}.")
        if isinstance(error, ValueError):
            # Its text holds what could not be sent, which may be a secret.
            return EtlError(f"{call.name}: it cannot be sent ({type(error).__name__}).")
        return Failure(words(f"{type(root).__name__}: {root}", self._secrets()))


def _origin(url: str) -> tuple[str, str, int] | None:
    """The scheme, host and port of an address; None where it is none for HTTP."""
    try:
        told = urlsplit(url)
        port = told.port or _PORTS.get(told.scheme)
    except ValueError:
        return None
    return (told.scheme, told.hostname, port) if told.scheme in _PORTS and told.hostname and port else None


def _root(error: BaseException) -> BaseException:
    """The innermost reason: requests wraps what urllib3 wraps around what the socket said."""
    inner = [getattr(error, "reason", None), error.__cause__, *error.args]
    deeper = next((each for each in inner if isinstance(each, BaseException)), None)
    return error if deeper is None else _root(deeper)
