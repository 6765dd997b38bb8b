"""What `etl dev` keeps running: the embedded warehouse, the code server, the UI, and the daemon.

`dagster dev` starts the same, and ends all of it when one of them dies.
"""

import errno
import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl_assets.errors import EtlError
from etl_assets.orchestration.code_server import CANNOT_LOAD
from etl_assets.orchestration.process_group import Process
from etl_assets.orchestration.supervisor import Supervised, SupervisedProcess, supervise
from etl_assets.settings import PROJECT, Settings
from etl_assets.warehouse import embedded

MODULE = "etl_assets.definitions"


@dataclass(frozen=True)
class EmbeddedWarehouse:
    """The server of this installation. It goes on running when all else is ended, as ever."""

    folder: Path
    name: str = "the embedded warehouse"

    def start(self) -> None:
        """Start it unless it runs; its recovery from a crash is waited for."""
        embedded.start_server(self.folder)

    def fault(self) -> str | None:
        """Whether its first process lives: without that one nobody can connect."""
        return None if embedded.has_postmaster(self.folder) else "was ended"

    def is_hopeless(self) -> bool:
        """Another start may help."""
        return False

    def is_ready(self) -> bool:
        """It is once it was started."""
        return True

    def groups(self) -> Iterator[Process]:
        """None."""
        return iter(())


def serve_until_stopped(settings: Settings, *, host: str, port: int) -> int:
    """Keep the UI, the daemon, the code server and the embedded warehouse running until this process is told to stop.

    Returns:
        The exit code, as `supervise` has it.

    Raises:
        EtlError: The port is taken; the code cannot be loaded; or something does not go on running.
    """
    _check_port(host, port)
    with _workspace() as (workspace, code_socket):
        return supervise(_services(settings, workspace, code_socket, host=host, port=port))


def _services(settings: Settings, workspace: Path, code_socket: Path, *, host: str, port: int) -> list[Supervised]:
    python = [sys.executable, "-m"]
    postgres = settings.home / "postgres"

    def whereabouts() -> str | None:
        return embedded.server_url(postgres) if settings.embedded else None

    code_server = SupervisedProcess(
        "the code server",
        [
            *python,
            "etl_assets.orchestration.code_server",
            *("--socket", str(code_socket)),
            *("--module-name", MODULE),
            *("--location-name", MODULE),
            *("--working-directory", str(PROJECT)),
            *("--log-level", "warning"),
        ],
        hopeless_code=CANNOT_LOAD,
        is_listening=code_socket.exists,
        whereabouts=whereabouts,
    )
    webserver = SupervisedProcess(
        "the webserver",
        [
            *python,
            "dagster_webserver",
            *("--workspace", str(workspace)),
            *("--host", host),
            *("--port", str(port)),
            *("--live-data-poll-rate", "2000"),
            *("--dagster-log-level", "info"),
        ],
        whereabouts=whereabouts,
    )
    daemon = SupervisedProcess(
        "the daemon",
        [*python, "dagster._daemon", "run", "--workspace", str(workspace), "--log-level", "info"],
        keeps_children=True,
        whereabouts=whereabouts,
    )
    warehouse = [EmbeddedWarehouse(postgres)] if settings.embedded else []
    return [*warehouse, code_server, webserver, daemon]


@contextmanager
def _workspace() -> Iterator[tuple[Path, Path]]:
    """The workspace file of one code server, and the socket that it listens on."""
    # The path of a socket may have a hundred characters, and a home's may have more.
    with tempfile.TemporaryDirectory(prefix="etl-") as folder:
        code_socket, workspace = Path(folder) / "code", Path(folder) / "workspace.yaml"
        server = {
            "location_name": MODULE,
            "socket": str(code_socket),
            "additional_metadata": {"module_name": MODULE, "working_directory": str(PROJECT)},
        }
        workspace.write_text(json.dumps({"load_from": [{"grpc_server": server}]}))  # JSON is YAML
        yield workspace, code_socket


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be listened on: {error.strerror}"
        raise EtlError(f"Port {port} of {host} {why}. End what listens there, or name another one: --port") from None
