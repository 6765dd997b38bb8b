"""`etl dev` is several processes: none of them outlives it, whoever ends it and however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etl_assets_tests.orchestration.installation import Installation

CALL = """
import sys
from etl_assets.orchestration import process_group
from etl_assets.orchestration.supervisor import SupervisedProcess, supervise
process_group.LAST_GRACE_SECONDS = 0.5
sys.exit(supervise([SupervisedProcess("it", sys.argv[2:])], grace=float(sys.argv[1])))
"""
# A shell with a child that hears no request, and waits for it.
DEAF = "(trap '' TERM INT HUP; echo ready; sleep 60) & trap '' TERM; wait"


def marked(mark: str) -> set[int]:
    """The processes that have a word in their environment, but for those that have ended."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def start(mark: str, command: str, grace: str = "0.2") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CALL, grace, "/bin/sh", "-c", command],
        env={**os.environ, "ETL_TEST_MARK": mark},
        stdout=subprocess.PIPE,
        text=True,
    )


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc to look into")


@needs_proc
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + 15), (signal.SIGHUP, 128 + 1), (signal.SIGINT, 0)])
def test_what_hears_no_request_is_ended_all_the_same(tmp_path, number, code) -> None:
    with start(str(tmp_path), DEAF) as process:
        assert process.stdout.readline() == "ready\n"
        assert len(marked(str(tmp_path))) > 2
        process.send_signal(number)
        process.send_signal(number)  # whoever is impatient must not stop the cleaning up
        assert process.wait(timeout=15) == code
    assert marked(str(tmp_path)) == set()


@needs_proc
def test_what_was_started_ends_when_whoever_started_it_is_killed(tmp_path) -> None:
    with start(str(tmp_path), "echo ready; exec sleep 60") as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()
        end = time.monotonic() + 10
        while marked(str(tmp_path)):
            assert time.monotonic() < end
            time.sleep(0.05)


@needs_proc
def test_a_command_has_its_time_to_end_by_itself(tmp_path) -> None:
    with start(str(tmp_path), "trap 'sleep 0.5; echo done; exit 3' TERM; echo ready; sleep 60 & wait", "10") as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(timeout=15) == 128 + 15
        assert process.stdout.read() == "done\n"


@needs_proc
def test_etl_dev_that_a_service_manager_ends_leaves_no_process(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = installation.start("dev", "--port", str(port))
    home = f"DAGSTER_HOME={installation.settings.home}"
    try:
        await_services(home, process)
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
        assert marked(home) == set()
    finally:
        for left in marked(home):
            os.kill(left, signal.SIGKILL)
        process.wait(timeout=60)


def await_services(home: str, process: "subprocess.Popen[bytes]") -> None:
    """Until the code location, the daemon and the webserver have been started; three minutes at most."""
    end = time.monotonic() + 180
    wanted = ("grpc", "daemon", "dagster_webserver")
    while time.monotonic() < end:
        assert process.poll() is None, "it ended by itself"
        commands = [Path(f"/proc/{each}/cmdline").read_text() for each in marked(home)]
        if all(any(word in command for command in commands) for word in wanted):
            return
        time.sleep(0.2)
    raise AssertionError(f"of {wanted} some were not started")
