"""Commands for an emergency: a source's live views back to the old pipeline at once, and the way forward again."""

import argparse
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from etl_assets.alerts.channels import channels
from etl_assets.cli.alerts import send_unsent
from etl_assets.cli.arguments import Commands, add_author, command, source_named
from etl_assets.cli.runs import migrate_quietly
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.report.incident import way_forward, write_incident_report
from etl_assets.settings import Settings, read_settings
from etl_assets.warehouse.connection import Connection, connect
from etl_assets.warehouse.database.incidents import (
    Incident,
    begin_incident,
    end_incident,
    note_stopped,
    open_incident,
    turn_all_to_old,
)

if TYPE_CHECKING:  # Dagster: seconds, and the other commands do without
    from etl_assets.orchestration.standstill import SourceControl


def roll_source_back(options: argparse.Namespace) -> None:
    """Set a source back to the old pipeline at once: stop its schedules, turn its live views, alert, and report.

    Every step is taken, whatever became of the one before; it ends with 1 where one failed, and may be run again.
    """
    settings, source = read_settings(), options.source
    _ = source.database
    migrate_quietly(settings)
    from etl_assets.orchestration.standstill import SourceControl

    control = SourceControl(source)
    with connect(settings, autocommit=True) as connection:
        incident = begin_incident(connection, source, by=options.by, why=options.why)
        done: list[str] = []
        failed: list[str] = []
        for what, step in (
            ("Schedules", lambda: _stop(settings, control, connection, incident)),
            ("Views", lambda: _turn(source, connection, options)),
            ("Runs", lambda: _end_runs(settings, control)),
            # Once more: the daemon may have written what it had read before.
            ("Schedules", lambda: _stop(settings, control, connection, incident, again=True)),
            ("Alert", lambda: _tell(settings)),
        ):
            _take(what, step, done, failed)
        path = write_incident_report(
            settings, source, connection, open_incident(connection, source.name) or incident, [*done, *failed]
        )
    print(f"The incident report: {path}")
    print("The old pipeline is not ours to start: see that it runs. The way forward, when all is mended:")
    turned = [name.partition(".")[2] for name, view in sorted(incident.views.items()) if view["reads"] == "new"]
    for line in way_forward(source, turned):
        print(f"  {line}")
    if failed:
        raise EtlError(f"{len(failed)} steps failed, the others were taken. Mend this and run it again: {failed[0]}")


def _take(what: str, step: Callable[[], Iterator[str]], done: list[str], failed: list[str]) -> None:
    """Take a step of an emergency, and say what came of it; a failure keeps none of the others from being taken."""
    try:
        for line in step():
            print(f"{what}: {line}", flush=True)
            done.append(f"{what}: {line}")
    except EtlError as error:
        failed.append(f"{what}: FAILED: {error}")
    except Exception as error:  # noqa: BLE001 (whatever it is, the next step must be taken; its words may hold a value)
        failed.append(f"{what}: FAILED: {type(error).__name__}")
    else:
        return
    print(failed[-1], flush=True)


def _stop(
    settings: Settings, control: "SourceControl", connection: Connection, incident: Incident, *, again: bool = False
) -> Iterator[str]:
    from etl_assets.orchestration.standstill import dagster_records

    with dagster_records(settings) as instance:
        names = control.stop(instance)
    note_stopped(connection, incident, names)
    if names:
        yield f"stopped {', '.join(names)}"
    elif not again:
        yield "all were stopped already"


def _turn(source: Source, connection: Connection, options: argparse.Namespace) -> Iterator[str]:
    turned = turn_all_to_old(connection, source, by=options.by, old_schema=options.old_schema, zone=options.zone)
    for view in turned:
        missing = f"; null there: {', '.join(view.missing)}" if view.missing else ""
        yield f"{view.view} reads the old table, {view.rows:,} rows{missing}"
    if not turned:
        yield "none reads a table of ours"


def _end_runs(settings: Settings, control: "SourceControl") -> Iterator[str]:
    from etl_assets.orchestration.standstill import dagster_records

    with dagster_records(settings) as instance:
        found = control.end_runs(instance)
    yield from (f"{run} {what}" for run, what in found.items())
    if not found:
        yield "none was under way"


def _tell(settings: Settings) -> Iterator[str]:
    if not channels(settings):
        raise EtlError("no channel is set up, and nobody was told: call them. See docs/alerts.md")
    send_unsent()
    yield "sent to the channels that are set up; what did not arrive is tried again: etl alerts"


def resume_source(options: argparse.Namespace) -> None:
    """End an emergency: start the schedules again that it stopped, and end its alert. Views stay as they are."""
    settings, source = read_settings(), options.source
    if not (options.by.strip() and options.why.strip()):
        raise EtlError("Say who ends it, and why: what was wrong, and what mended it.")
    migrate_quietly(settings)
    from etl_assets.orchestration.standstill import SourceControl, dagster_records

    with connect(settings, autocommit=True) as connection:
        incident = open_incident(connection, source.name)
        if incident is None:
            print(f"{source.name} is not rolled back: there is nothing to resume.")
            return
        with dagster_records(settings) as instance:
            started = SourceControl(source).restart(instance, incident.stopped)
        incident = end_incident(connection, incident, by=options.by, why=options.why)
        lines = [f"Schedules: started {', '.join(started) or 'none'}"]
        path = write_incident_report(settings, source, connection, incident, lines)
    print(f"{lines[0]}\nThe incident report: {path}")
    if channels(settings):
        send_unsent()


def add_emergency_commands(commands: Commands) -> None:
    """The commands of this room."""
    for name, act in (("emergency-rollback", roll_source_back), ("resume", resume_source)):
        made = command(commands, name, act)
        made.add_argument("source", type=source_named)
        add_author(made, by="who decided on it", why="for which reason; it stands in the report and the alert")
        if act is roll_source_back:
            made.add_argument(
                "--old-schema", metavar="NAME", help="where the old tables are; else where each was read last, or raw"
            )
            made.add_argument("--zone", help="the time zone of their moments that have none; else as read last, or UTC")
