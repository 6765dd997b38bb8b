"""Argument types shared by the commands."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import date
from typing import NoReturn, TypeAlias

from etl_assets.declare.copied_table import CopiedTable
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.errors import EtlError
from etl_assets.sources import SOURCES

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 (it has no public name)
ALL = "all"
USAGE = 64
"""The exit code of a command that was not understood; argparse's own is 2, which is that of findings."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors of usage are told apart from findings."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message, and exit with USAGE."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def command(
    commands: Commands,
    name: str,
    act: Callable[[argparse.Namespace], bool | None],
) -> Parser:
    """Add a command; the first line of its docstring is its description.

    It returns False where it found what somebody must look at.
    """
    what, _, _ = (act.__doc__ or "").partition("\n")
    made = commands.add_parser(name, help=what, description=what)
    made.set_defaults(run=act)
    return made


def source_named(name: str) -> Source:
    """The declared source of that name, or the list of those there are."""
    by_name = {source.name: source for source in SOURCES}
    if name not in by_name:
        raise argparse.ArgumentTypeError(f"no source {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def source_or_all(name: str) -> Source | None:
    """As `source_named`; None for `all`."""
    return None if name == ALL else source_named(name)


def table_named(source: Source, name: str) -> Table:
    """The declared table of that name.

    Raises:
        EtlError: There is none; it lists those there are.
    """
    try:
        return source.table(name)
    except KeyError as error:
        raise EtlError(str(error.args[0])) from None


def tables_named(source: Source, names: Sequence[str], importance: str | None) -> list[str]:
    """The tables that are named, and those of the importance that is; none where neither is said.

    Raises:
        EtlError: A table is not declared, or the importance is said of a source whose tables have none.
    """
    named = [table_named(source, name).name for name in names]
    if importance is None:
        return named
    if not any("importance" in table.tags for table in source.tables):
        raise EtlError(f"--importance is said of a database's tables; {source.name} is none.")
    return named + [table.name for table in source.tables if table.tags.get("importance") == importance]


def tables_of_jobs(source: Source, numbers: Sequence[int]) -> list[str]:
    """The tables that these configured jobs fill.

    Raises:
        EtlError: There is no such job.
    """
    tables = {job.id: job.table for job in source.jobs}
    if unknown := [number for number in numbers if number not in tables]:
        raise EtlError(f"{source.name} has no job {unknown[0]}. See: etl jobs list {source.name}")
    return list(dict.fromkeys(tables[number] for number in numbers))


def copied_table_named(source: Source, name: str) -> CopiedTable:
    """The declared copy of a database's table; raises as `table_named`, and where the source is no database."""
    _ = source.database
    return source.copied_table(table_named(source, name).name)


def copied_tables_named(source: Source, names: Sequence[str], importance: str | None) -> list[str]:
    """As `tables_named`, of a source whose database is copied; an EtlError where it is another kind."""
    _ = source.database
    return tables_named(source, names, importance)


def day(text: str) -> date:
    """A date as people type it."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form 2026-01-31") from None


def add_author(parser: argparse.ArgumentParser, *, by: str = "who says so", why: str | None = None) -> None:
    """The words of what somebody decides, which must say who and why."""
    parser.add_argument("--by", required=True, help=by)
    parser.add_argument("--why", required=True, help=why)


def planted(text: str) -> tuple[str, int]:
    """A defect and how often: `bad_date=3`."""
    kind, _, number = text.partition("=")
    if not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form bad_date=3")
    return kind, int(number)
