"""Settings from environment variables and a secrets file, read when asked. No other module looks at the environment."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

from dotenv import dotenv_values

from etl_assets.errors import EtlError

SECRETS_FILE = "ETL_SECRETS_FILE"
"""Names a file of settings, a line `ETL_WORD=value` each. What the environment says itself wins."""
PROJECT = Path(__file__).resolve().parent.parent
"""The checkout: where sql/ and dagster.yaml lie."""
MAX_FINDINGS = 1_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What this installation is. Secrets do not show in its repr."""

    home: Path
    """ETL_HOME: where the embedded warehouse, Dagster's logs and the landing folder lie; `.etl` in the checkout."""
    landing_dir: Path
    """ETL_LANDING_DIR: where senders drop files, one folder a source; `landing` in the home."""
    warehouse_url: str | None = field(repr=False)
    """ETL_WAREHOUSE_URL: an external PostgreSQL, 17 or later; unset, the embedded one is used."""
    dagster_url: str | None = field(repr=False)
    """ETL_DAGSTER_URL: Dagster's own database; unset, the database `dagster` beside the warehouse."""
    feeds: Path | None
    """ETL_FEEDS: a YAML file of a hospital's own feeds, looked at before those we ship."""
    file_quiet_seconds: float
    """ETL_FILE_QUIET_SECONDS: how long a file must have been left alone before it is taken for complete; 5."""
    max_findings: int
    """ETL_MAX_FINDINGS: how many single findings are kept of a rule and date; 1,000. They are counted all the same."""
    dagster_keep_days: float
    """ETL_DAGSTER_KEEP_DAYS: how long the runs of Dagster and the results of checks are kept; 30."""
    ledger_keep_days: float
    """ETL_LEDGER_KEEP_DAYS: how long the ledger keeps results of checks, and what changed nothing; 400."""
    report_dir: Path
    """ETL_REPORT_DIR: where reports are written, one folder a source; `reports` in the home."""
    warehouse_disk_bytes: float
    """ETL_WAREHOUSE_DISK_BYTES: how large the disk of an external warehouse is, for the day when it is full; 0 where
    nobody says."""
    tombstone_dir: Path
    """ETL_TOMBSTONE_DIR: where it is kept who was erased, a file a source; `tombstones` in the home."""
    sources: tuple[str, ...]
    """ETL_SOURCES: the sources that a code location holds, with commas between; all there are, where it is not set."""
    max_runs: int
    """ETL_MAX_RUNS: how many runs there may be at once, the others wait in the queue; 4."""
    celery_broker_url: str | None = field(repr=False)
    """ETL_CELERY_BROKER_URL: the broker of Celery workers; unset, the daemon's machine runs the runs."""
    given: Mapping[str, str] = field(repr=False)
    """Every other variable ETL_<SOURCE>_<WORD>, which say how a source is reached; secrets are among them."""

    @property
    def embedded(self) -> bool:
        """Whether the warehouse is the server that this project runs by itself."""
        return self.warehouse_url is None

    def landing(self, source: str) -> Path:
        """The folder in which the files of a source are dropped."""
        return self.landing_dir / source

    def of_source(self, name: str) -> dict[str, str]:
        """What is set of a source: ETL_TRACKTIK_URL is `url` of tracktik."""
        prefix = f"ETL_{name.upper()}_"
        return {
            word.removeprefix(prefix).lower(): value for word, value in self.given.items() if word.startswith(prefix)
        }


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that an environment gives, and its secrets file; the process's own where none is named.

    Raises:
        EtlError: A value cannot be read, or the secrets file: it is not there, or others may read it.
    """
    given = _with_secrets_file(os.environ if environment is None else environment)
    home = Path(given.get("ETL_HOME") or PROJECT / ".etl").resolve()
    feeds = given.get("ETL_FEEDS")
    return Settings(
        home=home,
        landing_dir=Path(given.get("ETL_LANDING_DIR") or home / "landing").resolve(),
        warehouse_url=given.get("ETL_WAREHOUSE_URL") or None,
        dagster_url=given.get("ETL_DAGSTER_URL") or None,
        feeds=Path(feeds) if feeds else None,
        file_quiet_seconds=_number(given, "ETL_FILE_QUIET_SECONDS", 5.0),
        max_findings=int(_number(given, "ETL_MAX_FINDINGS", MAX_FINDINGS)),
        dagster_keep_days=_number(given, "ETL_DAGSTER_KEEP_DAYS", 30.0),
        ledger_keep_days=_number(given, "ETL_LEDGER_KEEP_DAYS", 400.0),
        report_dir=Path(given.get("ETL_REPORT_DIR") or home / "reports").resolve(),
        warehouse_disk_bytes=_number(given, "ETL_WAREHOUSE_DISK_BYTES", 0.0),
        tombstone_dir=Path(given.get("ETL_TOMBSTONE_DIR") or home / "tombstones").resolve(),
        sources=tuple(name for name in given.get("ETL_SOURCES", "").replace(",", " ").split()),
        max_runs=int(_number(given, "ETL_MAX_RUNS", 4)),
        celery_broker_url=given.get("ETL_CELERY_BROKER_URL") or None,
        given={name: value for name, value in given.items() if name.startswith("ETL_") and value},
    )


def setting_names() -> tuple[str, ...]:
    """The settings there are, secrets left out."""
    return tuple(setting.name for setting in fields(Settings) if setting.repr)


def process_environment() -> dict[str, str]:
    """The environment variables of this process, for one that it starts."""
    return dict(os.environ)


def export_environment(variables: Mapping[str, str]) -> None:
    """Set environment variables of this process and of those that it starts."""
    os.environ.update(variables)


@contextmanager
def temporary_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the time of the `with` block."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name, None)
        os.environ.update(before)


def _with_secrets_file(environment: Mapping[str, str]) -> Mapping[str, str]:
    name = environment.get(SECRETS_FILE)
    if not name:
        return environment
    path = Path(name)
    try:
        mode = path.stat().st_mode
        if mode & 0o077:
            raise EtlError(f"{SECRETS_FILE}: others than its owner may use {path} ({mode & 0o777:o}): chmod 600 {path}")
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise EtlError(f"{SECRETS_FILE}: {path} cannot be read: {type(error).__name__}") from None
    strange = [word for word, value in values.items() if value is None or not word.startswith("ETL_")]
    if strange:
        # A line that is no setting may be the rest of a secret: it is not repeated.
        raise EtlError(f"{SECRETS_FILE}: {path} has {len(strange)} lines that are no ETL_WORD=value.")
    return {**{word: value for word, value in values.items() if value}, **environment}


def _number(given: Mapping[str, str], name: str, otherwise: float) -> float:
    text = given.get(name)
    if not text:
        return otherwise
    try:
        return float(text)
    except ValueError:
        raise EtlError(f"{name} is {text!r}; a number was expected.") from None
