"""What a file is told to be that cannot be read."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from etl_assets.errors import FileRefused
from etl_assets.readers.files import formats
from etl_assets.readers.files.open import profile_file
from etl_assets_tests.readers.files.visits import HEADER, VISIT, feed, read, write

GOOD = f"{HEADER}\nA1,2024-03-23,Room 1,2024-03-23 06:10:00,30\n"


def ole_file(*streams: str) -> bytes:
    """A file of Microsoft's old container with these streams in its directory, which is its second sector."""
    head = bytearray(512)
    head[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    head[30:32] = (9).to_bytes(2, "little")
    head[48:52] = (1).to_bytes(4, "little")
    directory = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return bytes(head) + b"\0" * 512 + directory.ljust(512, b"\0")


def zip_file(*names: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name in names:
            archive.writestr(name, GOOD)
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("v.xls", ole_file("Workbook"), "of the old kind", id="an old Excel file"),
        pytest.param("v.xlsx", ole_file("EncryptedPackage"), "protected by a password", id="an encrypted xlsx"),
        pytest.param("v.xls", ole_file("EncryptionInfo"), "protected by a password", id="an encrypted one named xls"),
        pytest.param("v.doc", ole_file("WordDocument"), "a Word document", id="a Word document"),
        pytest.param("v.xls", b"<table><tr><td>visit_id</td></tr></table>", "an HTML page", id="HTML named xls"),
        pytest.param("v.csv", b"\n <!DOCTYPE html><title>Login", "the download failed", id="a login page named csv"),
        pytest.param("v.xls", "<html>".encode("utf-16"), "an HTML page", id="HTML in utf-16"),
        pytest.param(
            "v.xls", b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "kind of 2003", id="Excel's XML"
        ),
        pytest.param("v.csv", b"<?xml version='1.0'?><visits/>", "it is XML", id="XML"),
        pytest.param("v.zip", zip_file("a.csv", "b.csv"), "a zip archive of 2 files", id="a zip"),
        pytest.param("v.csv", zip_file("a.csv"), "a zip archive of 1 files", id="a zip named csv"),
        pytest.param("v.xlsx", zip_file("a.csv"), "a zip archive of 1 files", id="a zip named xlsx"),
        pytest.param("v.ods", zip_file("mimetype", "content.xml"), "an OpenDocument file", id="OpenDocument"),
        pytest.param("v.xlsx", zip_file("xl/workbook.bin"), "a binary Excel file", id="a binary Excel file"),
        pytest.param("v.csv", b"%PDF-1.7", "it is a PDF", id="a PDF"),
        pytest.param("v.csv.bz2", b"BZh91AY", "compressed by bzip2", id="bzip2"),
    ],
)
def test_a_file_of_another_format_is_called_what_it_is(tmp_path, name, content, reason) -> None:
    with pytest.raises(FileRefused, match=reason) as refused:
        profile_file(write(tmp_path, content, name), feed(), VISIT)
    assert str(refused.value).startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["visits.xls", "visits.dat", "visits"])
def test_text_is_read_as_text_whatever_its_name_says(tmp_path, name) -> None:
    assert list(read(write(tmp_path, GOOD, name))[0]) == [2]


def test_a_workbook_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(formats, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(FileRefused, match="a workbook is read up to"):
        profile_file(write(tmp_path, zip_file("xl/workbook.xml", "xl/b"), "v.xlsx"), feed(), VISIT)


def special_file(path: Path, kind: str) -> Path:
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, stat.S_IFSOCK)
    elif kind == "folder":
        path.mkdir()
    else:
        target = path.with_name("target")
        target.write_text(GOOD)
        path.symlink_to(target)
    return path


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "link"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path, kind) -> None:
    with pytest.raises(FileRefused, match=r"^v.csv: it (is a link|is no regular file|cannot be read)"):
        profile_file(special_file(tmp_path / "v.csv", kind), feed(), VISIT)
