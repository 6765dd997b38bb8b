"""What lets calls in, as the client sees it, and what keeps it out of messages."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar
from urllib.parse import quote, quote_plus

T = TypeVar("T")


class Post(Protocol):
    """Sends a form without credentials of its own; `read` makes of the answer what is wanted."""

    def __call__(self, path: str, form: Mapping[str, str], read: Callable[[bytes], T]) -> T:
        """Send it; repeated and refused as any call of the client is."""
        ...


class Authority(Protocol):
    """What lets calls in: a token, a key. Many threads ask it at once."""

    def headers(self, post: Post) -> Mapping[str, str]:
        """What a call must carry."""
        ...

    def renew(self, refused: Mapping[str, str], post: Post) -> bool:
        """A call with these headers was refused (401); whether there are others now."""
        ...

    def secrets(self) -> Iterable[str]:
        """What must not be repeated where the service repeats it. It does not wait for a renewal under way."""
        ...


def without(secrets: Iterable[str], text: str) -> str:
    """The text with asterisks for each secret, as it is or as JSON, an address or a form would write it."""
    spellings = {
        spelling
        for secret in secrets
        if secret
        for spelling in (secret, json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret))
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, "***")
    return text
