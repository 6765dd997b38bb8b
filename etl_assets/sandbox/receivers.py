"""Receivers of alerts that stand in for a mail server, a chat's webhook, PagerDuty and a watcher of heartbeats."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

SUMMARY_CHARACTERS = 1024
"""How long the summary of an event may be, by PagerDuty's Events API v2."""


@dataclass(frozen=True)
class Received:
    """One message that arrived."""

    channel: str
    title: str
    body: str
    incident: str = ""
    """PagerDuty's dedup_key."""
    action: str = ""
    """PagerDuty's: trigger, acknowledge or resolve."""


@dataclass
class Receivers:
    """All receivers, what they got, and how to reach them."""

    settings: dict[str, str]
    received: list[Received] = field(default_factory=list)
    heartbeats: int = 0
    is_down: set[str] = field(default_factory=set)
    """Channels that refuse what comes: email, slack, pagerduty."""

    def of(self, channel: str) -> list[Received]:
        """What one channel got."""
        return [each for each in self.received if each.channel == channel]


class _Mail:
    """An SMTP server's handler."""

    def __init__(self, receivers: Receivers) -> None:
        self._receivers = receivers

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's)
        """Take a mail, or refuse it for the moment."""
        del server, session
        if "email" in self._receivers.is_down:
            return "451 Requested action aborted: local error in processing"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        part = mail.get_body(("plain",))
        body = part.get_content() if part else ""
        self._receivers.received.append(Received("email", str(mail["subject"]), body))
        return "250 OK"


def _handler(receivers: Receivers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            receivers.heartbeats += self.path == "/heartbeat"
            self._answer(200 if self.path == "/heartbeat" else 404, {})

        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            channel = "pagerduty" if self.path == "/v2/enqueue" else "slack"
            if channel in receivers.is_down:
                self._answer(503, {})
            elif channel == "pagerduty":
                self._answer(*_enqueue(receivers, sent))
            else:
                receivers.received.append(Received("slack", sent["title"], sent["message"]))
                self._answer(200, {})

        def _answer(self, status: int, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the library)
            """Say nothing."""

    return Handler


def _enqueue(receivers: Receivers, event: dict[str, Any]) -> tuple[int, dict[str, object]]:
    """Take an event as PagerDuty's Events API v2 does, or refuse it with the reasons."""
    action, payload = event.get("event_action"), event.get("payload") or {}
    errors = [f"'{name}' is missing or blank" for name in ("routing_key",) if not event.get(name)]
    if action not in {"trigger", "acknowledge", "resolve"}:
        errors.append("'event_action' is invalid")
    if action == "trigger":
        wanted = ("summary", "source", "severity")
        errors += [f"'payload.{name}' is missing or blank" for name in wanted if not payload.get(name)]
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            errors.append("'payload.severity' is invalid")
        if len(payload.get("summary", "")) > SUMMARY_CHARACTERS:
            errors.append("'payload.summary' is too long")
    elif not event.get("dedup_key"):
        errors.append("'dedup_key' is missing or blank")
    if errors:
        return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    key = event.get("dedup_key") or f"key-{len(receivers.received)}"
    text = (payload.get("custom_details") or {}).get("text", "")
    receivers.received.append(Received("pagerduty", payload.get("summary", ""), text, key, str(action)))
    return 202, {"status": "success", "message": "Event processed", "dedup_key": key}


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


@contextmanager
def receivers() -> Iterator[Receivers]:
    """Receivers on loopback for the time of the `with` block; their `settings` are what finds them."""
    found = Receivers({})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = _free_port()
    mail = Controller(_Mail(found), hostname="127.0.0.1", port=port)
    mail.start()
    try:
        web = f"127.0.0.1:{server.server_port}"
        found.settings.update(
            {
                "ETL_ALERTS_EMAIL": f"mailto://127.0.0.1:{port}?from=etl@example.org&to=oncall@example.org&mode=insecure",
                "ETL_ALERTS_SLACK": f"json://{web}/slack",
                "ETL_ALERTS_PAGERDUTY": "R0UT1NGKEY0F32CHARACTERS00000000",
                "ETL_ALERTS_PAGERDUTY_URL": f"http://{web}",
                "ETL_HEARTBEAT_URL": f"http://{web}/heartbeat",
            }
        )
        yield found
    finally:
        mail.stop()
        server.shutdown()
        server.server_close()
