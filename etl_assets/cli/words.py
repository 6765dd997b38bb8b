"""What the commands' words are made of."""

import argparse
from collections.abc import Callable
from datetime import date
from typing import TypeAlias

from etl_assets.sources import SOURCES
from etl_assets.spec.source import Source

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 (it has no public name)


def command(
    commands: Commands,
    name: str,
    act: Callable[[argparse.Namespace], None],
) -> argparse.ArgumentParser:
    """Add a command; what it does is its description."""
    made = commands.add_parser(name, help=act.__doc__, description=act.__doc__)
    made.set_defaults(run=act)
    return made


def source_named(name: str) -> Source:
    """The declared source of that name, or the list of those there are."""
    by_name = {source.name: source for source in SOURCES}
    if name not in by_name:
        raise argparse.ArgumentTypeError(f"no source {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def day(text: str) -> date:
    """A date as people type it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-01-31") from None


def planted(text: str) -> tuple[str, int]:
    """A defect and how often: `bad_date=3`."""
    kind, _, number = text.partition("=")
    if not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form bad_date=3")
    return kind, int(number)
