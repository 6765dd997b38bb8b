"""OAuth2 with a user's password: a token for an hour or so, renewed before it ends or when it is refused.

Many threads ask for it at once and one at a time renews it: those that waited take what it got. No `scope` is sent:
TrackTik refuses a form that has one.
"""

import logging
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Annotated

import msgspec

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import Post
from etl_assets.readers.rest.responses import Refused

logger = logging.getLogger(__name__)

PATH = "oauth2/access_token"
MARGIN = timedelta(minutes=1)
"""How long before its end a token is renewed: a call that waits its turn should not go out with one that ended."""
LARGEST_SHARE = 0.1
"""The margin is at most this share of a token's life, or one that lives shortly would be renewed at every call."""
REMEMBERED = 8
"""Tokens that are kept out of messages: those of now, and of calls that are still under way with an older one."""

_WRONG = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
_CODE = re.compile(r"\b(?:invalid_[a-z]{1,20}|unauthorized_client|unsupported_grant_type)\b")


class _Token(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]+\Z")]
    """Held to what a header line can carry, here where no message shows it."""
    refresh_token: str | None = None
    expires_in: float | None = None

    def __repr__(self) -> str:
        return "_Token(***)"


class PasswordGrant:
    """An authority for `HttpClient`, from a client's id and secret and a user's name and password."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        username: str,
        password: str,
        variables: str,
        path: str = PATH,
        margin: timedelta = MARGIN,
    ) -> None:
        """Nothing is sent yet.

        Args:
            client_id: Of the application.
            client_secret: Of the application.
            username: Of the user in whose name is read.
            password: Of the user.
            variables: What the names of the environment variables with these four begin with, such as ETL_TRACKTIK.
            path: Where tokens are had, below the client's base.
            margin: How long before its end a token is renewed.
        """
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._user = {"username": username, "password": password}
        self._variables = [f"{variables}_{word.upper()}" for word in (*self._client, *self._user)]
        self._path = path
        self._margin = margin.total_seconds()
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._renew_from = 0.0
        self._refresh_token: str | None = None
        self._tokens: tuple[str, ...] = ()
        self._wrong: str | None = None
        self._decode = msgspec.json.Decoder(_Token, strict=False).decode

    def __repr__(self) -> str:
        return "PasswordGrant(***)"

    def headers(self, post: Post) -> Mapping[str, str]:
        """The header with the token, which is got or renewed where that is due.

        Raises:
            EtlError: Id, secret, name or password are wrong; they are not tried again.
            TransientError: No token could be had.
        """
        with self._lock:
            if self._token is None or monotonic() >= self._renew_from:
                self._renew(post)
            return self._header()

    def renew(self, refused: Mapping[str, str], post: Post) -> bool:
        """Get another token, unless another thread already did since `refused` was given out; raises as `headers`."""
        with self._lock:
            if dict(refused) == self._header():
                self._renew(post)
        return True

    def secrets(self) -> Iterable[str]:
        """What it was made of and the last tokens."""
        return (*self._client.values(), *self._user.values(), *self._tokens)

    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.access_token}"} if self._token else {}

    def _renew(self, post: Post) -> None:
        began = monotonic()
        token = self._by_refreshing(post) or self._by_password(post)
        self._refresh_token = token.refresh_token or self._refresh_token
        known = [each for each in (token.access_token, token.refresh_token) if each]
        self._tokens = (*self._tokens, *known)[-REMEMBERED:]
        life = token.expires_in or 0.0
        self._renew_from = began + life - min(self._margin, life * LARGEST_SHARE) if life > 0 else float("inf")
        self._token = token

    def _by_refreshing(self, post: Post) -> _Token | None:
        if self._refresh_token is None:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **self._client}
        try:
            return post(self._path, form, self._decode)
        except Refused as error:
            logger.info("the refresh token was refused with %s; the password is used instead", error.status)
        self._refresh_token = None
        return None

    def _by_password(self, post: Post) -> _Token:
        if self._wrong is None:
            try:
                return post(self._path, {"grant_type": "password", **self._client, **self._user}, self._decode)
            except Refused as error:
                if error.status not in _WRONG:
                    raise
                code = _CODE.search(error.said)
                reason = f"{error.status}{f' {code[0]}' if code else ''}"
            # Kept, so that the threads that wait do not ask again: a few wrong passwords, and the user is locked out.
            self._wrong = (
                f"POST {self._path}: the service refuses to let us in ({reason})."
                f" Look at {', '.join(self._variables[:-1])} and {self._variables[-1]}."
            )
        raise EtlError(self._wrong)
