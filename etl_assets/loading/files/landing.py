"""Scan a source's landing folder, and register new files in the ledger. Nothing is loaded here."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from etl_assets.declare.feeds import Feed, read_feeds
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, FileRefused
from etl_assets.readers.files.open import profile_file
from etl_assets.settings import Settings
from etl_assets.warehouse.files.ledger import (
    DeliveredFile,
    duplicate_of,
    known_deliveries,
    only_mtime_changed,
    register_file,
)
from etl_assets.warehouse.ledger import abandon_dead_batches

PARTIAL_SUFFIXES = (".part", ".partial", ".tmp", ".crdownload", ".filepart")
"""Suffixes of files whose transfer is not finished."""


@dataclass
class ScanResult:
    """Files found by one scan of a landing folder, by what became of them."""

    registered: list[str] = field(default_factory=list)
    """Files that are pending now."""
    duplicates: list[str] = field(default_factory=list)
    """Files whose content is in force already, or pending under another name."""
    failed: dict[str, str] = field(default_factory=dict)
    """Files that cannot be read at all, with the reason."""
    unsettled: list[str] = field(default_factory=list)
    """Files that may still be being written."""
    complete: bool = True
    """Whether every new file was scanned before the time was up."""

    def __add__(self, later: "ScanResult") -> "ScanResult":
        return ScanResult(
            registered=self.registered + later.registered,
            duplicates=self.duplicates + later.duplicates,
            failed={**self.failed, **later.failed},
            unsettled=later.unsettled,
            complete=later.complete,
        )


def scan_landing_folder(
    settings: Settings,
    source: Source,
    connection: psycopg.Connection,
    *,
    seconds: float | None = None,
    retry_failed: bool = False,
) -> ScanResult:
    """Register the new and changed files of a source in the ledger; files of a killed run become pending again.

    Each file is registered in a transaction of its own, so that a scan that is cut off loses nothing and the next
    one goes on where it ended.

    Args:
        settings: Where the landing folder is, and the hospital's own feeds.
        source: Whose files.
        connection: In autocommit mode, as the loader.
        seconds: Time limit, after which no further new file is profiled; none where None.
        retry_failed: Profile files again that could not be read before.

    Raises:
        EtlError: The feeds cannot be read.
    """
    scan = ScanResult()
    abandon_dead_batches(connection)
    feeds = feeds_of(settings, source)
    folder = settings.landing(source.name)
    seen = known_deliveries(connection, source.name, failed=not retry_failed)
    deadline = time.monotonic() + seconds if seconds is not None else None
    for path, file in sorted(_find_files(folder), key=lambda found: (found[1].modified_at, found[1].file_name)):
        if file in seen:
            continue
        if deadline is not None and time.monotonic() > deadline:
            scan.complete = False
            break
        if _is_unsettled(file, settings.file_quiet_seconds):
            scan.unsettled.append(file.file_name)
        else:
            _register(connection, source, feeds, path, file, scan=scan)
    return scan


def feeds_of(settings: Settings, source: Source) -> Sequence[Feed]:
    """The feeds of a source: the hospital's own first, then those that we ship.

    Raises:
        EtlError: They cannot be read, or name a table or column that the source does not have.
    """
    feeds = (*(read_feeds(settings.feeds) if settings.feeds else ()), *read_feeds(source.file_drop.feeds))
    for feed in feeds:
        try:
            table = source.file_table(feed.table)
        except KeyError as error:
            raise EtlError(f"feed {feed.name}: {error.args[0]}") from None
        unknown = {*feed.columns, *feed.constants, *feed.formats} - set(table.names)
        if unknown:
            raise EtlError(f"feed {feed.name} fills {', '.join(sorted(unknown))}, which {feed.table} does not have.")
    return feeds


def _register(
    connection: psycopg.Connection,
    source: Source,
    feeds: Sequence[Feed],
    path: Path,
    file: DeliveredFile,
    *,
    scan: ScanResult,
) -> None:
    feed = next((feed for feed in feeds if feed.matches(path.name)), None)
    try:
        if feed is None:
            raise FileRefused(
                f"{file.file_name}: no feed takes a file of this name. The feeds look for"
                f" {', '.join(sorted({feed.pattern for feed in feeds}))}."
            )
        found = profile_file(path, feed, source.file_table(feed.table))
        possible = source.dates(datetime.now(UTC).date())
        slices = [day for day in found.dates if day in possible]
        if found.rows and not slices:
            raise FileRefused(
                f"{file.file_name}: none of its {found.rows:,} rows has a {source.file_table(feed.table).slice_by}"
                f" from {possible.first} to {possible.last} that can be read."
                f" Is the feed {feed.name} right about its dates?"
            )
    except FileRefused as error:
        scan.failed[file.file_name] = str(error)
        register_file(
            connection,
            source.name,
            file,
            status="failed",
            table_name=feed.table if feed else None,
            feed=feed.name if feed else None,
            notes=str(error),
        )
        return
    if _delivered_file(path, file.file_name) != file:
        scan.unsettled.append(file.file_name)
        return
    original = duplicate_of(connection, source.name, feed.name, found.checksum)
    if original and only_mtime_changed(connection, source.name, file, found.checksum):
        scan.duplicates.append(file.file_name)
        return
    status = "duplicate" if original else "pending" if found.rows else "loaded"
    (scan.duplicates if original else scan.registered).append(file.file_name)
    register_file(
        connection,
        source.name,
        file,
        status=status,
        table_name=feed.table,
        feed=feed.name,
        checksum=found.checksum,
        slices=() if original else slices,
        notes=f"the same content as {original}" if original else None if found.rows else "it has a header and no rows",
    )


def _find_files(folder: Path) -> Iterator[tuple[Path, DeliveredFile]]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.startswith((".", "~")) or name.lower().endswith(PARTIAL_SUFFIXES):
                continue
            path = Path(parent, name)
            file = _delivered_file(path, path.relative_to(folder).as_posix())
            if file:
                yield path, file


def _delivered_file(path: Path, name: str) -> DeliveredFile | None:
    try:
        status = path.stat()
    except OSError:  # gone since it was listed
        return None
    moment = datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1_000_000, UTC)
    return DeliveredFile(file_name=name, size_bytes=status.st_size, modified_at=moment)


def _is_unsettled(file: DeliveredFile, settle_seconds: float) -> bool:
    """Whether its mtime is within the settle time. A clock ahead of ours must not keep a file out for ever."""
    return abs((datetime.now(UTC) - file.modified_at).total_seconds()) < settle_seconds
