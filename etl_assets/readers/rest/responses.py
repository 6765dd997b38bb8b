"""Classification of HTTP responses: a body to be parsed, a failure worth a retry, or a rejection for good."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import msgspec

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import mask_secrets
from etl_assets.readers.rest.rate_limit import retry_after, seconds_until_reset
from etl_assets.readers.rest.retries import FailedAttempt
from etl_assets.readers.rest.unreadable import MAX_SECRET_LENGTH, Excerpt, UnreadableAnswer

T = TypeVar("T")

MAX_MESSAGE_LENGTH = 300
"""Characters of somebody else's words that a message repeats."""

MAX_QUOTED_BYTES = 1 << 16
"""Bytes of an error's body that are looked at for a message."""
_RETRIED = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""The only statuses below 500 that pass by themselves."""
_TIMED_OUT = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT)
_NEVER_RETRIED = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
_MISSING = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_NOT_OFFERED = (*_MISSING, HTTPStatus.METHOD_NOT_ALLOWED)
_ERROR_CODES = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""All that OAuth2 (RFC 6749) knows."""


class RequestRejected(EtlError):
    """The service rejected a request with a status that a retry would not change."""

    def __init__(self, call: str, status: int, message: str) -> None:
        super().__init__(f"{call}: the service refused it with {_describe_status(status, message)}")
        self.status = status
        self.message = message
        """The service's own words, redacted and cut short."""

    @property
    def is_missing(self) -> bool:
        """Whether it says that there is no such thing; only a `NotFound` says it for sure."""
        return self.status in _MISSING

    @property
    def is_not_offered(self) -> bool:
        """Whether it says, of a list, that it has no such endpoint (404, 410, 405), be it itself or a gateway."""
        return self.status in _NOT_OFFERED

    @property
    def is_unlicensed(self) -> bool:
        """Whether it says that this installation does not have the feature (501)."""
        return self.status == HTTPStatus.NOT_IMPLEMENTED


class NotFound(RequestRejected):
    """The service itself, and no gateway before it, says in JSON that there is no such thing (404, 410)."""


@dataclass(frozen=True)
class Response:
    """One HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def redirect(self) -> str | None:
        """Where it sends the call instead."""
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST
        return self.headers.get("Location") if is_redirect else None


def classify(
    call: str,
    response: Response,
    parse: Callable[[bytes], T],
    quote: Callable[[str], str],
    excerpt: Callable[[bytes], Excerpt | None],
) -> T | FailedAttempt:
    """Parse a response, or say why another attempt may give a better one.

    Args:
        call: What was asked, for messages.
        response: To be classified.
        parse: Makes of the body what is wanted; a ValueError of it says that the body is broken.
        quote: What of the service's own words a message may repeat.
        excerpt: What of a body that cannot be read an error may keep.

    Raises:
        NotFound: It says 404 or 410, in JSON.
        RequestRejected: It says anything else that will not change by itself.
        UnreadableAnswer: It cannot be parsed at all, or `parse` says so.
        EtlError: What else `parse` raises.
    """
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            return parse(response.body)
        except UnreadableAnswer as error:
            error.excerpt = excerpt(response.body)
            raise
        except ValueError as error:
            kind = response.headers.get("Content-Type", "no content type")
            quoted = quote(f"{kind}: {error}")
            is_cut_off = bool(response.body) and "truncated" in str(error)
            reason = "an answer that cannot be read" + (f" ({quoted})" if quoted else "")
            return FailedAttempt(reason, may_be_too_large=is_cut_off, excerpt=excerpt(response.body))
        except RecursionError:
            unreadable = UnreadableAnswer(f"{call}: the answer is nested too deep to be read.")
        unreadable.excerpt = excerpt(response.body)
        raise unreadable
    message = quote(response.body.decode(errors="replace"))
    is_transient = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and response.status not in _NEVER_RETRIED
    if is_transient or response.status in _RETRIED:
        wait = retry_after(response.headers) or seconds_until_reset(response.headers) or 0.0
        return FailedAttempt(
            _describe_status(response.status, message),
            wait,
            may_be_too_large=response.status in _TIMED_OUT,
            is_server_error=response.status == HTTPStatus.INTERNAL_SERVER_ERROR,
        )
    is_missing = response.status in _MISSING and _is_own_answer(response)
    raise (NotFound if is_missing else RequestRejected)(call, response.status, message)


def redact(text: str, secrets: Iterable[str]) -> str:
    """What somebody else said, fit for a message: secrets go before it is cut, for half a secret is one too."""
    masked = mask_secrets(secrets, text[:MAX_QUOTED_BYTES])
    if len(text) > MAX_QUOTED_BYTES:
        masked = masked[:-MAX_SECRET_LENGTH]
    text = " ".join(re.sub(r"<[^>]*>|[\x00-\x1f\x7f]", " ", masked).split())
    return text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[:MAX_MESSAGE_LENGTH]}..."


def oauth_error_code(body: str) -> str:
    """The error code of a token endpoint's answer, where it is one of the standard's; nothing else of it."""
    try:
        code = msgspec.json.decode(body, type=dict[str, object]).get("error")
    except (ValueError, RecursionError):
        return ""
    return code if isinstance(code, str) and code in _ERROR_CODES else ""


def _is_own_answer(response: Response) -> bool:
    """Whether the service answered, in JSON; the gateways before it say in HTML or plain text what they do not find."""
    if not response.body:
        return "json" in response.headers.get("Content-Type", "").lower()
    try:
        msgspec.json.decode(response.body)
    except (ValueError, RecursionError):
        return False
    return True


def _describe_status(status: int, message: str) -> str:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return f"{status} {phrase}".strip() + (f": {message}" if message else "")
