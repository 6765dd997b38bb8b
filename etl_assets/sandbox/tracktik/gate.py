"""Who may come in: tokens as OAuth2 gives them out."""

import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from etl_assets.sandbox.tracktik.answers import problem, rendered
from etl_assets.sandbox.transport import Answer

CREDENTIALS: Mapping[str, str] = {
    "client_id": "sandbox-client",
    "client_secret": "not-a-secret",
    "username": "etl@example.org",
    "password": "not-a-password",
}
"""Made up, and the same for everybody."""


@dataclass
class Gate:
    """Gives out tokens, and knows those that are good."""

    seconds: float
    """How long an access token lasts."""
    _good_until: dict[str, float] = field(default_factory=dict)
    _refreshers: set[str] = field(default_factory=set)
    _given: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def give(self, form: Mapping[str, str]) -> Answer:
        """Answer the token endpoint."""
        if "scope" in form:
            return problem(400, "The requested scope is invalid, unknown, or malformed", "scope")
        kind = form.get("grant_type")
        if kind not in ("password", "refresh_token"):
            return problem(400, "The grant type is unknown", "grant_type")
        wanted = ("client_id", "client_secret", *(("username", "password") if kind == "password" else ()))
        for name in wanted:
            if name not in form:
                return problem(400, f"{name} is missing", name)
        if any(form[name] != CREDENTIALS[name] for name in wanted):
            return problem(401, "The user credentials were incorrect")
        with self._lock:
            if kind == "refresh_token":
                old = form.get("refresh_token", "")
                if old not in self._refreshers:
                    return problem(401, "The refresh token is invalid", "refresh_token")
                self._refreshers.remove(old)
            return self._new_pair()

    def refuses(self, header: str | None) -> Answer | None:
        """Why a request with this Authorization header may not come in; None where it may."""
        kind, _, token = (header or "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return problem(401, "A Bearer token is needed")
        good_until = self._good_until.get(token.strip())
        if good_until is None or time.monotonic() >= good_until:
            return problem(401, "The access token is invalid or has expired")
        return None

    def expire(self, header: str | None) -> None:
        """Let the token of a request be good no longer."""
        self._good_until.pop((header or "").partition(" ")[2].strip(), None)

    def _new_pair(self) -> Answer:
        self._given += 1
        access, refresh = (
            hashlib.sha256(f"{word} {self._given}".encode()).hexdigest() for word in ("access", "refresh")
        )
        self._good_until[access] = time.monotonic() + self.seconds
        self._refreshers.add(refresh)
        body = {
            "token_type": "Bearer",
            "expires_in": int(self.seconds),
            "access_token": access,
            "refresh_token": refresh,
        }
        return Answer(200, rendered(body).encode(), {"Cache-Control": "no-store"})
