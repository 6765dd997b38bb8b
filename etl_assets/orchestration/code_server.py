"""Dagster's code server, which loads its code again when the process that holds it has died.

`dagster code-server start` is two processes: one that answers, and `dagster api grpc` with the code, which it asks. It
starts the second one anew when somebody reloads the code location, and not when that was killed: each tick of a
sensor then fails, and every page of the UI. Here a thread notices, and reloads.

    python -m etl_assets.orchestration.code_server --socket ... --module-name etl_assets.definitions
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from dagster._cli.code_server import start_command
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ListRepositoriesResponse
from dagster._serdes import deserialize_value
from dagster_shared.error import SerializableErrorInfo

CANNOT_LOAD = 70
"""The exit code of a code server whose code could not be loaded when it started."""
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5
MOST_SILENT = 3
"""Looks in a row that get no answer before the code is loaded again: it may have much to do."""
RELOAD_SECONDS = 300
LONGEST_PAUSE = 60.0


def serve_code(words: Sequence[str]) -> None:
    """Serve until told to stop; `words` are those of `dagster code-server start`."""
    options = dict(pairwise(words))
    client = DagsterGrpcClient(
        socket=options.get("--socket"),
        port=int(options["--port"]) if "--port" in options else None,
        host=options.get("--host", "localhost"),
    )
    threading.Thread(target=keep_loaded, args=(client,), name="keep-loaded", daemon=True).start()
    start_command.main(args=list(words), prog_name="code_server")


def keep_loaded(client: DagsterGrpcClient) -> None:
    """Reload a code server's code whenever it does not answer; end this process where it cannot be loaded at first."""
    while not _answers(client):
        time.sleep(LOOK_SECONDS)
    _end_where_it_cannot_load(client)
    silent, pause = 0, LOOK_SECONDS
    while True:
        time.sleep(pause)
        if _answers(client):
            silent, pause = 0, LOOK_SECONDS
            continue
        silent += 1
        if silent >= MOST_SILENT:
            _say("the process with the code does not answer; the code is loaded again")
            _reload(client)
            pause = min(2 * pause, LONGEST_PAUSE)


def _answers(client: DagsterGrpcClient) -> bool:
    try:
        client.get_server_id(timeout=ANSWER_SECONDS)
    except DagsterUserCodeUnreachableError:
        return False
    return True


def _reload(client: DagsterGrpcClient) -> None:
    with suppress(DagsterUserCodeUnreachableError):  # it takes leave of the dead one in the end, which fails
        client.reload_code(timeout=RELOAD_SECONDS)
    if not _answers(client):
        _say("the code could not be loaded again")


def _end_where_it_cannot_load(client: DagsterGrpcClient) -> None:
    """What is loaded wrongly later, the UI shows, and its Reload helps once it is mended."""
    loaded = deserialize_value(client.list_repositories())
    if not isinstance(loaded, ListRepositoriesResponse):
        _say(f"the code cannot be loaded. {loaded.to_string() if isinstance(loaded, SerializableErrorInfo) else ''}")
        client.shutdown_server()
        os._exit(CANNOT_LOAD)


def _say(line: str) -> None:
    sys.stderr.write(f"etl: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    serve_code(sys.argv[1:])
