"""The outbox: messages that are to be sent, each at least once, and once where its receiver knows its key."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row

GIVE_UP = timedelta(days=1)
"""How long a channel is tried that does not answer."""
LONGEST_PAUSE = timedelta(minutes=30)
_SENDER_LOCK = "hashtextextended('etl alert sender', 0)"


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to one channel."""

    message_key: str
    alert_id: int | None
    kind: str
    channel: str
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    dropped_at: datetime | None = None


def become_sender(connection: psycopg.Connection) -> bool:
    """Whether nobody else is sending; until the connection ends nobody else will."""
    row = connection.execute(f"select pg_try_advisory_lock({_SENDER_LOCK})").fetchone()
    return bool(row and row[0])


def queue_messages(connection: psycopg.Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox; one whose key is there already is left as it is."""
    connection.cursor().executemany(
        "insert into etl.alert_message (message_key, alert_id, kind, channel, created_at, due_at)"
        " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
        [(each.message_key, each.alert_id, each.kind, each.channel, each.created_at, each.due_at) for each in messages],
    )


def messages_of(connection: psycopg.Connection, alerts: Iterable[int]) -> list[Message]:
    """The messages about some alerts, sent or not."""
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(f"{_MESSAGES} where alert_id = any(%s) order by due_at", [list(alerts)]).fetchall()


def due_messages(connection: psycopg.Connection, now: datetime) -> list[Message]:
    """The messages that are to be sent now, those that have waited longest in front."""
    with connection.cursor(row_factory=class_row(Message)) as cursor:
        return cursor.execute(
            f"{_MESSAGES} where sent_at is null and dropped_at is null and due_at <= %s order by due_at", [now]
        ).fetchall()


def mark_sent(connection: psycopg.Connection, message: Message, now: datetime) -> None:
    """Note that a message has arrived."""
    connection.execute(
        "update etl.alert_message set sent_at = %s, attempts = attempts + 1 where message_key = %s",
        [now, message.message_key],
    )


def mark_failed(connection: psycopg.Connection, message: Message, error: str, now: datetime) -> None:
    """Note that a message did not arrive: it is tried again later and later, for a day."""
    pause = min(timedelta(seconds=15) * 2**message.attempts, LONGEST_PAUSE)
    gone = now if now - message.created_at > GIVE_UP else None
    connection.execute(
        "update etl.alert_message set attempts = attempts + 1, last_error = %s, due_at = %s, dropped_at = %s"
        " where message_key = %s",
        [error[:200], now + pause, gone, message.message_key],
    )


def drop_message(connection: psycopg.Connection, message: Message, now: datetime) -> None:
    """Note that a message is not sent at all: what it was about has passed."""
    connection.execute(
        "update etl.alert_message set dropped_at = %s where message_key = %s", [now, message.message_key]
    )


def send_again(connection: psycopg.Connection, now: datetime) -> int:
    """Have every message that has not arrived be sent at the next look, given up or not; returns how many."""
    return connection.execute(
        "update etl.alert_message set due_at = least(due_at, %s), dropped_at = null"
        " where sent_at is null and attempts > 0",
        [now],
    ).rowcount


def silent_channels(connection: psycopg.Connection, now: datetime) -> dict[str, tuple[datetime, str]]:
    """The channels that did not take a message twice or more: since when it should have arrived, and why not."""
    rows = connection.execute(
        "select channel, min(created_at), max(last_error) from etl.alert_message"
        " where sent_at is null and attempts >= 2 and created_at > %s group by channel",
        [now - GIVE_UP],
    )
    return {channel: (since, error) for channel, since, error in rows}


_MESSAGES = (
    "select message_key, alert_id, kind, channel, created_at, due_at, attempts, sent_at, dropped_at"
    " from etl.alert_message"
)
