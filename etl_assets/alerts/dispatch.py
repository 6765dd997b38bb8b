"""Dispatch: which messages open alerts call for, and the sending of those that are due."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from etl_assets.alerts import wording
from etl_assets.alerts.channels import SETTINGS, Channel, Note, channels
from etl_assets.alerts.tiers import STANDARD, Importance, Tier
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import Settings
from etl_assets.warehouse.alerts import Alert, Member, alerts_since, end_alerts
from etl_assets.warehouse.database.incidents import ROLLED_BACK
from etl_assets.warehouse.outbox import (
    Message,
    become_sender,
    drop_message,
    due_messages,
    mark_failed,
    mark_sent,
    messages_of,
    queue_messages,
)
from etl_assets.warehouse.silences import Silence, silences

HOLD = timedelta(minutes=30)
"""How long at the most nobody hears of what is to be tried again by itself."""
SECONDS = 20
"""How long one look may send; what is left waits for the next."""
LOOK_BACK = timedelta(days=2)
"""How long ago an alert may have been resolved of which something is still to be sent."""


@dataclass(frozen=True)
class Sent:
    """What one look has sent, and what did not arrive."""

    sent: int = 0
    failed: int = 0


@dataclass(frozen=True)
class _Look:
    """What one look is taken with."""

    connection: psycopg.Connection
    importance: Importance
    silences: Sequence[Silence]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """An alert with what of it people are to hear of now."""

    alert: Alert
    members: list[Member]
    """Those that are not silenced."""
    tier: Tier
    is_held: bool
    """Whether it is to be tried again by itself."""

    @property
    def incident(self) -> str:
        """The same for all messages about the alert, in this installation and in no other."""
        return f"etl_assets/{self.alert.opened_at.timestamp():.6f}/{self.alert.alert_id}"


def send_alerts(
    settings: Settings,
    sources: Collection[Source],
    connection: psycopg.Connection,
    now: datetime,
    *,
    retry_is_pending: Callable[[str], bool] = lambda _run: False,
) -> Sent:
    """Queue what open and resolved alerts call for, and send what is due. One process at a time does it.

    Args:
        settings: Which channels there are.
        sources: What is declared of tables: their importance, and whether their failure alerts.
        connection: In autocommit mode; each message is noted as sent before the next one is.
        now: The moment.
        retry_is_pending: Whether a run of Dagster is to be tried again by itself.

    Raises:
        EtlError: A channel is not set up as it should be.
    """
    receivers = channels(settings)
    if not receivers or not become_sender(connection):
        return Sent()
    with connection.transaction():
        end_alerts(connection)
    look = _Look(connection, Importance(sources), silences(connection, now), now)
    subjects = {
        alert.alert_id: _subject(alert, look, retry_is_pending) for alert in alerts_since(connection, now - LOOK_BACK)
    }
    queue_messages(connection, _wanted(connection, settings, list(subjects.values()), receivers, now))
    sent = failed = 0
    silent: set[str] = set()
    started = time.monotonic()
    for message in due_messages(connection, now):
        subject = subjects.get(message.alert_id or 0)
        if message.alert_id and _has_passed(message, subject):
            drop_message(connection, message, now)
        elif message.channel in silent or message.channel not in receivers or (subject and _waits(message, subject)):
            continue
        elif time.monotonic() - started > SECONDS:
            break
        else:
            note = _note(message, subject, look)
            try:
                receivers[message.channel](note)
            except TransientError as error:
                mark_failed(connection, message, str(error), now)
                silent.add(message.channel)
                failed += 1
            else:
                mark_sent(connection, message, now)
                sent += 1
    return Sent(sent, failed)


def _subject(alert: Alert, look: _Look, retry_is_pending: Callable[[str], bool]) -> _Subject:
    heard = [
        member
        for member in alert.members
        if alert.kind == ROLLED_BACK  # a person did it, and not the noise that another one silenced
        or not any(silence.covers(alert.source, member.relation) for silence in look.silences)
    ]
    tier = look.importance.highest(alert.source, alert.kind, [each.relation for each in heard or alert.members])
    may_pass = alert.resolved_at is None and alert.run_id is not None and look.now - alert.opened_at < HOLD
    is_held = may_pass and retry_is_pending(alert.run_id or "")
    return _Subject(alert=alert, members=heard, tier=tier, is_held=is_held)


def _wanted(
    connection: psycopg.Connection,
    settings: Settings,
    subjects: Collection[_Subject],
    receivers: Mapping[str, Channel],
    now: datetime,
) -> list[Message]:
    """The messages that there should be; those that are there already keep their keys."""
    arrived: dict[int, list[Message]] = {}
    for message in messages_of(connection, [each.alert.alert_id for each in subjects]):
        if message.sent_at and message.alert_id:
            arrived.setdefault(message.alert_id, []).append(message)
    wanted = [
        message
        for subject in subjects
        for message in _about(subject, arrived.get(subject.alert.alert_id, []), now)
        if message.channel in receivers
    ]
    if "email" in receivers:
        day = now.replace(hour=summary_hour(settings), minute=0, second=0, microsecond=0)
        if now >= day:
            key = f"summary/{day:%Y-%m-%d}/email"
            wanted.append(
                Message(message_key=key, alert_id=None, kind="summary", channel="email", created_at=now, due_at=day)
            )
    return wanted


def _about(subject: _Subject, arrived: Sequence[Message], now: datetime) -> list[Message]:
    """The messages about one alert that are called for, `arrived` being those that people have."""
    alert, tier = subject.alert, subject.tier
    heard = {message.channel for message in arrived if message.kind in {"opened", "escalated"}}
    due: list[tuple[str, str, datetime]] = []
    if alert.resolved_at:
        due += [("resolved", channel, alert.resolved_at) for channel in sorted(heard)]
    elif subject.members and not subject.is_held:
        due += [("opened", channel, alert.opened_at + tier.delay) for channel in tier.channels]
        if first := [alert.opened_at] if not tier.channels else [each.sent_at for each in arrived if each.sent_at]:
            due += [("escalated", channel, min(first) + tier.escalates_after) for channel in tier.escalates_to]
    if alert.acknowledged_at and "pagerduty" in heard and not alert.resolved_at:
        due.append(("acknowledged", "pagerduty", alert.acknowledged_at))
    return [
        Message(
            message_key=f"alert/{alert.alert_id}/{kind}/{channel}",
            alert_id=alert.alert_id,
            kind=kind,
            channel=channel,
            created_at=now,
            due_at=moment,
        )
        for kind, channel, moment in due
    ]


def _has_passed(message: Message, subject: _Subject | None) -> bool:
    """Whether what a message was about is over: what opened and was over before anybody heard of it, nobody does."""
    if subject is None:
        return True
    if message.kind == "escalated" and subject.alert.acknowledged_at:
        return True
    return message.kind != "resolved" and subject.alert.resolved_at is not None


def _waits(message: Message, subject: _Subject) -> bool:
    """Whether a message waits for the end of a silence, or for what is tried again by itself."""
    return message.kind != "resolved" and (subject.is_held or not subject.members)


def _note(message: Message, subject: _Subject | None, look: _Look) -> Note:
    if subject is None:
        alerts = alerts_since(look.connection, look.now - timedelta(days=1))
        number = sum(alert.resolved_at is None for alert in alerts)
        title = f"[etl_assets] daily summary {look.now:%Y-%m-%d}: " + (f"{number} open" * bool(number) or "all is well")
        body = wording.daily_summary(alerts, look.importance, look.silences, now=look.now)
        return Note(kind="summary", tier=STANDARD.name, title=title, body=body)
    alert, members = subject.alert, subject.members or subject.alert.members
    return Note(
        kind=message.kind,
        tier=subject.tier.name,
        title=wording.title(alert, subject.tier, kind=message.kind, members=members),
        body=wording.body(alert, look.importance, members=members, kind=message.kind),
        incident=subject.incident,
    )


def summary_hour(settings: Settings) -> int:
    """The hour of the daily summary, UTC; 6 where ETL_ALERTS_SUMMARY_HOUR is not set.

    Raises:
        EtlError: It is no hour of a day.
    """
    text = settings.of_source(SETTINGS).get("summary_hour", "6")
    if not text.isdigit() or int(text) > 23:  # noqa: PLR2004 (the last hour of a day)
        raise EtlError(f"ETL_ALERTS_SUMMARY_HOUR is {text!r}; an hour from 0 to 23 was expected.")
    return int(text)
