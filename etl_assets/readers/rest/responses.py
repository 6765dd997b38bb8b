"""Classification of HTTP responses: a body to be parsed, a failure worth a retry, or a rejection for good."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import mask_secrets
from etl_assets.readers.rest.rate_limit import retry_after, seconds_until_reset
from etl_assets.readers.rest.retries import FailedAttempt

T = TypeVar("T")

MAX_MESSAGE_LENGTH = 300
"""Characters of somebody else's words that a message repeats."""

_NEVER_RETRIED = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


class RequestRejected(EtlError):
    """The service rejected a request with a status that a retry would not change."""

    def __init__(self, call: str, status: int, message: str) -> None:
        super().__init__(f"{call}: the service refused it with {_describe_status(status, message)}")
        self.status = status
        self.message = message
        """The service's own words, redacted and cut short."""


class NotFound(RequestRejected):
    """The service says that there is no such thing (404)."""


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


def classify(call: str, response: Response, parse: Callable[[bytes], T], secrets: Iterable[str]) -> T | FailedAttempt:
    """Parse a response, or say why another attempt may give a better one.

    Args:
        call: What was asked, for messages.
        response: To be classified.
        parse: Makes of the body what is wanted; a ValueError of it says that the body is broken.
        secrets: What messages must not hold.

    Raises:
        NotFound: It says 404.
        RequestRejected: It says anything else that will not change by itself.
        EtlError: It cannot be parsed at all; or what `parse` raises.
    """
    if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            return parse(response.body)
        except ValueError as error:
            kind = response.headers.get("Content-Type", "no content type")
            return FailedAttempt(f"an answer that cannot be read ({redact(f'{kind}: {error}', secrets)})")
        except RecursionError:
            pass
        raise EtlError(f"{call}: the answer is nested too deep to be read.")
    message = redact(response.body.decode(errors="replace"), secrets)
    is_transient = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR and response.status not in _NEVER_RETRIED
    if is_transient or response.status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(response.headers) or seconds_until_reset(response.headers) or 0.0
        return FailedAttempt(_describe_status(response.status, message), wait)
    raise (NotFound if response.status == HTTPStatus.NOT_FOUND else RequestRejected)(call, response.status, message)


def redact(text: str, secrets: Iterable[str]) -> str:
    """What somebody else said, fit for a message: secrets go before it is cut, for half a secret is one too."""
    text = re.sub(r"<[^>]*>|[\x00-\x1f\x7f]", " ", mask_secrets(secrets, text))
    text = " ".join(text.split())
    return text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[:MAX_MESSAGE_LENGTH]}..."


def _describe_status(status: int, message: str) -> str:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return f"{status} {phrase}".strip() + (f": {message}" if message else "")
