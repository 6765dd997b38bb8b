"""The `etl` command: what the UI does, from the terminal, and what operating an installation takes besides."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from etl_assets.errors import EtlError
from etl_assets.quality.issues import list_issues, resolve_issue
from etl_assets.quality.report import Line, summary
from etl_assets.settings import PROJECT, Settings, lend, names, read_settings
from etl_assets.sources import SOURCES
from etl_assets.spec.source import Source
from etl_assets.warehouse import embedded
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import connect, warehouse_url
from etl_assets.warehouse.migrations import migrate as apply_migrations
from etl_assets.warehouse.relation import Relation

SANDBOX_DAYS, SANDBOX_ROOMS, SANDBOX_START = 42, 8, date(2026, 1, 5)
SANDBOX_PERIODS = {"tracktik": ("--period", "2026_01..2026_05")}


def run(options: argparse.Namespace) -> None:
    """Load the files that wait, or the open billing periods, or what is named; build and check what follows."""
    from etl_assets.definitions import defs  # Dagster: seconds, and the other commands do without
    from etl_assets.orchestration import launch

    settings, source = read_settings(), options.source
    tables = [launch.known_table(source, name) for name in options.table]
    source.hold_reachable(settings.of_source(source.name))
    migrate_quietly(settings)
    stock = launch.stock(settings, source, retry_failed=options.retry_failed)
    for reason in stock.failed.values():
        print(f"etl: {reason}", file=sys.stderr)
    for name in stock.left_alone:
        print(f"etl: {name} is still being written, and was left alone.", file=sys.stderr)
    by_hand = bool(options.first or options.last or options.period)
    if by_hand:
        plan = [(launch.asked(source, first=options.first, last=options.last, period=options.period), "all there is")]
    else:
        plan = launch.planned(settings, source)
    for span, what in plan:
        print(f"{source.name}: {span.first} to {span.last}, {what}" + (" (dry run)" * options.dry_run))
    outcomes = [
        launch.run_span(
            settings,
            defs,
            source,
            span,
            again=by_hand,
            accept_shrink=options.accept_shrink,
            tables=tables,
            models=not options.only_load,
        )
        for span, _ in plan
        if not options.dry_run
    ]
    if not plan:
        print(f"{source.name}: no new files, nothing to do.")
    if not options.dry_run:
        report([source], [outcome.run_id for outcome in outcomes])
    broken = [error for outcome in outcomes for error in outcome.errors]
    if broken or not all(outcome.success for outcome in outcomes):
        raise EtlError("\n".join(["the run failed, and what it had not committed was left as it was:", *broken]))


def demo(options: argparse.Namespace) -> None:
    """Start the warehouse and the sandbox, load all there is, build, check, and say what was loaded."""
    from etl_assets.sandbox.operating_room.write import write_files

    settings = read_settings()
    folder = settings.landing("operating_room")
    if not folder.exists():
        folder.mkdir(parents=True)
        write_files(folder, start=SANDBOX_START, days=SANDBOX_DAYS, rooms=SANDBOX_ROOMS, split="week")
    with stand_ins(settings):
        for source in SOURCES:
            if unset := source.unset(read_settings().of_source(source.name)):
                print(f"{source.name}: left out, for {', '.join(unset)} is not set.")
                continue
            run(parser().parse_args(["run", source.name, *SANDBOX_PERIODS.get(source.name, ())]))
    print(
        "\nThe UI: make dev, then http://127.0.0.1:3000     Any SQL client: etl url     New files go to: " + str(folder)
    )


def dev(options: argparse.Namespace) -> None:
    """Open the UI on http://127.0.0.1:3000 with its daemon, sensors and schedules."""
    from etl_assets.orchestration import launch

    settings = read_settings()
    migrate_quietly(settings)
    with stand_ins(settings):
        code = launch.serve(settings, ["--host", options.host, "--port", str(options.port)])
    sys.exit(code)


@contextmanager
def stand_ins(settings: Settings) -> Iterator[None]:
    """Stand in for the services that nobody has set up, for as long as the block lasts.

    Not in a warehouse of somebody's own: nothing invented belongs there.
    """
    from etl_assets.sandbox.tracktik.company import Company
    from etl_assets.sandbox.tracktik.service import serve

    if not settings.embedded or settings.of_source("tracktik").get("url"):
        yield
        return
    with serve(Company()) as service, lend({**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "60000"}):
        print(f"tracktik: ETL_TRACKTIK_URL is not set; a sandbox stands in at {service.url}")
        yield


def status(options: argparse.Namespace) -> None:
    """Show what the warehouse holds, and how its last checks went."""
    report(options.source or SOURCES, [])


def url(options: argparse.Namespace) -> None:
    """Print the warehouse's URL, password and all; the embedded server is started where it is down."""
    print(warehouse_url(read_settings()))


def env(options: argparse.Namespace) -> None:
    """Print the environment in which `dagster` commands find this installation: eval "$(etl env)"."""
    from etl_assets.orchestration import launch

    for name, value in launch.surroundings(read_settings()).items():
        if name != "PATH":
            print(f"export {name}='{value}'")


def show_settings(options: argparse.Namespace) -> None:
    """Print a setting, or all of them but the secret ones."""
    settings = read_settings()
    if options.name:
        print(getattr(settings, options.name))
    else:
        for name in names():
            print(f"{name:20} {getattr(settings, name)}")


def migrate(options: argparse.Namespace) -> None:
    """Bring the warehouse to the newest schema."""
    applied = migrate_quietly(read_settings())
    print("\n".join(applied) or "The warehouse is up to date.")


def stop(options: argparse.Namespace) -> None:
    """Stop the embedded warehouse; its data stay."""
    settings = read_settings()
    stopped = settings.embedded and embedded.stop(settings.home / "postgres")
    print("The embedded warehouse was stopped." if stopped else "No embedded warehouse runs here.")


def issues_list(options: argparse.Namespace) -> None:
    """List findings, errors first."""
    wanted = None if options.status == "all" else options.status
    with connect(read_settings()) as connection:
        found = list_issues(
            connection,
            options.source.name if options.source else None,
            status=wanted,
            rule=options.rule,
            most=options.most,
        )
    for issue in found:
        where = f"{issue.relation} {issue.key}" + (f" {issue.field}" if issue.field else "")
        print(f"{issue.id:>8}  {issue.severity:7}  {issue.status:8}  {issue.rule:24}  {where}: {issue.message}")
    print(f"{len(found)} issues" + (f"; there may be more, see --most {options.most}" * (len(found) == options.most)))


def issues_resolve(options: argparse.Namespace) -> None:
    """Settle a finding: it stays resolved for as long as the value does not change."""
    with connect(read_settings()) as connection:
        resolve_issue(connection, options.id, by=options.by, notes=options.notes)
    print(f"Issue {options.id} is resolved.")


def sandbox_service(options: argparse.Namespace) -> None:
    """Stand in for the TrackTik API on a port of this machine, until stopped; prints how to reach it."""
    from etl_assets.sandbox.tracktik.service import run_service

    run_service(options.port)


def sandbox_files(options: argparse.Namespace) -> None:
    """Write believable operating-room files into the landing folder, or another."""
    from etl_assets.sandbox.operating_room.write import write_files

    folder = options.folder or read_settings().landing("operating_room")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        written = write_files(
            folder,
            seed=options.seed,
            start=options.start,
            days=options.days,
            rooms=options.rooms,
            defects=dict(options.defect),
            split=options.split,
        )
    except ValueError as error:
        raise EtlError(str(error)) from error
    print(f"{len(written.files)} files in {folder}")
    for rule, number in sorted(written.expected_findings.items()):
        print(f"  to be found by {rule}: {number}" * (number > 0), end="\n" * (number > 0))
    for name, number in sorted(written.expected_rejects.items()):
        print(f"  lines to be rejected of {name}: {number}")


def migrate_quietly(settings: Settings) -> list[str]:
    """Apply the migrations that the warehouse lacks, and write the calendars; returns the migrations' names."""
    with connect(settings, role=None, autocommit=True) as connection:
        applied = apply_migrations(connection, PROJECT / "sql" / "migrations")
    with connect(settings) as connection:
        for source in SOURCES:
            if source.calendar:
                write_calendar(connection, source.calendar, Relation(source.name, "billing_periods"))
    return applied


def report(sources: Sequence[Source], runs: Sequence[str]) -> None:
    """Print a line a relation."""
    with connect(read_settings()) as connection:
        connection.execute("reset role")
        lines = [line for source in sources for line in summary(connection, source.name, runs)]
    print(
        f"\n{'relation':44} {'rows':>10} {'changed':>8} {'rejected':>8} {'passed':>6} {'failed':>6} {'warned':>6}"
        f" {'s':>6}"
    )
    for line in lines:
        print(
            f"{line.relation:44} {line.rows:>10,} {line.changed:>8,} {line.rejected:>8,} {line.passed:>6}"
            f" {line.failed:>6} {line.warned:>6} {line.seconds:>6.1f}"
        )
    print(_total(lines))


def _total(lines: Sequence[Line]) -> str:
    changed = sum(line.changed for line in lines)
    checks = f"{sum(line.passed for line in lines)} checks passed, {sum(line.failed for line in lines)} failed"
    return f"{len(lines)} relations, {changed:,} rows changed; {checks}, {sum(line.warned for line in lines)} warned."


def source_named(name: str) -> Source:
    """The declared source of that name, or the list of those there are."""
    by_name = {source.name: source for source in SOURCES}
    if name not in by_name:
        raise argparse.ArgumentTypeError(f"no source {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def day(text: str) -> date:
    """A date as people type it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-01-31") from None


def planted(text: str) -> tuple[str, int]:
    """A defect and how often: `bad_date=3`."""
    kind, _, number = text.partition("=")
    if not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form bad_date=3")
    return kind, int(number)


def parser() -> argparse.ArgumentParser:
    """Every command, with the words it takes."""
    root = argparse.ArgumentParser(prog="etl", description=__doc__)
    commands = root.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "run", run)
    command.add_argument("source", type=source_named, help="a room of etl_assets/sources, such as operating_room")
    command.add_argument(
        "table", nargs="*", help="staging tables to load, before any other word; all of them where none is named"
    )
    command.add_argument("--from", dest="first", type=day, metavar="DATE", help="load and build again from this date")
    command.add_argument("--to", dest="last", type=day, metavar="DATE", help="to this date, included")
    command.add_argument("--period", metavar="ID[..ID]", help="a billing period, or those from one to another")
    command.add_argument(
        "--accept-shrink", action="store_true", help="believe a service's list that is far shorter than what is held"
    )
    command.add_argument("--only-load", action="store_true", help="load and check staging, and build nothing on it")
    command.add_argument("--retry-failed", action="store_true", help="look again at files that were refused")
    command.add_argument("--dry-run", action="store_true", help="say what would run, and run nothing")

    command = _command(commands, "issues", issues_list)
    issues = command.add_subparsers(metavar="list | resolve")
    for listing in (command, _command(issues, "list", issues_list)):
        listing.add_argument("--source", type=source_named)
        listing.add_argument("--rule")
        listing.add_argument("--status", choices=("open", "resolved", "closed", "all"), default="open")
        listing.add_argument("--most", type=int, default=50, metavar="N")
    command = _command(issues, "resolve", issues_resolve)
    command.add_argument("id", type=int)
    command.add_argument("--by", required=True, help="who says so")
    command.add_argument("--notes", required=True, help="why the finding is no fault, or what was done about it")

    command = _command(commands, "status", status)
    command.add_argument("source", nargs="*", type=source_named)
    command = _command(commands, "dev", dev)
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--port", type=int, default=3000)
    command = _command(commands, "settings", show_settings)
    command.add_argument("name", nargs="?", choices=names())
    for name, act in (("url", url), ("env", env), ("migrate", migrate), ("stop", stop), ("demo", demo)):
        _command(commands, name, act)
    _add_sandbox(commands)
    return root


def _add_sandbox(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    stand_in = commands.add_parser("sandbox", help="Stand-ins for the sources, to try and to test with.")
    commands = stand_in.add_subparsers(required=True, metavar="SOURCE")
    command = _command(commands, "tracktik", sandbox_service)
    command.add_argument("--port", type=int, default=8089)
    command = _command(commands, "operating_room", sandbox_files)
    command.add_argument("--folder", type=Path, help="where to write; the landing folder where left out")
    command.add_argument("--start", type=day, default=SANDBOX_START, metavar="DATE")
    command.add_argument("--days", type=int, default=SANDBOX_DAYS)
    command.add_argument("--rooms", type=int, default=SANDBOX_ROOMS)
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--split", choices=("day", "week", "month"), default="week", help="how much a file holds")
    command.add_argument("--defect", action="append", type=planted, default=[], metavar="KIND=N")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    act: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=act.__doc__, description=act.__doc__)
    command.set_defaults(run=act)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, or 1 where an `EtlError` was reported on stderr."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except EtlError as error:
        print(f"etl: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
