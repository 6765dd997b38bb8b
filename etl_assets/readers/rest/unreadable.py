"""Answers that cannot be read: the errors that say so, and the beginning of what came.

What came may be people's data. It is in no message, representation or log line: whoever asks for it by `reveal` keeps
it where only the loader may read.
"""

from collections.abc import Iterable

from etl_assets.errors import EtlError, TransientError
from etl_assets.readers.rest.auth import mask_secrets

MAX_EXCERPT_BYTES = 2000
MAX_SECRET_LENGTH = 1 << 12
"""Characters that a secret takes at most, however it is spelled."""


class Excerpt:
    """The beginning of an answer, without secrets."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes, secrets: Iterable[str] = ()) -> None:
        # Secrets go before it is cut, for half a secret is one too.
        longest = MAX_EXCERPT_BYTES + MAX_SECRET_LENGTH
        text = mask_secrets(secrets, body[:longest].decode(errors="surrogateescape"))
        if len(body) > longest:
            text = text[:-MAX_SECRET_LENGTH]
        self._body = text.encode(errors="surrogateescape")[:MAX_EXCERPT_BYTES]

    def __repr__(self) -> str:
        return f"Excerpt({len(self._body)} bytes)"

    def reveal(self) -> bytes:
        """As the service sent it; not for messages or logs."""
        return self._body


class UnreadableAnswer(EtlError):
    """An answer is of another form than declared, so that nothing of it can be taken."""

    excerpt: Excerpt | None = None
    """How it begins; None of answers that may hold credentials."""


class BrokenAnswer(UnreadableAnswer, TransientError):
    """An answer is broken at every attempt: no JSON, or cut off."""
