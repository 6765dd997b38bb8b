"""Commands that load, build and check, and those that show what came of it."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from etl_assets.cli.alerts import send_unsent
from etl_assets.cli.arguments import Commands, command, day, source_or_all, tables_named, tables_of_jobs
from etl_assets.cli.sandboxes import stand_ins, write_first_files
from etl_assets.declare.copied_table import IMPORTANCES
from etl_assets.declare.dates import Calendar, Span
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.load import LoadOptions
from etl_assets.quality.report import Line, summary
from etl_assets.settings import PROJECT, Settings, read_settings
from etl_assets.sources import SOURCES, chosen_sources
from etl_assets.warehouse.calendars import write_calendar
from etl_assets.warehouse.connection import Connection, connect
from etl_assets.warehouse.files.ledger import failed_files
from etl_assets.warehouse.ledger import Counts, built_relations, open_batch, record_load
from etl_assets.warehouse.migrations import migrate as apply_migrations
from etl_assets.warehouse.relation import Relation
from etl_assets.warehouse.rest.job_ledger import jobs_to_retry
from etl_assets.warehouse.rest.job_tables import create_job_tables
from etl_assets.warehouse.table_failures import failed_builds, table_failures

_OF_ONE_SOURCE = ("table", "importance", "period", "job", "instance", "layer")
DEMO_PERIODS = {"tracktik": ("--period", "2026_01..2026_05")}


def run(options: argparse.Namespace) -> bool:
    """Load what waits or has changed, or what is named; build and check what follows.

    Returns whether no check of the source stands failed as an error.
    """
    return _run_all(options) if options.source is None else _run_source(options)


def _run_all(options: argparse.Namespace) -> bool:
    """Run every source that is set up, one after the other; one that fails keeps none of the others.

    Raises:
        EtlError: Some have failed, or words were said that are of one source.
    """
    words = vars(options)
    if of_one := [word for word in _OF_ONE_SOURCE if words[word]]:
        raise EtlError(f"{', '.join(of_one)}: that is chosen of one source, and not of all.")
    failed, is_clean = [], True
    for source in _set_up(chosen_sources(read_settings().sources)):
        try:
            is_clean &= _run_source(argparse.Namespace(**{**words, "source": source}))
        except EtlError as error:
            print(f"etl: {source.name}: {error}", file=sys.stderr)
            failed.append(source.name)
    if failed:
        raise EtlError(f"{', '.join(failed)} failed, as is said above. The others were run.")
    return is_clean


def _set_up(sources: Sequence[Source]) -> Iterator[Source]:
    """Those of these sources that are set up; of the others it says what is not set."""
    for source in sources:
        if missing := source.missing_settings(read_settings().of_source(source.name)):
            print(f"{source.name}: left out, for {', '.join(missing)} is not set.")
        else:
            yield source


def _run_source(options: argparse.Namespace) -> bool:
    from etl_assets.orchestration import launch  # Dagster: seconds, and the other commands do without
    from etl_assets.orchestration.code_location import code_location
    from etl_assets.orchestration.kinds import kind_of

    settings, source = read_settings(), options.source
    tables = tables_named(source, options.table, options.importance) + tables_of_jobs(source, options.job)
    _require_layer(source, options.layer)
    # A higher layer does not ask the source, and nor do models alone.
    if not options.only_models and options.layer in {None, next(iter(source.layers), None)}:
        source.require_settings(settings.of_source(source.name))
    migrate_quietly(settings)
    scan = launch.scan_files(settings, source, retry_failed=options.retry_failed)
    for reason in scan.failed.values():
        print(f"etl: {reason}", file=sys.stderr)
    for name in scan.unsettled:
        print(f"etl: {name} is still being written, and was left alone.", file=sys.stderr)
    by_hand = bool(options.first or options.last or options.period)
    plan = _spans(settings, source, options)
    load_options = LoadOptions(
        reload=by_hand,
        accept_shrink=options.accept_shrink,
        full_compare=options.sweep,
        any_hour=options.any_hour,
        only_failed=options.only_failed,
        jobs=options.job,
        instances=options.instance,
    )
    for span, what in plan:
        print(f"{source.name}: {span.first} to {span.last}, {what}" + (" (dry run)" * options.dry_run))
    if options.dry_run:
        for line in kind_of(source).plan(settings, source, tables, load_options):
            print(line)
        return True
    # The others' declarations cost this run nothing, and where nothing waits, neither do its own.
    definitions = code_location([source] if plan else [])
    outcomes = [
        launch.run_span(
            settings,
            definitions,
            source,
            span,
            tables=tables,
            models=not options.only_load,
            build="asked" if options.rebuild else "changed",
            layer=options.layer,
            loads=not options.only_models,
            options=load_options,
        )
        for span, _ in plan
    ]
    if not plan:
        _say_nothing_waits(settings, source)
    runs = [run for outcome in outcomes for run in outcome.run_ids]
    lines = report([source], runs)
    _say_what_failed(settings, source)
    if plan and not options.only_load:
        _say_what_was_built(settings, source, runs)
    broken = [error for outcome in outcomes for error in outcome.errors]
    if broken or not all(outcome.success for outcome in outcomes):
        raise EtlError("\n".join(["the run failed, and what it had not committed was left as it was:", *broken]))
    return not any(line.failed for line in lines)


def _spans(settings: Settings, source: Source, options: argparse.Namespace) -> list[tuple[Span, str]]:
    """The spans to run, each with what is done in it: what is asked for by dates or periods, or else what is due."""
    from etl_assets.orchestration import launch
    from etl_assets.orchestration.kinds import kind_of
    from etl_assets.orchestration.partitions import recent_span

    if options.only_models:
        return [(recent_span(source, 1), "what is built of it")]
    if options.first or options.last or options.period:
        asked = launch.requested_span(source, first=options.first, last=options.last, period=options.period)
        return [(asked, "all there is")]
    return list(kind_of(source).due(settings, source))


def _require_layer(source: Source, layer: str | None) -> None:
    if layer and layer not in source.layers:
        there = ", ".join(source.layers) or "none that can be run alone"
        raise EtlError(f"{source.name} has no layer {layer}. It has {there}.")


def retry(options: argparse.Namespace) -> bool:
    """Run again exactly what failed: files, tables, requests of a service, models, messages; of one source, or of all.

    Returns whether no check of these sources stands failed as an error.
    """
    settings, is_clean = read_settings(), True
    migrate_quietly(settings)
    for source in [options.source] if options.source else chosen_sources(settings.sources):
        if again := _what_failed(settings, source):
            is_clean &= _run_source(again)
        else:
            print(f"{source.name}: nothing has failed, nothing to do.")
    send_unsent()
    return is_clean


def _what_failed(settings: Settings, source: Source) -> argparse.Namespace | None:
    """The words of the run that takes what failed, and what is built on it; None where nothing did."""
    from etl_assets.cli import parser  # it has this room in it
    from etl_assets.orchestration.models.build_plan import source_builds

    with connect(settings) as connection:
        jobs = sorted({job for job, _ in jobs_to_retry(connection, source.name)})
        files = failed_files(connection, source.name)
        failures = [failure.relation for failure in table_failures(connection, source.name)]
        models = failed_builds(connection, source_builds(source.name))
    tables = [name.removeprefix(f"{source.schema}.") for name in failures]
    words: list[str] = []
    if jobs:
        words = ["--job", *map(str, jobs)]
    elif files:
        words = ["--retry-failed"]
    elif not (tables or models):
        return None
    again = parser().parse_args(["run", source.name, *([] if words else tables), *words])
    again.only_failed, again.only_models = bool(jobs), not (words or tables)
    return again


def _say_nothing_waits(settings: Settings, source: Source) -> None:
    print(f"{source.name}: no new files in {settings.landing(source.name)}, nothing to do.")
    if stray := [path for path in settings.landing_dir.glob("*") if path.is_file()]:
        print(
            f"{len(stray)} files lie in {settings.landing_dir} itself, where no source looks, such as"
            f" {stray[0].name}: move them to the folder of their source."
        )


def _say_what_was_built(settings: Settings, source: Source, runs: Sequence[str]) -> None:
    from etl_assets.orchestration.models.build_plan import source_builds

    with connect(settings, autocommit=True) as connection:
        built = built_relations(connection, runs)
    models = source_builds(source.name)
    built &= models.keys()  # marts that are published are no models
    if not models:
        return
    passed = len(models.keys() - built)
    why = "what they read has not changed"
    print(f"{len(built)} of {len(models)} models were built; {passed} were passed over, for {why}.")


def demo(options: argparse.Namespace) -> None:
    """Start the warehouse and the sandbox, load all there is, build, check, and say what was loaded."""
    from etl_assets.cli import parser  # it has this room in it
    from etl_assets.orchestration.models.dbt_project import parsed_ahead

    settings = read_settings()
    with parsed_ahead(), stand_ins(settings):
        folder = write_first_files(settings)
        for source in _set_up(SOURCES):
            run(parser().parse_args(["run", source.name, *DEMO_PERIODS.get(source.name, ())]))
    print(
        "\nThe UI: make dev, then http://127.0.0.1:3000     Any SQL client: etl url     New files go to: " + str(folder)
    )


def dev(options: argparse.Namespace) -> None:
    """Open the UI on http://127.0.0.1:3000 with its daemon, sensors and schedules."""
    from etl_assets.orchestration import launch

    settings = read_settings()
    migrate_quietly(settings)
    with stand_ins(settings):
        code = launch.serve(settings, host=options.host, port=options.port)
    sys.exit(code)


def migrate_quietly(settings: Settings) -> list[str]:
    """Apply the migrations that the warehouse lacks, make the tables of jobs, and write the calendars.

    Returns the migrations' names.
    """
    with connect(settings, role=None, autocommit=True) as connection:
        applied = apply_migrations(connection, PROJECT / "sql" / "migrations")
    with connect(settings) as connection:
        for source in SOURCES:
            create_job_tables(connection, source)
            if source.calendar:
                _write_calendar(settings, connection, source, source.calendar)
    return applied


def _write_calendar(settings: Settings, connection: Connection, source: Source, calendar: Calendar) -> None:
    relation = Relation(source.name, "billing_periods")
    if new := write_calendar(connection, calendar, relation):
        with open_batch(settings, source.name, "calendar") as batch:  # models are built of it
            record_load(connection, batch, relation, Counts(rows_read=new, rows_inserted=new), seconds=0)
            connection.commit()


def report(sources: Sequence[Source], runs: Sequence[str]) -> list[Line]:
    """Print a line a relation; returns them."""
    with connect(read_settings()) as connection:
        connection.execute("reset role")
        lines = [line for source in sources for line in summary(connection, source.name, runs)]
    headers = ("changed", "deleted", "rejected", "passed", "failed", "warned")
    print(f"\n{'relation':44} {'rows':>10} " + " ".join(f"{name:>8}" for name in headers) + f" {'s':>6}")
    shown = [line for line in lines if line.rows or line.changed or line.rejected or line.failed or line.warned]
    for line in shown:
        counts = " ".join(f"{getattr(line, name):>8,}" for name in headers)
        print(f"{line.relation:44} {line.rows:>10,} {counts} {line.seconds:>6.1f}")
    if len(shown) < len(lines):
        print(f"{len(lines) - len(shown)} more are empty.")
    print(_total(lines))
    return lines


def _say_what_failed(settings: Settings, source: Source) -> None:
    with connect(settings) as connection:
        failures = table_failures(connection, source.name)
    for each in failures:
        print(
            f"{each.relation} could not be loaded since {each.failed_since:%Y-%m-%d %H:%M} UTC:"
            " what is built on it is stale."
        )


def _total(lines: Sequence[Line]) -> str:
    changed, deleted = sum(line.changed for line in lines), sum(line.deleted for line in lines)
    checks = f"{sum(line.passed for line in lines)} checks passed, {sum(line.failed for line in lines)} failed"
    deletions = f" {deleted:,} of them deleted from staging;" * bool(deleted)
    warned = sum(line.warned for line in lines)
    return f"{len(lines)} relations, {changed:,} rows changed;{deletions} {checks}, {warned} warned."


def add_run_commands(commands: Commands) -> None:
    """The commands of this room."""
    made = command(commands, "run", run)
    what = "a room of etl_assets/sources, such as operating_room; or all, for each that is set up"
    made.add_argument("source", type=source_or_all, help=what)
    made.add_argument(
        "table", nargs="*", help="staging tables to load, before any other word; all of them where none is named"
    )
    made.add_argument("--layer", metavar="NAME", help="one layer alone, of what lies below it as it is")
    made.add_argument("--importance", choices=IMPORTANCES, help="a database's tables of this class alone")
    made.add_argument("--from", dest="first", type=day, metavar="DATE", help="load and build again from this date")
    made.add_argument("--to", dest="last", type=day, metavar="DATE", help="to this date, included")
    made.add_argument("--period", metavar="ID[..ID]", help="a billing period, or those from one to another")
    made.add_argument("--job", type=int, nargs="+", default=[], metavar="ID", help="configured jobs of a service alone")
    made.add_argument("--instance", action="append", default=[], metavar="NAME", help="one instance of a service alone")
    made.set_defaults(only_failed=False, only_models=False)
    made.add_argument("--sweep", action="store_true", help="compare every row, not only what is stamped as changed")
    made.add_argument(
        "--accept-shrink", action="store_true", help="believe a list or a table that is far shorter than what is held"
    )
    made.add_argument("--any-hour", action="store_true", help="read a source outside of its hours, too")
    made.add_argument("--only-load", action="store_true", help="load and check staging, and build nothing on it")
    made.add_argument(
        "--rebuild", action="store_true", help="build every model, and not only what something happened to"
    )
    made.add_argument("--retry-failed", action="store_true", help="look again at files that were refused")
    made.add_argument("--dry-run", action="store_true", help="say what would run, and run nothing")

    made = command(commands, "retry", retry)
    made.add_argument("source", type=source_or_all, nargs="?", help="all of them where none is named")

    made = command(commands, "dev", dev)
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=3000)
    command(commands, "demo", demo)
