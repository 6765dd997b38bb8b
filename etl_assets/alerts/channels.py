"""Channels: where messages are sent, by the settings ETL_ALERTS_EMAIL, _SLACK, _PAGERDUTY; no setting, no channel."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import Settings

SETTINGS = "alerts"
"""Settings are `ETL_ALERTS_...`."""
ALERT_SETTINGS = ("email", "slack", "pagerduty", "pagerduty_url", "summary_hour")
SECONDS = 5
"""How long a channel may take to answer."""
SUMMARY_CHARACTERS = 1024
"""How long the summary of an event may be, by PagerDuty's Events API v2."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True)
class Note:
    """A message as a channel gets it."""

    kind: str
    """opened, escalated, acknowledged, resolved or summary."""
    tier: str
    title: str
    body: str
    incident: str = ""
    """What makes messages about the same alert one, where the receiver knows such keys."""


Channel = Callable[[Note], None]
"""Sends a message; raises TransientError where it did not arrive for sure."""


def channels(settings: Settings) -> Mapping[str, Channel]:
    """The channels that are set up, by name.

    Raises:
        EtlError: A setting is not of the form that it should have; its value is not repeated.
    """
    given = settings.of_source(SETTINGS)
    found: dict[str, Channel] = {}
    for name in ("email", "slack"):
        if url := given.get(name):
            found[name] = _by_apprise(name, url)
    if key := given.get("pagerduty"):
        found["pagerduty"] = _by_pagerduty(key, given.get("pagerduty_url", "https://events.pagerduty.com"))
    return found


def _by_apprise(name: str, url: str) -> Channel:
    import apprise  # 0.4 s, which who has no such channel does without

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it says where it sends, and that may be a secret
    receiver = apprise.Apprise()
    if not receiver.add(url):
        raise EtlError(
            f"ETL_ALERTS_{name.upper()} is no URL that Apprise knows, such as mailtos://user:word@host?to=..."
        )
    for each in receiver:
        each.request_rate_per_sec = 0  # it would wait four seconds between two messages, and ours are few
    types = {"resolved": apprise.NotifyType.SUCCESS, "summary": apprise.NotifyType.INFO}
    bad = {"critical": apprise.NotifyType.FAILURE}

    def send(note: Note) -> None:
        kind = types.get(note.kind) or bad.get(note.tier, apprise.NotifyType.WARNING)
        text = apprise.NotifyFormat.TEXT
        if not receiver.notify(title=note.title, body=note.body, body_format=text, notify_type=kind):
            raise TransientError(f"{name}: the receiver did not take the message")

    return send


def _by_pagerduty(key: str, url: str) -> Channel:
    import pagerduty

    where = urlsplit(url)
    if where.scheme != "https" and where.hostname not in LOOPBACK:
        raise EtlError("ETL_ALERTS_PAGERDUTY_URL: events leave this machine by https:// alone.")

    class Client(pagerduty.EventsApiV2Client):
        url = ""  # theirs refuses http, by which a relay on this machine is reached

    def send(note: Note) -> None:
        client = Client(key, base_url=url)
        client.retry.clear()  # the outbox tries again, and waits for nobody
        client.max_network_attempts = 1
        client.timeout = SECONDS
        try:
            if note.kind == "resolved":
                client.resolve(note.incident)
            elif note.kind == "acknowledged":
                client.acknowledge(note.incident)
            else:
                client.send_event("trigger", dedup_key=note.incident, payload=_payload(note))
        except pagerduty.Error as error:
            raise TransientError(f"pagerduty: {type(error).__name__}") from None

    return send


def _payload(note: Note) -> dict[str, object]:
    return {
        "summary": note.title[:SUMMARY_CHARACTERS],
        "source": "etl_assets",
        "severity": "critical" if note.tier == "critical" else "error",
        "custom_details": {"text": note.body},
    }
