"""Where data come from in a rehearsal: stand-ins that live on round by round, and know what they hold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from etl_assets.declare.source import Source
from etl_assets.drills.rehearsal.comparison import TableTruth


class Place(Protocol):
    """A stand-in of a source."""

    source: Source
    environment: Mapping[str, str]
    """The settings by which a loader finds it."""
    run_words: Sequence[str]
    """What a run of it is told besides, such as `--sweep`."""

    whole_words: Sequence[str]
    """What a run is told that is to take all its dates."""

    def change(self) -> None:
        """Let it live on: rows are added, changed and deleted."""

    def truths(self) -> Iterator[TableTruth]:
        """What its tables of staging should hold now."""
