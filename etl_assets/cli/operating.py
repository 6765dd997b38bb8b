"""Commands for those who operate an installation."""

import argparse
from collections.abc import Iterator, Sequence

from etl_assets.cli.arguments import Commands, add_author, command, source_named
from etl_assets.cli.runs import migrate_quietly
from etl_assets.errors import EtlError
from etl_assets.quality.issues import (
    Issue,
    RuleIssues,
    acknowledge_issue,
    acknowledge_rule,
    count_issues,
    list_issues,
    resolve_issue,
)
from etl_assets.settings import read_settings, setting_names
from etl_assets.warehouse import embedded
from etl_assets.warehouse.connection import connect, warehouse_url

ISSUE_STATES = ("open", "new", "acknowledged", "resolved", "closed", "all")
"""What issues can be asked for by; an open one is new or acknowledged."""


def print_url(options: argparse.Namespace) -> None:
    """Print the warehouse's URL, password and all; the embedded server is started where it is down."""
    print(warehouse_url(read_settings()))


def env(options: argparse.Namespace) -> None:
    """Print the environment in which `dagster` commands find this installation: eval "$(etl env)"."""
    from etl_assets.orchestration import launch

    for name, value in launch.dagster_environment(read_settings()).items():
        if name != "PATH":
            print(f"export {name}='{value}'")


def show_settings(options: argparse.Namespace) -> None:
    """Print a setting, or all of them but the secret ones."""
    settings = read_settings()
    if options.name:
        print(getattr(settings, options.name))
    else:
        for name in setting_names():
            print(f"{name:20} {getattr(settings, name)}")


def migrate_warehouse(options: argparse.Namespace) -> None:
    """Bring the warehouse to the newest schema."""
    applied = migrate_quietly(read_settings())
    print("\n".join(applied) or "The warehouse is up to date.")


def stop_warehouse(options: argparse.Namespace) -> None:
    """Stop the embedded warehouse; its data stay."""
    settings = read_settings()
    stopped = settings.embedded and embedded.stop_server(settings.home / "postgres")
    print("The embedded warehouse was stopped." if stopped else "No embedded warehouse runs here.")


def print_metrics(options: argparse.Namespace) -> None:
    """Print metrics in Prometheus' text format, from the view etl.metric."""
    from etl_assets.warehouse.metrics import metrics_text

    with connect(read_settings()) as connection:
        print(metrics_text(connection), end="")


def issues_list(options: argparse.Namespace) -> None:
    """List findings, errors first: how many each rule has, or with --rule the single ones."""
    wanted = None if options.status == "all" else options.status
    source = options.source.name if options.source else None
    with connect(read_settings()) as connection:
        if options.rule is None:
            _print_by_rule(count_issues(connection, source, status=wanted))
            return
        found = list_issues(connection, source, status=wanted, rule=options.rule, most=options.most)
    for issue in found:
        where = f"{issue.relation} {issue.key}" + (f" {issue.field}" if issue.field else "")
        print(f"{issue.id:>8}  {issue.severity:7}  {issue.state:12}  {issue.rule:24}  {where}: {issue.message}")
        for line in _history(issue):
            print(f"{'':33}{line}")
    print(f"{len(found)} issues" + (f"; there may be more, see --most {options.most}" * (len(found) == options.most)))


def _history(issue: Issue) -> Iterator[str]:
    """What people have said of an issue, and how often it came back."""
    if issue.acknowledged_by:
        yield f"acknowledged by {issue.acknowledged_by}: {issue.acknowledged_why}"
    if issue.resolved_by:
        word = "" if issue.status == "resolved" else "before, "
        yield f"{word}resolved by {issue.resolved_by}: {issue.resolution_notes}"
    if issue.reopened_at:
        times = "once" if issue.times_reopened == 1 else f"{issue.times_reopened} times"
        yield f"found again {times}, the last time on {issue.reopened_at:%Y-%m-%d %H:%M}"


def _print_by_rule(rules: Sequence[RuleIssues]) -> None:
    for rule in rules:
        dates = {f"{day:%Y-%m-%d}" for day in (rule.first_slice, rule.last_slice) if day}
        print(
            f"{rule.findings:>10,}  {rule.severity:7}  {rule.rule:26}  {rule.relation}"
            + f"  ({' to '.join(sorted(dates))})" * bool(dates)
            + f"  {rule.acknowledged:,} acknowledged" * bool(rule.acknowledged)
            + f"\n{'':21}{rule.why}"
        )
    print(f"{sum(rule.findings for rule in rules):,} findings of {len(rules)} rules; single ones: --rule NAME")


def issues_resolve(options: argparse.Namespace) -> None:
    """Settle a finding: it stays resolved for as long as the value does not change."""
    with connect(read_settings()) as connection:
        resolve_issue(connection, options.id, by=options.by, notes=options.notes)
    print(f"Issue {options.id} is resolved.")


def issues_acknowledge(options: argparse.Namespace) -> None:
    """Say that somebody knows of a finding, or of all of a rule: it stays open, and is no news."""
    one = options.id is not None
    if one == (options.rule is not None) or (options.rule is None) != (options.source is None):
        raise EtlError("Name one issue by its number, or a rule by --rule and --source.")
    with connect(read_settings()) as connection:
        if one:
            acknowledge_issue(connection, options.id, by=options.by, why=options.why)
            print(f"Issue {options.id} is acknowledged.")
        else:
            number = acknowledge_rule(connection, options.source.name, options.rule, by=options.by, why=options.why)
            print(f"{number:,} issues of {options.rule} are acknowledged.")


def add_operating_commands(commands: Commands) -> None:
    """The commands of this room."""
    made = command(commands, "issues", issues_list)
    issues = made.add_subparsers(metavar="list | acknowledge | resolve")
    for listing in (made, command(issues, "list", issues_list)):
        listing.add_argument("--source", type=source_named)
        listing.add_argument("--rule")
        listing.add_argument("--status", choices=ISSUE_STATES, default="open")
        listing.add_argument("--most", type=int, default=50, metavar="N")
    made = command(issues, "acknowledge", issues_acknowledge)
    made.add_argument("id", type=int, nargs="?")
    made.add_argument("--rule", help="all that are open of it now")
    made.add_argument("--source", type=source_named)
    add_author(made, by="who knows", why="why it stays as it is for now")
    made = command(issues, "resolve", issues_resolve)
    made.add_argument("id", type=int)
    made.add_argument("--by", required=True, help="who says so")
    made.add_argument("--notes", required=True, help="why the finding is no fault, or what was done about it")
    made = command(commands, "settings", show_settings)
    made.add_argument("name", nargs="?", choices=setting_names())
    plain = {
        "url": print_url,
        "env": env,
        "migrate": migrate_warehouse,
        "metrics": print_metrics,
        "stop": stop_warehouse,
    }
    for name, act in plain.items():
        command(commands, name, act)
