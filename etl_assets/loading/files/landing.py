"""Scan a source's landing folder, and register new files in the ledger. Nothing is loaded here."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg

from etl_assets.declare.feeds import Feed, read_feeds
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError, FileRefused, TransientError
from etl_assets.readers.files.open import FileProfile, profile_file
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
MAX_NAME_BYTES = 1_000
"""Of a path below the landing folder: it is part of an index of the ledger."""
_UNFIT = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_REGULAR_ONLY = "only regular files of the landing folder are read. Put the file itself there."
_UNREADABLE_NAME = "its name is not UTF-8: the bytes that are not are shown as \\x and two digits. Rename it."
_LAST_MOMENT = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
"""Files may be of any time; of those beyond it PostgreSQL and Python have no date."""


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
    settle_seconds: float = 0.0,
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
        settle_seconds: Seconds to wait for files that are still being written.
        retry_failed: Profile files again that could not be read before.

    Raises:
        EtlError: The feeds cannot be read.
    """
    give_up = time.monotonic() + settle_seconds
    found = _scan(settings, source, connection, seconds=seconds, retry_failed=retry_failed)
    while found.unsettled and time.monotonic() < give_up:
        time.sleep(settings.file_quiet_seconds / 10)
        found += _scan(settings, source, connection, seconds=seconds, retry_failed=False)
    return found


def _scan(
    settings: Settings,
    source: Source,
    connection: psycopg.Connection,
    *,
    seconds: float | None,
    retry_failed: bool,
) -> ScanResult:
    scan = ScanResult()
    abandon_dead_batches(connection)
    feeds = feeds_of(settings, source)
    folder = settings.landing(source.name)
    seen = known_deliveries(connection, source.name, failed=not retry_failed)
    deadline = time.monotonic() + seconds if seconds is not None else None
    found = sorted(_find_files(folder), key=lambda found: (found.file.modified_at, found.file.file_name))
    for each in found:
        if each.file in seen:
            continue
        if deadline is not None and time.monotonic() > deadline:
            scan.complete = False
            break
        if _is_unsettled(each.file, settings.file_quiet_seconds):
            scan.unsettled.append(each.file.file_name)
        else:
            _register(connection, source, feeds, each, scan=scan)
    return scan


def landed_file(folder: Path, file_name: str) -> Path:
    """The path of a delivered file.

    Raises:
        FileRefused: A link leads to it, so that nobody knows whose file it is.
    """
    path = folder / file_name
    if path.resolve() != folder.resolve() / file_name:
        raise FileRefused(f"{file_name}: a link leads to it; {_REGULAR_ONLY}")
    return path


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


@dataclass(frozen=True)
class _FoundFile:
    """A file of the landing folder, or what lies there in place of one."""

    path: Path
    file: DeliveredFile
    unfit: str | None
    """Why it is not even opened."""


def _register(
    connection: psycopg.Connection, source: Source, feeds: Sequence[Feed], found_file: _FoundFile, *, scan: ScanResult
) -> None:
    path, file = found_file.path, found_file.file
    feed = next((feed for feed in feeds if feed.matches(path.name)), None)
    try:
        if found_file.unfit:
            raise FileRefused(f"{file.file_name}: {found_file.unfit}")
        if feed is None:
            raise FileRefused(
                f"{file.file_name}: no feed takes a file of this name. The feeds look for"
                f" {', '.join(sorted({feed.pattern for feed in feeds}))}."
            )
        found = profile_file(path, feed, source.file_table(feed.table))
        slices = _possible_slices(source, feed, file, found)
    except TransientError:
        scan.unsettled.append(file.file_name)
        return
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
    if _delivery(file.file_name, _status(path)) != file:
        scan.unsettled.append(file.file_name)
        return
    original = duplicate_of(connection, source.name, feed.name, found.checksum)
    if original and only_mtime_changed(connection, source.name, file, found.checksum):
        scan.duplicates.append(file.file_name)
        return
    has_rows = found.rows > found.footers
    status = "duplicate" if original else "pending" if has_rows else "loaded"
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
        notes=f"the same content as {original}" if original else None if has_rows else "it has a header and no rows",
    )


def _possible_slices(source: Source, feed: Feed, file: DeliveredFile, found: FileProfile) -> list[date]:
    """The dates of a file that may be loaded.

    Raises:
        FileRefused: It has rows, and no such date.
    """
    possible = source.dates(datetime.now(UTC).date())
    slices = [day for day in found.dates if day in possible]
    if slices or found.rows == found.footers:
        return slices
    reasons = []
    split = found.rows - found.malformed
    if found.first_malformed:
        reasons.append(
            f"{found.malformed - found.footers:,} are not as the header says (the first is {found.first_malformed})"
        )
    if split:
        reasons.append(
            f"{split:,} have no {source.file_table(feed.table).slice_by} from {possible.first} to {possible.last} that"
            f" can be read. Is the feed {feed.name} right about its dates?"
        )
    else:
        reasons[-1] += ". Is there a delimiter too many in the rows, or a name too few in the header?"
    raise FileRefused(
        f"{file.file_name}: none of its {found.rows - found.footers:,} rows can be taken in: {'; '.join(reasons)}"
    )


def _find_files(folder: Path) -> Iterator[_FoundFile]:
    """Whatever lies in the folder and in those below it; links are not followed, and hidden names are left out."""
    unlisted: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unlisted.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*names, *folders):
            path = Path(parent, name)
            status = _status(path)
            if status is None or stat.S_ISDIR(status.st_mode):
                continue
            if not name.startswith((".", "~")) and not name.lower().endswith(PARTIAL_SUFFIXES):
                yield _found_file(folder, path, status)
    for error in unlisted:
        path = Path(error.filename)
        if not isinstance(error, FileNotFoundError):  # gone since, or the landing folder before the first file came
            yield _found_file(folder, path, _status(path), unfit=f"its files cannot be listed: {error.strerror}.")


def _found_file(folder: Path, path: Path, status: os.stat_result | None, unfit: str | None = None) -> _FoundFile:
    relative = path.relative_to(folder).as_posix()
    file_name = os.fsencode(relative).decode("utf-8", "backslashreplace")
    kind = stat.S_IFMT(status.st_mode) if status else 0
    if unfit is None and kind != stat.S_IFREG:
        unfit = f"it is {_UNFIT.get(kind, 'no file')}; {_REGULAR_ONLY}"
    elif file_name != relative:
        unfit = _UNREADABLE_NAME
    if len(file_name.encode()) > MAX_NAME_BYTES:
        unfit = (
            f"its path has {len(file_name.encode()):,} bytes, over the {MAX_NAME_BYTES:,} that are kept. Shorten it."
        )
        file_name = f"{file_name[:150]}...{file_name[-50:]}"
    return _FoundFile(path, _delivery(file_name, status), unfit)


def _status(path: Path) -> os.stat_result | None:
    """Of itself and not of what a link leads to; None where it is gone since it was listed, or out of reach."""
    try:
        return path.lstat()
    except OSError:
        return None


def _delivery(file_name: str, status: os.stat_result | None) -> DeliveredFile:
    if status is None:
        return DeliveredFile(file_name=file_name, size_bytes=0, modified_at=datetime.fromtimestamp(0, UTC))
    microseconds = min(max(status.st_mtime_ns // 1000, 0), _LAST_MOMENT * 1_000_000)
    moment = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return DeliveredFile(file_name=file_name, size_bytes=status.st_size, modified_at=moment)


def _is_unsettled(file: DeliveredFile, settle_seconds: float) -> bool:
    """Whether its mtime is within the settle time. A clock ahead of ours must not keep a file out for ever."""
    return abs((datetime.now(UTC) - file.modified_at).total_seconds()) < settle_seconds
