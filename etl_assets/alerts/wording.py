"""The text of messages: what is wrong, since when, how bad it is, its cause, and what to run. No value of a row."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from etl_assets.alerts.tiers import TIERS, Importance, Tier
from etl_assets.warehouse.alerts import Alert, Member
from etl_assets.warehouse.silences import Silence

SHOWN = 10
"""How many tables a message names; it says how many there are besides."""
_HAPPENED = {
    "failed": "could not be loaded or built",
    "late": "late: nothing has come in time",
    "degraded": "checks stand failed",
    "hanging": "a load goes on for too long",
    "platform": "what runs the loads does not work",
    "rolled_back": "rolled back to the old pipeline",
}


def title(alert: Alert, tier: Tier, *, kind: str, members: Sequence[Member]) -> str:
    """One line: how bad, whose, how many and what."""
    word = {"opened": tier.name, "escalated": f"{tier.name}, nobody has acknowledged it"}.get(kind, kind)
    one = members[0] if len(members) == 1 else None
    what = f"{len(members):,} checks" if alert.kind == "degraded" else f"{len(members):,} tables and models"
    if one:
        what = " ".join(filter(None, [one.relation, one.rule])) or "the source"
    return f"[etl_assets] {word.upper()}: {alert.source}: {what} ({happened(alert)})"


def body(alert: Alert, importance: Importance, *, members: Sequence[Member], kind: str) -> str:
    """What a person needs who is woken by it."""
    if kind == "resolved":
        over = alert.resolved_at or alert.opened_at
        return f"It is over since {_moment(over)}, after {_span(alert.since, over)}.\n\n{_list(members)}"
    tiers = Counter(importance.tier(alert.source, alert.kind, each.relation) for each in members)
    bad = ", ".join(f"{tiers[tier]:,} {tier.name}" for tier in TIERS if tiers[tier])
    return "\n".join(
        [
            f"What:  {happened(alert)}",
            f"Since: {_moment(alert.since)}",
            f"How bad: {bad}",
            f"Cause: {members[0].why}",
            f"Run:   {what_to_run(alert, members)}",
            "",
            _list(members),
            "",
            f"Who is at it says so: etl alerts acknowledge {alert.alert_id} --by NAME --why WORDS",
        ]
    )


def happened(alert: Alert) -> str:
    """What is wrong, in a few words."""
    return _HAPPENED[alert.kind]


def what_to_run(alert: Alert, members: Sequence[Member]) -> str:
    """What to run, or to look at."""
    if alert.kind == "failed":
        return f"etl retry {alert.source}"
    if alert.kind == "late":
        return f"etl run {alert.source}"
    if alert.kind == "degraded":
        return f"etl issues list --source {alert.source} --rule {members[0].rule}"
    if alert.kind == "hanging":
        return "etl status --watch; if it does not go on, terminate its run in the UI: the next one goes on from there"
    if alert.kind == "rolled_back":
        return f"the incident report has the way forward; at its end: etl resume {alert.source} --by NAME --why WORDS"
    return "etl status; the page Deployment of the UI"


def daily_summary(
    alerts: Sequence[Alert], importance: Importance, silences: Sequence[Silence], *, now: datetime
) -> str:
    """The daily summary: what is wrong, what was over in the last day, and what is silenced."""
    is_open = [alert for alert in alerts if alert.resolved_at is None]
    over = [alert for alert in alerts if alert.resolved_at and (now - alert.resolved_at).days < 1]
    lines = ["Nothing is wrong." if not is_open else f"{len(is_open)} things are wrong:"]
    for alert in is_open:
        tier = importance.highest(alert.source, alert.kind, [each.relation for each in alert.members])
        since = _moment(alert.since)
        by = f", acknowledged by {alert.acknowledged_by}" if alert.acknowledged_by else ""
        lines += ["", f"{tier.name}: {alert.source}: {happened(alert)}, since {since}{by}"]
        lines += [f"  cause: {alert.members[0].why}", f"  run:   {what_to_run(alert, alert.members)}"]
        lines += [f"  {line}" for line in _list(alert.members).splitlines()]
    if over:
        lines += ["", f"{len(over)} were over in the last day:"]
        lines += [
            f"  {alert.source}: {happened(alert)}, from {_moment(alert.since)}"
            f" for {_span(alert.since, alert.resolved_at or now)}"
            for alert in over[:SHOWN]
        ]
    if silences:
        lines += ["", "Silenced:"]
        lines += [
            f"  {each.relation or each.source} until {_moment(each.ends_at)}, by {each.created_by}: {each.why}"
            for each in silences
        ]
    return "\n".join(lines)


def _list(members: Sequence[Member]) -> str:
    lines = [" ".join(filter(None, [each.relation, each.rule])) or "the whole source" for each in members[:SHOWN]]
    if len(members) > SHOWN:
        lines.append(f"and {len(members) - SHOWN:,} more: etl status")
    return "\n".join(lines)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _span(first: datetime, last: datetime) -> str:
    hours, minutes = divmod(max(round((last - first).total_seconds() / 60), 0), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"
