"""HTTP client: retries with backoff, rate limit and authentication, over one pool of connections.

The only place that speaks HTTP: calls are repeated where that may help, and fail at once where it cannot.

What a body means is not known here: the caller's `parse` makes of it what is wanted, and says by a ValueError that it
is broken, which is as transient as a lost connection. What goes out in headers and forms is in no message, log line or
exception: the errors of `requests` hold the whole request, so none of them leaves this module, not even as a cause. And
nothing is repeated of what answers a form: it may echo a password, in a spelling that nobody thought of.
"""

import socket
import ssl
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import TypeVar
from urllib.parse import urldefrag, urljoin, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from etl_assets.errors import EtlError
from etl_assets.readers.cancellation import CancellationToken
from etl_assets.readers.rest.auth import Auth
from etl_assets.readers.rest.rate_limit import RateLimiter, seconds_until_reset
from etl_assets.readers.rest.responses import (
    NotFound,
    RequestRejected,
    Response,
    classify,
    oauth_error_code,
    redact,
)
from etl_assets.readers.rest.retries import Call, CircuitBreaker, FailedAttempt, RetryPolicy
from etl_assets.readers.rest.unreadable import Excerpt

__all__ = ["HttpClient", "NotFound", "RateLimiter", "RequestRejected", "RetryPolicy"]

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_RETRY_POLICY = RetryPolicy()
USER_AGENT = "etl-assets"
MAX_BODY_BYTES = 256 << 20
"""Bytes. A larger answer is not the page that was asked for."""
MAX_REDIRECTS = 3
"""Redirects within the service that are followed."""

_CHUNK_BYTES = 1 << 20
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    timeout: timedelta | None = None
    """For the next bytes of the response, where it is another than the policy's."""


class HttpClient:
    """Thread-safe HTTP client of one service."""

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth | None = None,
        headers: Mapping[str, str] | None = None,
        rate_limiter: RateLimiter | None = None,
        retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
        connections: int = 8,
    ) -> None:
        """Nothing is sent yet.

        Args:
            base_url: What every path begins with, such as https://tenant.example.com/rest/v1.
            auth: Gives the headers that let calls in. A key belongs there, not into `headers`.
            headers: Sent with every call.
            rate_limiter: How many calls are allowed; unlimited where none is given.
            retry_policy: Time-outs, and how often a call is retried.
            connections: How many are kept open; the most threads that make good use of the client.

        Raises:
            EtlError: `base_url` is no plain http(s) address.
        """
        if _origin(base_url) is None or set(base_url) & set("@?#"):
            raise EtlError("The address of a service is like https://host/path, without user, password, ? and #.")
        self.cancellation = CancellationToken()
        """Cancelled when the client is closed. A read takes a child of it, so that it can be given up by itself."""
        self.requests = 0
        """Requests that were sent, those that failed and were repeated too."""
        self._counting = Lock()
        self._breaker = CircuitBreaker()
        self._base_url = base_url.rstrip("/")
        self._auth = auth
        self._rate_limiter = rate_limiter or RateLimiter()
        self._retry_policy = retry_policy
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept": "application/json", **(headers or {})})
        # Else requests would put what ~/.netrc has for the host in place of our own header.
        self._session.auth = lambda request: request
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        for scheme in _DEFAULT_PORTS:
            self._session.mount(f"{scheme}://", HTTPAdapter(pool_connections=1, pool_maxsize=connections))

    def __repr__(self) -> str:
        return f"HttpClient({self._base_url!r})"

    def __enter__(self) -> "HttpClient":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections and the waits of all threads; a call from now on raises `Cancelled`."""
        self.cancellation.cancel()
        self._session.close()

    def get(
        self,
        path: str,
        parameters: Mapping[str, str] | None = None,
        *,
        parse: Callable[[bytes], T],
        headers: Mapping[str, str] | None = None,
        cancellation: CancellationToken | None = None,
        timeout: timedelta | None = None,
        is_divisible: bool = False,
    ) -> T:
        """Send a GET request.

        Args:
            path: What follows the base, or an address that `resolve` gave.
            parameters: As they are meant; they are encoded here.
            parse: Makes of the body what is wanted; a ValueError of it says that the body is broken.
            headers: Sent besides those of the client.
            cancellation: A child of `self.cancellation` that ends this call.
            timeout: For the next bytes of the response; the policy's where None.
            is_divisible: Whether the caller asks for less where the answer does not come in time, or not whole.

        Returns:
            What `parse` made of the response.

        Raises:
            NotFound: The service says in JSON that there is no such thing (404, 410).
            RequestRejected: It says another 4xx, 401 twice in a row, or sends the call to another host.
            IncompleteAnswer: It did not answer in time, or not whole, and the call is divisible.
            TransientError: It could not be reached or did not answer whole, as often and as long as the policy retries.
            Cancelled: `cancellation` was cancelled, or the client closed.
            UnreadableAnswer: `parse` says that the body is of another form; as a BrokenAnswer, that it is broken at
                every attempt. Both keep how it begins.
            EtlError: Its certificate is not to be trusted; or what `parse` raises.
        """
        request = _Request("GET", path, parameters or {}, headers or {}, timeout=timeout)
        return self._ask(request, parse, cancellation, is_divisible=is_divisible)

    def search(
        self,
        path: str,
        body: object,
        parameters: Mapping[str, str] | None = None,
        *,
        parse: Callable[[bytes], T],
        headers: Mapping[str, str] | None = None,
        cancellation: CancellationToken | None = None,
        timeout: timedelta | None = None,
    ) -> T:
        """Send a question by POST: `body` as JSON. It changes nothing at the service, so it is retried as `get` is.

        All else that is given, and all that is raised, is as `get` has it.
        """
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = _Request("POST", path, parameters or {}, headers, body=msgspec.json.encode(body), timeout=timeout)
        return self._ask(request, parse, cancellation)

    def post(
        self,
        path: str,
        form: Mapping[str, str],
        *,
        parse: Callable[[bytes], T],
        cancellation: CancellationToken | None = None,
    ) -> T:
        """Send a form by POST, without authentication; all else is as `get` has it.

        Of the response no message repeats anything but a standard OAuth2 error code.
        """
        request = _Request("POST", path, form=form)
        call = self._start_call(request, cancellation)
        return self._retry_policy.run(lambda: self._classify(call, self._send(call, request), parse), call)

    def resolve(self, link: str, path: str) -> str:
        """The absolute address of a link in the response to `path`, to be given to `get`.

        Raises:
            EtlError: It leads out of the service: to another scheme, host or port, where nothing of ours is sent.
        """
        try:
            url = urldefrag(urljoin(self._url(path), link)).url
        except ValueError:
            url = ""
        origin = _origin(url)
        if origin != _origin(self._base_url) or "@" in urlsplit(url).netloc:
            raise EtlError(
                f"GET {urlsplit(path).path}: it links to {_describe_origin(origin)}, which is not the service."
                " It is not followed."
            )
        return url

    def _url(self, path: str) -> str:
        is_whole = _origin(path) == _origin(self._base_url)
        return path if is_whole else f"{self._base_url}/{path.lstrip('/')}"

    def _start_call(self, request: _Request, cancellation: CancellationToken | None) -> Call:
        # The query of a link may hold keys.
        call = Call(
            f"{request.method} {urlsplit(request.path).path}",
            cancellation or self.cancellation,
            self._breaker,
            is_confidential=request.form is not None,
        )
        call.cancellation.check()
        return call

    def _ask(
        self,
        request: _Request,
        parse: Callable[[bytes], T],
        cancellation: CancellationToken | None,
        *,
        is_divisible: bool = False,
    ) -> T:
        call = self._start_call(request, cancellation)
        call.is_divisible = is_divisible
        return self._retry_policy.run(
            lambda: self._classify(call, self._send_authenticated(call, request), parse), call
        )

    def _send_authenticated(self, call: Call, request: _Request) -> Response | FailedAttempt:
        """Send a request with credentials; once more, where they are rejected (401) and can be refreshed."""
        if self._auth is None:
            return self._send(call, request)

        def post(path: str, form: Mapping[str, str], parse: Callable[[bytes], U]) -> U:
            return self.post(path, form, parse=parse, cancellation=call.cancellation)

        headers = self._auth.headers(post)
        response = self._send(call, request, headers)
        rejected = isinstance(response, Response) and response.status == HTTPStatus.UNAUTHORIZED
        if rejected and self._auth.refresh(headers, post):
            return self._send(call, request, self._auth.headers(post))
        return response

    def _send(
        self, call: Call, request: _Request, headers: Mapping[str, str] | None = None
    ) -> Response | FailedAttempt:
        """Send a request when the rate limiter lets it out, and follow redirects that stay within the service."""
        url, parameters = self._url(request.path), request.parameters
        sent = {**request.headers, **(headers or {})}
        redirects = 0
        while True:
            began = monotonic()
            with self._rate_limiter.acquire(call.cancellation, max_pause=self._retry_policy.total_timeout):
                call.seconds_rate_limited += monotonic() - began
                response = self._exchange(call, request, url, parameters, sent)
            if isinstance(response, FailedAttempt):
                return response
            self._rate_limiter.pause(seconds_until_reset(response.headers) or 0.0)
            if response.redirect is None:
                return response
            url, parameters, redirects = urljoin(url, response.redirect), {}, redirects + 1
            origin = _origin(url)
            if redirects > MAX_REDIRECTS or request.method != "GET" or origin != _origin(self._base_url):
                where = "" if call.is_confidential else f" to {_describe_origin(origin)}"
                raise RequestRejected(call.name, response.status, f"it sends the call on{where}")

    def _exchange(
        self, call: Call, request: _Request, url: str, parameters: Mapping[str, str], headers: Mapping[str, str]
    ) -> Response | FailedAttempt:
        """Send one request and take its response. No error of `requests` gets out, for it holds what was sent."""
        policy, has_begun = self._retry_policy, False
        with self._counting:
            self.requests += 1
        connect, read = policy.connect_timeout.total_seconds(), (request.timeout or policy.read_timeout).total_seconds()
        try:
            with self._session.request(
                request.method,
                url,
                params=parameters,
                data=request.form or request.body,
                headers=headers,
                timeout=(connect, read),
                stream=True,
                allow_redirects=False,
            ) as raw:
                has_begun = True
                return Response(raw.status_code, raw.headers, self._read_body(call, raw))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            failure = self._to_failed_attempt(call, error, connect, read)
        if isinstance(failure, EtlError):
            raise failure
        return replace(failure, may_be_too_large=failure.may_be_too_large or has_begun)

    def _read_body(self, call: Call, response: requests.Response) -> bytes:
        began, parts, size = monotonic(), [], 0
        try:
            while part := response.raw.read1(_CHUNK_BYTES, decode_content=True):
                call.cancellation.check()
                size += len(part)
                if size > MAX_BODY_BYTES:
                    raise EtlError(f"{call.name}: the answer is larger than {MAX_BODY_BYTES >> 20} MB.")
                if monotonic() - began > self._retry_policy.total_timeout.total_seconds():
                    raise HTTPError("the answer has no end")
                parts.append(part)
        except HTTPError:
            # The status alone says what is to be done; the words were for people.
            if response.status_code < HTTPStatus.BAD_REQUEST:
                raise
        # No JSON begins with a byte order mark, and some services send one.
        return b"".join(parts).removeprefix(BOM_UTF8)

    def _classify(
        self, call: Call, response: Response | FailedAttempt, parse: Callable[[bytes], T]
    ) -> T | FailedAttempt:
        if isinstance(response, FailedAttempt):
            return response
        quote = oauth_error_code if call.is_confidential else partial(redact, secrets=self._secrets())
        outcome = classify(call.name, response, parse, quote, partial(self._excerpt, call))
        if isinstance(outcome, FailedAttempt):
            self._rate_limiter.pause(outcome.retry_after)
        return outcome

    def _excerpt(self, call: Call, body: bytes) -> Excerpt | None:
        return None if call.is_confidential else Excerpt(body, self._secrets())

    def _secrets(self) -> Iterable[str]:
        return self._auth.secrets() if self._auth else ()

    def _to_failed_attempt(self, call: Call, error: Exception, connect: float, read: float) -> FailedAttempt | EtlError:
        root = _root_cause(error)
        if isinstance(error, requests.ConnectTimeout):
            return FailedAttempt(f"no connection within {connect:g} s", is_unreachable=True)
        if isinstance(root, TimeoutError):
            return FailedAttempt(f"no answer within {read:g} s", may_be_too_large=True)
        if isinstance(root, ssl.SSLCertVerificationError):
            return EtlError(f"{call.name}: the service's certificate is not to be trusted: {root.verify_message}.")
        if isinstance(error, ValueError):
            # Its text holds what could not be sent, which may be a secret.
            return EtlError(f"{call.name}: it cannot be sent ({type(error).__name__}).")
        if call.is_confidential and not isinstance(root, OSError):
            return FailedAttempt(type(root).__name__)  # its text may be what came
        return FailedAttempt(
            redact(f"{type(root).__name__}: {root}", self._secrets()), is_unreachable=isinstance(root, _NOBODY)
        )


_NOBODY = (ConnectionRefusedError, socket.gaierror)
"""What a host says where nothing listens, and a resolver of a name that it does not know."""


def _origin(url: str) -> tuple[str, str, int] | None:
    """The origin of a URL: scheme, host and port; None where it is no HTTP address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.scheme in _DEFAULT_PORTS and parts.hostname and port else None


def _describe_origin(origin: tuple[str, str, int] | None) -> str:
    return "{}://{}:{}".format(*origin) if origin else "nowhere"


def _root_cause(error: BaseException) -> BaseException:
    """The innermost cause: requests wraps what urllib3 wraps around what the socket said."""
    inner = [getattr(error, "reason", None), error.__cause__, *error.args]
    deeper = next((each for each in inner if isinstance(each, BaseException)), None)
    return error if deeper is None else _root_cause(deeper)
