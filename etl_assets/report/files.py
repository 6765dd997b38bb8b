"""Report files: written whole or not at all, and a bounded number of them kept."""

import os
import tempfile
from datetime import datetime
from pathlib import Path

from etl_assets.errors import EtlError

KEPT_REPORTS = 84
"""Files of one name that stay in a folder: two weeks of one every four hours, twelve of one every day."""
_MODE = 0o640


def write_atomically(path: Path, text: str) -> None:
    """Put a file in place whole, in place of one that is there; its owner may write it, and its group may read it.

    Raises:
        EtlError: It cannot be written; what was there is as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EtlError(
            f"{path} cannot be written: {reason}. ETL_REPORT_DIR names the report folder, --out another file."
        ) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), _MODE)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_report_file(folder: Path, name: str, suffix: str, text: str, moment: datetime) -> Path:
    """Write a report into a folder, and delete the oldest of its name beyond `KEPT_REPORTS`.

    Args:
        folder: Made where it is not there.
        name: What the file's name begins with; the moment follows.
        suffix: What it ends with, such as `.md`.
        text: What is written.
        moment: As of when it is; a report of the same minute is replaced.
    """
    path = folder / f"{name}_{moment:%Y-%m-%dT%H%M}{suffix}"
    write_atomically(path, text)
    for old in sorted(folder.glob(f"{name}_????-??-??T????{suffix}"))[:-KEPT_REPORTS]:
        old.unlink(missing_ok=True)  # another report may have deleted it already
    return path
