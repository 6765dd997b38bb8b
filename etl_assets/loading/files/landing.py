"""Look at what lies in a source's landing folder, and enter what is new into the ledger. Nothing is loaded here."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from etl_assets.declare.files import Feed, read_feeds
from etl_assets.declare.source import FileDrop, Source
from etl_assets.errors import EtlError, FileRefused
from etl_assets.readers.files.open import survey
from etl_assets.settings import Settings
from etl_assets.warehouse.files.ledger import Delivery, known, record_file, twin_in_force, was_touched
from etl_assets.warehouse.ledger import repair

UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
"""Endings under which file transfers write until they are done."""


@dataclass
class Stock:
    """What one look into a landing folder found."""

    entered: list[str] = field(default_factory=list)
    """Files that wait to be loaded."""
    duplicates: list[str] = field(default_factory=list)
    """Files whose content is in force already, or waits under another name."""
    failed: dict[str, str] = field(default_factory=dict)
    """Files that cannot be read at all, with the reason."""
    left_alone: list[str] = field(default_factory=list)
    """Files that may still be being written."""
    complete: bool = True
    """Whether every new file was looked at before the time was up."""

    def __add__(self, later: "Stock") -> "Stock":
        return Stock(
            entered=self.entered + later.entered,
            duplicates=self.duplicates + later.duplicates,
            failed={**self.failed, **later.failed},
            left_alone=later.left_alone,
            complete=later.complete,
        )


def take_stock(
    settings: Settings,
    source: Source,
    connection: psycopg.Connection,
    *,
    seconds: float | None = None,
    retry_failed: bool = False,
) -> Stock:
    """Enter the new and changed files of a source into the ledger; what a killed run held waits again.

    Each file is entered in a transaction of its own, so that a look that is cut off loses nothing and the next
    one goes on where it ended.

    Args:
        settings: Where the landing folder is, and the hospital's own feeds.
        source: Whose files.
        connection: In autocommit mode, as the loader.
        seconds: Stop looking at new files after so long; never where None.
        retry_failed: Look at files again that could not be read before.

    Raises:
        EtlError: The feeds cannot be read.
    """
    stock = Stock()
    repair(connection)
    feeds = feeds_of(settings, source)
    folder = settings.landing(source.name)
    seen = known(connection, source.name, failed=not retry_failed)
    give_up = time.monotonic() + seconds if seconds is not None else None
    for path, delivery in sorted(_deliveries(folder), key=lambda found: (found[1].modified_at, found[1].file_name)):
        if delivery in seen:
            continue
        if give_up is not None and time.monotonic() > give_up:
            stock.complete = False
            break
        if _may_be_unfinished(delivery, settings.file_quiet_seconds):
            stock.left_alone.append(delivery.file_name)
        else:
            _enter(connection, source, feeds, path, delivery, stock=stock)
    return stock


def feeds_of(settings: Settings, source: Source) -> Sequence[Feed]:
    """The feeds of a source: the hospital's own first, then those that we ship.

    Raises:
        EtlError: They cannot be read, or name a table or column that the source does not have.
    """
    if not isinstance(source.reader, FileDrop):
        return ()
    feeds = (*(read_feeds(settings.feeds) if settings.feeds else ()), *read_feeds(source.reader.feeds))
    for feed in feeds:
        try:
            table = source.table(feed.table)
        except KeyError as error:
            raise EtlError(f"feed {feed.name}: {error.args[0]}") from None
        unknown = {*feed.columns, *feed.constants, *feed.formats} - set(table.names)
        if unknown:
            raise EtlError(f"feed {feed.name} fills {', '.join(sorted(unknown))}, which {feed.table} does not have.")
    return feeds


def _enter(
    connection: psycopg.Connection,
    source: Source,
    feeds: Sequence[Feed],
    path: Path,
    delivery: Delivery,
    *,
    stock: Stock,
) -> None:
    feed = next((feed for feed in feeds if feed.takes(path.name)), None)
    try:
        if feed is None:
            raise FileRefused(
                f"{delivery.file_name}: no feed takes a file of this name. The feeds look for"
                f" {', '.join(sorted({feed.pattern for feed in feeds}))}."
            )
        found = survey(path, feed, source.table(feed.table))
        first, last = source.dates(datetime.now(UTC).date())
        slices = [day for day in found.dates if first <= day <= last]
        if found.rows and not slices:
            raise FileRefused(
                f"{delivery.file_name}: none of its {found.rows:,} rows has a {source.table(feed.table).slice_by}"
                f" from {first} to {last} that can be read. Is the feed {feed.name} right about its dates?"
            )
    except FileRefused as error:
        stock.failed[delivery.file_name] = str(error)
        record_file(
            connection,
            source.name,
            delivery,
            status="failed",
            table_name=feed.table if feed else None,
            feed=feed.name if feed else None,
            notes=str(error),
        )
        return
    if _delivery(path, delivery.file_name) != delivery:
        stock.left_alone.append(delivery.file_name)
        return
    twin = twin_in_force(connection, source.name, feed.name, found.checksum)
    if twin and was_touched(connection, source.name, delivery, found.checksum):
        stock.duplicates.append(delivery.file_name)
        return
    status = "duplicate" if twin else "pending" if found.rows else "loaded"
    (stock.duplicates if twin else stock.entered).append(delivery.file_name)
    record_file(
        connection,
        source.name,
        delivery,
        status=status,
        table_name=feed.table,
        feed=feed.name,
        checksum=found.checksum,
        slices=() if twin else slices,
        notes=f"the same content as {twin}" if twin else None if found.rows else "it has a header and no rows",
    )


def _deliveries(folder: Path) -> Iterator[tuple[Path, Delivery]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith((".", "~")) or name.lower().endswith(UNFINISHED):
                continue
            path = Path(parent, name)
            delivery = _delivery(path, path.relative_to(folder).as_posix())
            if delivery:
                yield path, delivery


def _delivery(path: Path, name: str) -> Delivery | None:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed
        return None
    moment = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC)
    return Delivery(file_name=name, size_bytes=status.st_size, modified_at=moment)


def _may_be_unfinished(delivery: Delivery, quiet: float) -> bool:
    """Whether it was changed a moment ago. A clock ahead of ours must not keep a file out for ever."""
    return abs((datetime.now(UTC) - delivery.modified_at).total_seconds()) < quiet
