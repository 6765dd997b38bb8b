"""Authentication: what lets calls in, as the client sees it, and what masks its secrets in messages."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar
from urllib.parse import quote, quote_plus

T = TypeVar("T")


class PostForm(Protocol):
    """Posts a form without credentials of its own; `parse` makes of the response's body what is wanted."""

    def __call__(self, path: str, form: Mapping[str, str], parse: Callable[[bytes], T]) -> T:
        """Post it; retried and rejected as any call of the client is."""
        ...


class Auth(Protocol):
    """Authenticates calls by headers: a token, a key. Many threads ask it at once."""

    def headers(self, post: PostForm) -> Mapping[str, str]:
        """What a call must carry."""
        ...

    def refresh(self, rejected: Mapping[str, str], post: PostForm) -> bool:
        """A call with these headers was rejected (401); whether there are others now."""
        ...

    def secrets(self) -> Iterable[str]:
        """What must not be repeated where the service repeats it. It does not wait for a refresh under way."""
        ...


class ApiKey:
    """Authentication by a key in a header of every call."""

    def __init__(self, header: str, key: str) -> None:
        self._header = header
        self._key = key

    def headers(self, post: PostForm) -> Mapping[str, str]:
        """The header with the key."""
        del post
        return {self._header: self._key}

    def refresh(self, rejected: Mapping[str, str], post: PostForm) -> bool:
        """There is no other key than the one that was given."""
        del rejected, post
        return False

    def secrets(self) -> Iterable[str]:
        """The key."""
        return (self._key,)


def mask_secrets(secrets: Iterable[str], text: str) -> str:
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
