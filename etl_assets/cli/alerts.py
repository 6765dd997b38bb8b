"""Commands for alerts: what is wrong, who is at it, when nobody is to hear of it, and whether messages arrive."""

import argparse
from datetime import UTC, datetime

from etl_assets.alerts.channels import Note, channels
from etl_assets.alerts.dispatch import send_alerts
from etl_assets.alerts.tiers import IMPORTANT, Importance
from etl_assets.alerts.wording import happened, what_to_run
from etl_assets.cli.arguments import Commands, add_author, command, source_named, table_named
from etl_assets.errors import EtlError, TransientError
from etl_assets.settings import read_settings
from etl_assets.sources import SOURCES
from etl_assets.warehouse.alerts import Alert, acknowledge_alert, latest_alerts
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.outbox import send_again
from etl_assets.warehouse.silences import add_silence, end_silence, silences


def alerts_list(options: argparse.Namespace) -> bool:
    """List alerts, those that are open first, and the silences that last.

    Returns whether none is open.
    """
    with connect(read_settings()) as connection:
        found = latest_alerts(connection, options.most)
        lasting = silences(connection, datetime.now(UTC))
    importance = Importance(SOURCES)
    for alert in found:
        print(_line(alert, importance))
        for member in alert.members[: options.members] if not alert.resolved_at else ():
            print(f"{'':10}{member.relation or alert.source} {member.rule}".rstrip() + f": {member.why}")
        if not alert.resolved_at:
            print(f"{'':10}run: {what_to_run(alert, alert.members)}")
    for silence in lasting:
        print(
            f"silence {silence.silence_id}: {silence.relation or silence.source} until"
            f" {silence.ends_at:%Y-%m-%d %H:%M} UTC, by {silence.created_by}: {silence.why}"
        )
    number = sum(alert.resolved_at is None for alert in found)
    print(f"{number} open alerts.")
    return not number


def _line(alert: Alert, importance: Importance) -> str:
    tier = importance.highest(alert.source, alert.kind, [each.relation for each in alert.members])
    state = tier.name if alert.resolved_at is None else "resolved"
    by = f", acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else ""
    return (
        f"{alert.alert_id:>6}  {state:10} {alert.source}: {len(alert.members)} ({happened(alert)})"
        f" since {alert.since:%Y-%m-%d %H:%M} UTC{by}"
    )


def alerts_acknowledge(options: argparse.Namespace) -> None:
    """Say that somebody is at an alert: it is not escalated."""
    with connect(read_settings()) as connection:
        acknowledge_alert(connection, options.id, by=options.by, why=options.why)
    print(f"Alert {options.id} is acknowledged by {options.by}.")


def alerts_silence(options: argparse.Namespace) -> None:
    """Silence a source, or one of its tables, for some hours; what is wrong when they are over is sent then."""
    source = options.source
    relation = f"{source.schema}.{table_named(source, options.table).name}" if options.table else ""
    with connect(read_settings()) as connection:
        made = add_silence(connection, source.name, relation, hours=options.hours, by=options.by, why=options.why)
    print(
        f"Silence {made.silence_id}: {relation or source.name} until {made.ends_at:%Y-%m-%d %H:%M} UTC."
        f" To end it before: etl alerts unsilence {made.silence_id}"
    )


def alerts_unsilence(options: argparse.Namespace) -> None:
    """End a silence."""
    with connect(read_settings()) as connection:
        end_silence(connection, options.id)
    print(f"Silence {options.id} has ended.")


def alerts_test(options: argparse.Namespace) -> None:
    """Send a test message to every channel that is set up, and say which took it.

    Raises:
        EtlError: None is set up, or one did not take it.
    """
    del options
    receivers = channels(read_settings())
    if not receivers:
        raise EtlError("No channel is set up: set ETL_ALERTS_EMAIL, ETL_ALERTS_SLACK or ETL_ALERTS_PAGERDUTY.")
    words = {"title": "[etl_assets] TEST: this is a drill", "body": "Nothing is wrong. Somebody ran: etl alerts test"}
    failed = []
    for name, send in receivers.items():
        try:
            for kind in ("opened", "resolved"):
                send(Note(kind=kind, tier=IMPORTANT.name, incident="etl_assets/test", **words))
        except TransientError as error:
            failed.append(str(error))
        else:
            print(f"{name}: it took the message.")
    if failed:
        raise EtlError("; ".join(failed))


def alerts_send(options: argparse.Namespace) -> None:
    """Send what is due, and try again what did not arrive; the sensor does so by itself every quarter of a minute."""
    del options
    if not send_unsent():
        print("alerts: nothing is due.")


def send_unsent() -> bool:
    """Send what is due, and what did not arrive, and say how many messages that were; whether there were any."""
    settings = read_settings()
    with connect(settings, autocommit=True) as connection:
        now = datetime.now(UTC)
        again = send_again(connection, now)
        sent = send_alerts(settings, SOURCES, connection, now)
    if again or sent.sent or sent.failed:
        print(f"alerts: {sent.sent} messages sent, {sent.failed} not taken.")
        return True
    return False


def add_alert_commands(commands: Commands) -> None:
    """The command `alerts`."""
    made = command(commands, "alerts", alerts_list)
    inner = made.add_subparsers(metavar="list | acknowledge | silence | unsilence | test | send")
    for listing in (made, command(inner, "list", alerts_list)):
        listing.add_argument("--most", type=int, default=20, metavar="N", help="alerts that are listed")
        listing.add_argument("--members", type=int, default=5, metavar="N", help="tables that are named of each")
    made = command(inner, "acknowledge", alerts_acknowledge)
    made.add_argument("id", type=int)
    add_author(made)
    made = command(inner, "silence", alerts_silence)
    made.add_argument("source", type=source_named)
    made.add_argument("table", nargs="?")
    made.add_argument("--hours", type=float, required=True)
    add_author(made)
    made = command(inner, "unsilence", alerts_unsilence)
    made.add_argument("id", type=int)
    command(inner, "test", alerts_test)
    command(inner, "send", alerts_send)
