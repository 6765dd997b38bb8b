"""The command that shows what the models, as they are written, would change."""

import argparse
import time
from collections.abc import Iterator

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.errors import EtlError
from etl_assets.orchestration.models.preview import Preview, preview_models
from etl_assets.quality.preview_comparison import ModelDifference, Presence
from etl_assets.settings import read_settings


def show_preview(options: argparse.Namespace) -> bool:
    """Build models whose SQL has changed, and what follows, in schemas of their own; show what would change.

    Nothing of production is written, and no migration applied. The schemas are dropped when it has ended.
    """
    settings, began = read_settings(), time.monotonic()
    preview = preview_models(settings, options.source, options.model)
    print("\n".join(_lines(options.source.name, preview, time.monotonic() - began)))
    if preview.failed:
        raise EtlError(f"{', '.join(sorted(preview.failed))} could not be built, and would not be when it is deployed.")
    return not preview.differs


def _lines(source: str, preview: Preview, seconds: float) -> Iterator[str]:
    for relation in preview.given_up:
        yield f"{relation}: no model is called so any more; its table stays as it is."
    if not preview.changed and not preview.following:
        yield f"{source}: every model is as it was built last."
        return
    yield (
        f"{source}: {len(preview.changed)} models are other ones than were built last,"
        f" {len(preview.following)} more were built with them, in {seconds:.0f} s."
    )
    for each in preview.differences:
        yield f"\n{each.relation}" + ("" if each.relation in preview.changed else "  (follows)")
        yield from (f"    {line}" for line in _difference_lines(each))
    for relation, reason in sorted(preview.failed.items()):
        yield f"\n{relation}\n    could not be built: {reason}"
    for relation in sorted(preview.not_reached - preview.failed.keys()):
        yield f"\n{relation}\n    not built, for something that it reads could not be"
    if preview.failed_tests:
        yield "\nTests that fail on the preview:"
        for test in preview.failed_tests:
            now = ", as it does now" if test.fails_now else ""
            yield f"    {test.severity:7}  {test.rule}: {_rows(test.failures)}{now}. {test.why}"
    if preview.newer_rows:
        yield "\nProduction was not built of the newest rows of these yet, so some differences may be of them:"
        yield from (f"    {name}" for name in sorted(preview.newer_rows))


def _difference_lines(found: ModelDifference) -> Iterator[str]:
    if found.is_new:
        yield f"new: {_rows(found.rows_previewed)}; {', '.join(found.columns_added)}"
        return
    if not found.differs:
        yield f"no difference in {_rows(found.rows_now)}"
        return
    for word, columns in (("added", found.columns_added), ("removed", found.columns_removed)):
        yield from (f"column {word}: {name} {kind}" for name, kind in columns.items())
    yield from (f"column retyped: {name} {old} → {new}" for name, (old, new) in found.columns_retyped.items())
    yield from (f"column given up: {name} stays, and is not written any more" for name in found.columns_given_up)
    yield f"rows: {found.rows_now:,} → {found.rows_previewed:,}"
    for where, rows in (("now", found.only_now), ("in the preview", found.only_previewed)):
        if rows.rows:
            yield f"only {where}: {_presence(rows)}"
    yield from (f"{name} differs in {_rows(rows)}" for name, rows in found.values_changed.items())
    for name, (now, previewed) in found.totals.items():
        yield f"total of {name}: {_number(now)} → {_number(previewed)}"


def _presence(rows: Presence) -> str:
    examples = f", such as {'; '.join(rows.examples)}" if rows.examples else ""
    return _rows(rows.rows) + examples


def _rows(number: int) -> str:
    return f"{number:,} row" + "s" * (number != 1)


def _number(value: object) -> str:
    return "nothing" if value is None else f"{value:,}"


def add_preview_command(commands: Commands) -> None:
    """The command `preview`."""
    made = command(commands, "preview", show_preview)
    made.add_argument("source", type=source_named)
    made.add_argument("model", nargs="*", help="models that are built though their SQL has not changed")
