"""OAuth2 password grant: an access token, refreshed before it expires or when it is rejected.

Many threads ask for it at once and one at a time refreshes it: those that waited take what it got. No `scope` is sent:
TrackTik refuses a form that has one.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from http import HTTPStatus
from time import monotonic
from typing import Annotated

import msgspec

from etl_assets.errors import EtlError
from etl_assets.readers.rest.auth import PostForm
from etl_assets.readers.rest.responses import RequestRejected

logger = logging.getLogger(__name__)

TOKEN_PATH = "oauth2/access_token"  # noqa: S105 (an address)
REFRESH_MARGIN = timedelta(minutes=1)
"""How long before it expires a token is refreshed: a call that waits its turn should not go out with one that ended."""
MAX_MARGIN_SHARE = 0.1
"""The margin is at most this share of a token's life, or one that lives shortly would be refreshed at every call."""
REDACTED_TOKENS = 8
"""Tokens that are kept out of messages: those of now, and of calls that are still under way with an older one."""

_CREDENTIALS_REJECTED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)


class _Token(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(pattern=r"\A[\x21-\x7e]+\Z")]
    """Held to what a header line can carry, here where no message shows it."""
    refresh_token: str | None = None
    expires_in: float | None = None

    def __repr__(self) -> str:
        return "_Token(***)"


class PasswordGrant:
    """`Auth` of `HttpClient` by the OAuth2 password grant: client id and secret, user name and password."""

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        username: str,
        password: str,
        env_prefix: str,
        path: str = TOKEN_PATH,
        margin: timedelta = REFRESH_MARGIN,
    ) -> None:
        """Nothing is sent yet.

        Args:
            client_id: Of the application.
            client_secret: Of the application.
            username: Of the user in whose name is read.
            password: Of the user.
            env_prefix: What the names of the environment variables with these four begin with, such as ETL_TRACKTIK.
            path: The token endpoint, below the client's base URL.
            margin: How long before it expires a token is refreshed.
        """
        self._client = {"client_id": client_id, "client_secret": client_secret}
        self._user = {"username": username, "password": password}
        self._env_names = [f"{env_prefix}_{word.upper()}" for word in (*self._client, *self._user)]
        self._path = path
        self._margin = margin.total_seconds()
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._refresh_at = 0.0
        self._refresh_token: str | None = None
        self._tokens: tuple[str, ...] = ()
        self._rejection: str | None = None
        self._decode = msgspec.json.Decoder(_Token, strict=False).decode

    def __repr__(self) -> str:
        return "PasswordGrant(***)"

    def headers(self, post: PostForm) -> Mapping[str, str]:
        """The Authorization header with the token, which is fetched or refreshed where that is due.

        Raises:
            EtlError: Id, secret, name or password are wrong; they are not tried again.
            TransientError: No token could be had.
        """
        with self._lock:
            if self._token is None or monotonic() >= self._refresh_at:
                self._refresh(post)
            return self._header()

    def refresh(self, rejected: Mapping[str, str], post: PostForm) -> bool:
        """Fetch another token, unless another thread already did since `rejected` was given out.

        Raises as `headers`.
        """
        with self._lock:
            if dict(rejected) == self._header():
                self._refresh(post)
        return True

    def secrets(self) -> Iterable[str]:
        """What it was made of and the last tokens."""
        return (*self._client.values(), *self._user.values(), *self._tokens)

    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token.access_token}"} if self._token else {}

    def _refresh(self, post: PostForm) -> None:
        began = monotonic()
        token = self._by_refresh_token(post) or self._by_password(post)
        self._refresh_token = token.refresh_token or self._refresh_token
        known = [each for each in (token.access_token, token.refresh_token) if each]
        self._tokens = (*self._tokens, *known)[-REDACTED_TOKENS:]
        life = token.expires_in or 0.0
        self._refresh_at = began + life - min(self._margin, life * MAX_MARGIN_SHARE) if life > 0 else float("inf")
        self._token = token

    def _by_refresh_token(self, post: PostForm) -> _Token | None:
        if self._refresh_token is None:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, **self._client}
        try:
            return post(self._path, form, self._decode)
        except RequestRejected as error:
            logger.info("the refresh token was refused with %s; the password is used instead", error.status)
        self._refresh_token = None
        return None

    def _by_password(self, post: PostForm) -> _Token:
        if self._rejection is None:
            try:
                return post(self._path, {"grant_type": "password", **self._client, **self._user}, self._decode)
            except RequestRejected as error:
                if error.status not in _CREDENTIALS_REJECTED:
                    raise
                reason = f"{error.status} {error.message}".strip()
            # Kept, so that the threads that wait do not ask again: a few wrong passwords, and the user is locked out.
            self._rejection = (
                f"POST {self._path}: the service refuses to let us in ({reason})."
                f" Look at {', '.join(self._env_names[:-1])} and {self._env_names[-1]}."
            )
        raise EtlError(self._rejection)
