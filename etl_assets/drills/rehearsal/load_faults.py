"""Faults of a load itself, whatever its source: it is killed, cut off, doubled, or has no room to write."""

import errno
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl_assets.drills.installation import Installation
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.night import FINE, Night
from etl_assets.drills.rehearsal.places import Place

OVERLAP_SECONDS = 15
"""How long the second of two runs has, beside the first: time enough to come to what is locked."""


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
        left = night.at.query(
            "select status from etl.batch where source = %s and status = 'running'", place.source.name
        )
        abandoned = night.at.query(
            "select 1 from etl.batch where source = %s and status = 'abandoned'", place.source.name
        )
        trouble.expect(abandoned and not left and done.code in FINE, "the next run finds its batch abandoned")
        trouble.healed = "that run"


def build_is_killed(night: Night, place: Place) -> None:
    """Its process ends while models are built of what it has loaded."""
    with night.fault("a run is killed (-9) while it builds models", place) as trouble:
        place.change()
        with night.held_before_commit("etl.model_build") as waiting:
            process = night.begin("run", place.source.name, *place.run_words)
            waiting()
            night.kill(process)
            trouble.strike()
        done = night.etl("run", place.source.name, *place.run_words)
        left = night.at.query("select 1 from etl.batch where status = 'running'")
        trouble.expect(not left and done.code in FINE, "the next run finds its batch abandoned, and builds")
        trouble.healed = "that run"


def connection_is_cut(night: Night, place: Place) -> None:
    """The warehouse ends the connection of a load that has written its rows."""
    with night.fault("the warehouse's connection is cut in mid-load", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            process = night.begin(*night.words(place))
            server_process = waiting()
            night.at.administer("select pg_terminate_backend(%s)", server_process)
            trouble.strike()
        done = night.end(process)
        trouble.expect(done.code == 1 and "terminat" in done.output, "the run ends with 1 and says so")


def two_runs_at_once(night: Night, place: Place) -> None:
    """A second run begins while the first stands before its commit."""
    with night.fault("two runs of the source at once", place) as trouble:
        place.change()
        with night.held_before_commit() as waiting:
            first = night.begin(*night.words(place))
            waiting()
            second = night.begin(*night.words(place))
            end = time.monotonic() + OVERLAP_SECONDS
            while second.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
        codes = [night.end(process).code for process in (first, second)]
        if all(code in FINE for code in codes):
            trouble.pass_by("the second waits, or has nothing to do")
            trouble.healed = "both runs"
        else:
            trouble.wrong.append(f"both runs go through (they ended with {codes})")


SMALL_DISK = "2m"
TABLE = "or_case"


def disk_is_full(night: Night, place: Hospital) -> None:
    """A table lies on a disk of its own, a small one, on which nothing is left."""
    with night.fault("the disk of the warehouse is full", place) as trouble, _small_disk(night.at, place) as disk:
        _fill(disk)
        place.deliver(place.new_day(), rooms=30)
        trouble.strike()
        done = night.etl(*night.words(place))
        trouble.expect(done.code == 1 and "No space left" in done.output, "the run ends with 1 and says so")


def may_mount() -> bool:
    """Whether a small disk can be had: that takes root, and a kernel that lets it."""
    with tempfile.TemporaryDirectory() as folder:
        is_mounted = _mount(folder) == 0
        if is_mounted:
            _run("umount", folder)
        return is_mounted


@contextmanager
def _small_disk(at: Installation, place: Hospital) -> Iterator[Path]:
    """Have the table lie on a disk that has two megabytes; it is moved back, and is whole, when the block ends."""
    relation = f"{place.source.schema}.{TABLE}"
    with _mounted() as disk:
        space = disk / "space"
        space.mkdir()
        ((data,),) = at.administer("show data_directory")
        _run("chown", f"--reference={data}", str(space))
        at.administer(f"create tablespace small location '{space}'")
        at.administer(f"alter table {relation} set tablespace small")
        try:
            yield disk
        finally:
            (disk / "filler").unlink(missing_ok=True)
            at.administer(f"alter table {relation} set tablespace pg_default")
            at.administer("drop tablespace small")


@contextmanager
def _mounted() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="etl-drill-disk-") as folder:
        Path(folder).chmod(0o755)  # the server runs as somebody else
        _mount(folder)
        try:
            yield Path(folder)
        finally:
            _run("umount", "--lazy", folder)  # the server may have a file of it open for a while


def _fill(disk: Path) -> None:
    try:
        with (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def _mount(folder: str) -> int:
    return _run("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=755", "tmpfs", folder)


def _run(*words: str) -> int:
    return subprocess.run(words, check=False, capture_output=True).returncode  # noqa: S603 (our own words)
