"""What is to run is started again when it ends, and given up where that does not help."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from etl_assets.errors import EtlError
from etl_assets.orchestration import supervisor
from etl_assets.orchestration.process_group import Process, end_groups
from etl_assets.orchestration.services import EmbeddedWarehouse, serve_until_stopped
from etl_assets.orchestration.supervisor import MOST_TRIES, SETTLED_SECONDS, SupervisedProcess, Watch, supervise
from etl_assets.settings import read_settings
from etl_assets.warehouse import embedded

SLEEP = ["/bin/sleep", "60"]


class Made:
    """Something that is to run, and does as it is told to."""

    name = "it"

    def __init__(self) -> None:
        self.now = 0.0
        self.moments: list[float] = []
        self.state: str | None = None
        self.refuses = False

    def start(self) -> None:
        self.moments.append(self.now)
        if self.refuses:
            raise EtlError("no room")

    def fault(self) -> str | None:
        return self.state

    def is_hopeless(self) -> bool:
        return False

    def is_ready(self) -> bool:
        return True

    def groups(self) -> Iterator[Process]:
        return iter(())


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.02)


def watch_it(it: Made, lines: list[str]) -> None:
    """Look after it twice a second, for an hour."""
    watch = Watch(it, lines.append)
    while it.now < 3600:
        watch.look(it.now)
        it.now += 0.5


def wait_until(condition) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def pid_of(service: SupervisedProcess) -> int:
    return next(service.groups()).pid


def test_what_never_settles_is_started_after_ever_longer_pauses_and_then_given_up(lines) -> None:
    it = Made()
    it.state = "ended"
    with pytest.raises(EtlError, match=f"it ended. It was started {MOST_TRIES} times"):
        watch_it(it, lines)
    pauses = [round(later - earlier - 0.5) for earlier, later in pairwise(it.moments)]
    assert pauses == [1, 2, 4, 8, 16]
    assert lines[-1] == "it ended; it is started again in 16 s"


def test_what_has_settled_may_end_however_often(lines) -> None:
    it = Made()
    watch, now = Watch(it, lines.append), 0.0
    for _ in range(3 * MOST_TRIES):
        it.state = None
        watch.look(now)
        now += SETTLED_SECONDS
        it.state = "ended"
        watch.look(now)
        now += 1
    assert set(lines) == {"it ended; it is started again in 1 s"}


def test_what_cannot_be_started_is_tried_again_and_then_given_up(lines) -> None:
    it = Made()
    it.refuses = True
    with pytest.raises(EtlError, match="could not be started: no room"):
        watch_it(it, lines)
    assert len(it.moments) == MOST_TRIES


def test_what_is_killed_is_started_again_and_all_ends_with_a_signal(quick, lines) -> None:
    service, seen = SupervisedProcess("the sleeper", SLEEP), []

    def say(line: str) -> None:
        lines.append(line)

    class Killer(Made):
        def fault(self) -> str | None:
            pid = pid_of(service)
            if not seen:
                seen.append(pid)
                os.kill(pid, signal.SIGKILL)
            elif pid != seen[-1]:
                seen.append(pid)
                os.kill(os.getpid(), signal.SIGTERM)
            return None

    assert supervise([service, Killer()], grace=1, say=say) == 128 + signal.SIGTERM
    assert lines == ["the sleeper was ended by SIGKILL; it is started again in 1 s"]
    with pytest.raises(ProcessLookupError):
        os.kill(seen[-1], 0)


def test_what_cannot_run_ends_all_the_others(quick) -> None:
    other = SupervisedProcess("the sleeper", SLEEP)
    hopeless = SupervisedProcess("it", ["/bin/sh", "-c", "exit 70"], hopeless_code=70)
    with pytest.raises(EtlError, match="it ended with exit code 70, and cannot run"):
        supervise([other, hopeless], grace=1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid_of(other), 0)


def test_what_needs_another_is_started_when_that_listens(quick, tmp_path) -> None:
    order = tmp_path / "order"
    first = SupervisedProcess(
        "the first",
        ["/bin/sh", "-c", f"sleep 0.3; echo first >> {order}; sleep 60"],
        is_listening=order.exists,
    )
    second = SupervisedProcess(
        "the second", ["/bin/sh", "-c", f"echo second >> {order}; kill -TERM {os.getpid()}; sleep 60"]
    )
    assert supervise([first, second], grace=1) == 128 + signal.SIGTERM
    assert order.read_text() == "first\nsecond\n"


@pytest.mark.parametrize("keeps_children", [True, False])
def test_what_a_killed_command_leaves_is_ended_unless_it_may_go_on(keeps_children, tmp_path) -> None:
    file = tmp_path / "child"
    command = ["/bin/sh", "-c", f"sleep 60 & echo $! > {file}.new; mv {file}.new {file}; wait"]
    service = SupervisedProcess("it", command, keeps_children=keeps_children)
    service.start()
    wait_until(file.exists)
    leader, child = pid_of(service), int(file.read_text())
    os.kill(leader, signal.SIGKILL)
    wait_until(lambda: service.fault() is not None)
    try:
        if keeps_children:
            os.kill(child, 0)
            assert leader in [each.pid for each in service.groups()]
        else:
            wait_until(lambda: is_over(child))
    finally:
        end_groups(service.groups(), grace=1)
    wait_until(lambda: is_over(child))


def is_over(pid: int) -> bool:
    """Ended, though nobody may have waited for it."""
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_has_connected_to_a_database_is_started_again_when_that_is_elsewhere() -> None:
    port = [5432]
    service = SupervisedProcess("it", SLEEP, whereabouts=lambda: port[0])
    service.start()
    assert service.fault() is None
    port[0] = 5433
    assert service.fault() == "must look for its database elsewhere"
    with pytest.raises(ProcessLookupError):
        os.kill(pid_of(service), 0)
    service.start()
    try:
        assert service.fault() is None
    finally:
        end_groups(service.groups(), grace=1)


def test_the_embedded_warehouse_is_started_when_it_does_not_run(tmp_path) -> None:
    warehouse = EmbeddedWarehouse(tmp_path / "postgres")
    assert warehouse.fault() == "was ended"
    warehouse.start()
    try:
        assert warehouse.fault() is None
    finally:
        embedded.stop_server(tmp_path / "postgres")
    assert warehouse.fault() == "was ended"


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EtlError, match=f"Port {port} of 127.0.0.1 is taken"):
            serve_until_stopped(read_settings({"ETL_HOME": str(tmp_path)}), host="127.0.0.1", port=port)
    assert not (tmp_path / "postgres").exists()
