"""File formats: told by the first bytes, for names lie; and what a file is that is none of those we read."""

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

from etl_assets.errors import FileRefused

TABULAR = ("parquet", "excel")
MAX_UNPACKED_BYTES = 1 << 30
"""What the parts of a workbook may come to when they are unpacked: the texts of its cells are held in memory."""

_MARKS = {b"\x1f\x8b": "gzip", b"PAR1": "parquet", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}
_ENDINGS = {".gz": "gzip", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "excel", ".xlsm": "excel"}
_OLE = b"\xd0\xcf\x11\xe0"
_UNREAD = {
    b"%PDF": "a PDF",
    b"{\\rtf": "a text document (RTF)",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
}
_HTML = ("<!doctype html", "<html", "<head", "<body", "<meta", "<style", "<table", "<div")
_HEAD_BYTES = 4_096
_SAVE_AS = "Save it as .xlsx or CSV."


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, unbuffered; anything else could be read for ever.

    Raises:
        FileRefused: It is a link, a named pipe, a device or a folder.
        OSError: It cannot be opened.
    """
    if path.is_symlink():
        raise FileRefused("it is a link, and no regular file")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileRefused("it is no regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def detect_format(path: Path) -> str:
    """Detect the format from the first bytes, and check it against the ending of the name.

    Returns:
        `text`, `gzip`, `parquet` or `excel`.

    Raises:
        FileRefused: It is empty, of a format that is not read, or of another than its name says.
    """
    with open_regular(path) as file:
        head = file.read(_HEAD_BYTES)
        if not head:
            raise FileRefused("it is empty")
        if head.startswith(_OLE):
            raise FileRefused(_ole_kind(file, head))
    unread = next((what for mark, what in _UNREAD.items() if head.startswith(mark)), None)
    if unread:
        raise FileRefused(f"it is {unread}, which is not read. Send CSV (plain or gzipped), Parquet or .xlsx.")
    kind = next((kind for mark, kind in _MARKS.items() if head.startswith(mark)), "text")
    if kind == "text":
        _refuse_markup(head)
    if kind == "zip":
        kind = _zip_kind(path)
    claimed = next((kind for ending, kind in _ENDINGS.items() if path.name.lower().endswith(ending)), kind)
    if claimed != kind:
        raise FileRefused(f"its name says {claimed}, but its first bytes are {head[:8]!r}. Was it written to its end?")
    return kind


def _refuse_markup(head: bytes) -> None:
    """Refuse HTML and XML, which many systems name .xls or .csv."""
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head.decode("utf-16" if wide else "utf-8-sig", "replace").lstrip("\ufeff \t\r\n").lower()
    if text.startswith(_HTML):
        raise FileRefused(
            f"it is an HTML page, whatever its name says, and HTML is not read. If it opens in Excel as a table:"
            f" {_SAVE_AS} If it is a login or an error page, the download failed."
        )
    if text.startswith("<?xml") or "<workbook" in text[:_HEAD_BYTES]:
        excel = "urn:schemas-microsoft-com:office" in text or "excel.sheet" in text
        raise FileRefused(
            f"it is an Excel file of the XML kind of 2003, which is not read. {_SAVE_AS}"
            if excel
            else "it is XML, which is not read. Send CSV (plain or gzipped), Parquet or .xlsx."
        )


def _ole_kind(file: io.FileIO, head: bytes) -> str:
    """What a file of Microsoft's old container is: its directory names the streams, in UTF-16."""
    names = b""
    if len(head) >= 52:  # noqa: PLR2004 (the fields of its head that are read here)
        size = 1 << min(struct.unpack_from("<H", head, 30)[0], 16)
        file.seek((struct.unpack_from("<I", head, 48)[0] + 1) * size)
        names = file.read(_HEAD_BYTES)
    if any(name.encode("utf-16-le") in names for name in ("EncryptedPackage", "EncryptionInfo", "DataSpaces")):
        return "it is an Excel file that is protected by a password. Save it without one."
    if "WordDocument".encode("utf-16-le") in names:
        return "it is a Word document, which is not read. Send CSV (plain or gzipped), Parquet or .xlsx."
    return f"it is an Excel file of the old kind (.xls), which is not read. {_SAVE_AS}"


def _zip_kind(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    names = {part.filename.lstrip("/").lower() for part in parts}
    if "xl/workbook.bin" in names:
        raise FileRefused(f"it is a binary Excel file (.xlsb), which is not read. {_SAVE_AS}")
    if not any(name.startswith("xl/") for name in names):
        if {"mimetype", "content.xml"} <= names:
            raise FileRefused(f"it is an OpenDocument file (.ods), which is not read. {_SAVE_AS}")
        raise FileRefused(
            f"it is a zip archive of {len(parts):,} files, which is not read. Unpack it, and send each file by itself,"
            " gzipped if need be."
        )
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED_BYTES:
        raise FileRefused(
            f"it unpacks to {unpacked >> 20:,} MB, and a workbook is read up to {MAX_UNPACKED_BYTES >> 20:,} MB."
            " Send CSV or Parquet."
        )
    return "excel"
