"""What stands in the process list, for whoever is on the machine, while something is done."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def watched(*secrets: str, seen: tuple[str, ...]) -> Iterator[list[str]]:
    """Every command line that any process has while the block runs, and that has one of these secrets in it.

    One of the words of `seen` must have been in some command line: else nothing was looked at.
    """
    found: list[str] = []
    ended = threading.Event()
    programs = 0

    def look() -> None:
        nonlocal programs
        while not ended.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    words = path.read_bytes().decode(errors="replace")
                except OSError:
                    continue
                programs += any(name in words for name in seen)
                found.extend(words for secret in secrets if secret in words)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
    assert programs, f"none of {seen} was ever seen: this proves nothing"
