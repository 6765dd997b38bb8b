"""What an answer of a service means: something to be read, a failure that may pass, or a refusal."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import without
from etl_assets.readers.rest.rate_limit import retry_after, until_reset
from etl_assets.readers.rest.retries import Failure

T = TypeVar("T")

SAID = 300
"""Characters of somebody else's words that a message repeats."""

_FOR_GOOD = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)


class Refused(EtlError):
    """The service refused a call, and would refuse it again."""

    def __init__(self, call: str, status: int, said: str) -> None:
        super().__init__(f"{call}: the service refused it with {_told(status, said)}")
        self.status = status
        self.said = said
        """Its own words, without secrets, cut short."""


class NotFound(Refused):
    """The service says that there is no such thing (404)."""


@dataclass(frozen=True)
class Answer:
    """One answer, whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def target(self) -> str | None:
        """Where it sends the call instead."""
        moved = HTTPStatus.MULTIPLE_CHOICES <= self.status < HTTPStatus.BAD_REQUEST
        return self.headers.get("Location") if moved else None


def judge(call: str, answer: Answer, read: Callable[[bytes], T], secrets: Iterable[str]) -> T | Failure:
    """What the caller makes of an answer, or a failure where it may be a better one another time.

    Args:
        call: What was asked, for messages.
        answer: To be judged.
        read: Makes of the body what is wanted; a ValueError of it says that the body is broken.
        secrets: What messages must not hold.

    Raises:
        NotFound: It says 404.
        Refused: It says anything else that will not change by itself.
        EtlError: It cannot be read at all; or what `read` raises.
    """
    if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        try:
            return read(answer.body)
        except ValueError as error:
            kind = answer.headers.get("Content-Type", "no content type")
            return Failure(f"an answer that cannot be read ({words(f'{kind}: {error}', secrets)})")
        except RecursionError:
            pass
        raise EtlError(f"{call}: the answer is nested too deep to be read.")
    said = words(answer.body.decode(errors="replace"), secrets)
    passing = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _FOR_GOOD
    if passing or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return Failure(_told(answer.status, said), retry_after(answer.headers) or until_reset(answer.headers) or 0.0)
    raise (NotFound if answer.status == HTTPStatus.NOT_FOUND else Refused)(call, answer.status, said)


def words(text: str, secrets: Iterable[str]) -> str:
    """What somebody else said, fit for a message: secrets go before it is cut, for half a secret is one too."""
    text = re.sub(r"<[^>]*>|[\x00-\x1f\x7f]", " ", without(secrets, text))
    text = " ".join(text.split())
    return text if len(text) <= SAID else f"{text[:SAID]}..."


def _told(status: int, said: str) -> str:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    return f"{status} {phrase}".strip() + (f": {said}" if said else "")
