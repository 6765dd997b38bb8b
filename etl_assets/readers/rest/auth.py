"""Authentication: what lets calls in, as the client sees it, and what masks its secrets in messages."""

import re
from collections.abc import Callable, Iterable, Mapping
from html.entities import codepoint2name
from typing import Protocol, TypeVar

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


class BearerToken:
    """Authentication by a token that was given out once and is good until it is withdrawn."""

    def __init__(self, token: str) -> None:
        self._token = token

    def headers(self, post: PostForm) -> Mapping[str, str]:
        """The header with the token."""
        del post
        return {"Authorization": f"Bearer {self._token}"}

    def refresh(self, rejected: Mapping[str, str], post: PostForm) -> bool:
        """There is no other token than the one that was given."""
        del rejected, post
        return False

    def secrets(self) -> Iterable[str]:
        """The token, without what stands before it in the header."""
        return (self._token,)


def mask_secrets(secrets: Iterable[str], text: str) -> str:
    """The text with asterisks for each secret, as it is or as JSON, an address, a form or HTML may write it.

    Each character may be escaped or not, and an escape escaped again: no list of spellings is ever complete.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = re.sub("".join(map(_any_spelling, secret)), "***", text)
    return text


def _any_spelling(character: str) -> str:
    """A pattern of all the ways to write a character."""
    units, code = character.encode("utf-16-be").hex(), ord(character)
    in_json = "".join(rf"\\+u{units[at : at + 4]}" for at in range(0, len(units), 4))
    in_address = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode())
    names = "".join(f"|{name};" for name in (codepoint2name.get(code), "apos" * (character == "'")) if name)
    in_html = f"&(?:amp;)*(?:#0*{code};?|#x0*{code:x};?{names})"
    in_form = r"|\+" if character == " " else ""
    return rf"(?:\\*{re.escape(character)}|(?i:{in_json}|{in_address}|{in_html}){in_form})"
