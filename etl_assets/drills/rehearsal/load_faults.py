"""Faults of a load itself, whatever its source: it is killed, cut off, doubled, or has no room to write."""

from etl_assets.drills.rehearsal.night import FINE, Night
from etl_assets.drills.rehearsal.places import Place

_UNUSED = (
    "select 1 from etl.batch where source = %s and status = 'abandoned' and finished_at > now() - interval '1 minute'"
)


def run_is_killed(night: Night, place: Place) -> None:
    """Its process ends between the last row that it writes and the commit."""
    with night.fault("a run is killed (-9) in mid-load", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            process = night.begin(*night.words(place))
            waiting()
            night.kill(process)
            trouble.strike()
        done = night.etl(*night.words(place))
        left = night.at.query("select status from etl.batch where source = %s and status = 'running'", place.source.name)
        abandoned = night.at.query(
            "select 1 from etl.batch where source = %s and status = 'abandoned'", place.source.name
        )
        trouble.expect(abandoned and not left and done.code in FINE, "the next run finds its batch abandoned")
        trouble.healed = "that run"


def connection_is_cut(night: Night, place: Place) -> None:
    """The warehouse ends the connection of a load that has written its rows."""
    with night.fault("the warehouse's connection is cut in mid-load", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            process = night.begin(*night.words(place))
            server_process = waiting()
            night.at.query("select pg_terminate_backend(%s)", server_process)
            trouble.strike()
        done = night.end(process)
        trouble.expect(done.code == 1 and "terminat" in done.output, "the run ends with 1 and says so")


def two_runs_at_once(night: Night, place: Place) -> None:
    """A second run begins while the first stands before its commit."""
    with night.fault("two runs of the source at once", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            processes = [night.begin(*night.words(place))]
            waiting()
            processes.append(night.begin(*night.words(place)))
            night.wait_for("select 1 from pg_locks where locktype = 'advisory' and not granted")
        codes = [night.end(process).code for process in processes]
        if all(code in FINE for code in codes):
            trouble.pass_by("the second waits for the first")
            trouble.healed = "both runs"
        else:
            trouble.wrong.append(f"both runs go through (they ended with {codes})")
