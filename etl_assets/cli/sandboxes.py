"""Commands for the stand-ins of the sources, to try and to test with."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from etl_assets.cli.arguments import Commands, command, day, planted
from etl_assets.declare.database import ERASURE_KEY, PSEUDONYM_KEY
from etl_assets.errors import EtlError
from etl_assets.settings import Settings, read_settings, temporary_environment
from etl_assets.sources import chosen_sources
from etl_assets.warehouse.connection import warehouse_url

DAYS, ROOMS, START = 42, 8, date(2026, 1, 5)
DEMO_TRIALS = {"patients": 60, "studies": 6, "subjects": 80, "visits": 6}
"""Of each of the two instances that `make run` loads: some 4,000 requests in all."""


@contextmanager
def stand_ins(settings: Settings) -> Iterator[None]:
    """Stand in for the services and databases that nobody has set up, for as long as the block lasts.

    Not in a warehouse of somebody's own: nothing invented belongs there.
    """
    with ExitStack() as lent:
        if settings.embedded:
            chosen = {source.name for source in chosen_sources(settings.sources)}
            for name, (setting, stand_in) in _STAND_INS.items():
                if name in chosen and not settings.of_source(name).get(setting):
                    where = lent.enter_context(stand_in(settings))
                    print(f"{name}: ETL_{name.upper()}_{setting.upper()} is not set; a sandbox stands in at {where}")
        yield


@contextmanager
def _tracktik(settings: Settings) -> Iterator[str]:
    from etl_assets.sandbox.tracktik.company import Company
    from etl_assets.sandbox.tracktik.service import serve

    with (
        serve(Company()) as service,
        temporary_environment({**service.credentials, "ETL_TRACKTIK_CALLS_PER_MINUTE": "60000"}),
    ):
        yield service.url


@contextmanager
def _open_dental(settings: Settings) -> Iterator[str]:
    from etl_assets.sandbox.open_dental.fill import host

    with temporary_environment({"ETL_OPEN_DENTAL_URL": host(warehouse_url(settings))}):
        yield "a database beside the warehouse"


@contextmanager
def _trialsync(_: Settings) -> Iterator[str]:
    from etl_assets.sandbox.trialsync.books import Scale
    from etl_assets.sandbox.trialsync.service import Instances

    scale = Scale(**DEMO_TRIALS)
    rates = {f"ETL_TRIALSYNC_{name.upper()}_REQUESTS_PER_SECOND": "100000" for name in ("north", "south")}
    with Instances(scale) as instances, temporary_environment({**instances.settings, **rates}):
        yield " and ".join(service.address for service in instances.services.values())


@contextmanager
def _gohighlevel(_: Settings) -> Iterator[str]:
    from etl_assets.sandbox.gohighlevel.service import Service

    with Service() as service, temporary_environment(service.settings()):
        yield service.address


@contextmanager
def _lacrei_saude(settings: Settings) -> Iterator[str]:
    from etl_assets.sandbox.lacrei_saude.fill import host

    given = {"ETL_LACREI_SAUDE_URL": host(warehouse_url(settings))}
    for word in (PSEUDONYM_KEY, ERASURE_KEY):
        if not settings.of_source("lacrei_saude").get(word):
            given[f"ETL_LACREI_SAUDE_{word.upper()}"] = "of people who do not exist, and no secret"
    with temporary_environment(given):
        yield "a database beside the warehouse"


_STAND_INS = {
    "tracktik": ("url", _tracktik),
    "open_dental": ("url", _open_dental),
    "trialsync": ("instances", _trialsync),
    "gohighlevel": ("instances", _gohighlevel),
    "lacrei_saude": ("url", _lacrei_saude),
}
"""By source: what is set where somebody has one, and what stands in otherwise."""


def write_first_files(settings: Settings) -> Path:
    """Fill the landing folder of the operating room, where there is none yet; returns it."""
    from etl_assets.sandbox.operating_room.write import write_files

    folder = settings.landing("operating_room")
    if not folder.exists():
        folder.mkdir(parents=True)
        write_files(folder, start=START, days=DAYS, rooms=ROOMS, split="week")
    return folder


def sandbox_service(options: argparse.Namespace) -> None:
    """Stand in for the TrackTik API on a port of this machine, until stopped; prints how to reach it."""
    from etl_assets.sandbox.tracktik.service import run_service

    run_service(options.port)


def sandbox_instances(options: argparse.Namespace) -> None:
    """Stand in for two instances of the Clinical Conductor API, until stopped; prints how to reach them."""
    from etl_assets.sandbox.trialsync.books import Scale
    from etl_assets.sandbox.trialsync.service import run_instances

    try:
        scale = Scale(
            patients=options.patients, studies=options.studies, subjects=options.subjects, visits=options.visits
        )
    except ValueError as error:
        raise EtlError(str(error)) from error
    run_instances(options.port, scale=scale, latency=options.latency / 1000)


def sandbox_location(options: argparse.Namespace) -> None:
    """Stand in for a location of the GoHighLevel API, until stopped; prints how to reach it."""
    from etl_assets.sandbox.gohighlevel.service import run_location

    run_location(options.port, contacts=options.contacts)


def sandbox_files(options: argparse.Namespace) -> None:
    """Write believable operating-room files into the landing folder, or another."""
    from etl_assets.sandbox.operating_room.write import write_files

    folder = options.folder or read_settings().landing("operating_room")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        written = write_files(
            folder,
            seed=options.seed,
            start=options.start,
            days=options.days,
            rooms=options.rooms,
            defects=dict(options.defect),
            split=options.split,
        )
    except ValueError as error:
        raise EtlError(str(error)) from error
    print(f"{len(written.files)} files in {folder}")
    for rule, number in sorted(written.expected_findings.items()):
        print(f"  to be found by {rule}: {number}" * (number > 0), end="\n" * (number > 0))
    for name, number in sorted(written.expected_rejects.items()):
        print(f"  lines to be rejected of {name}: {number}")


def sandbox_practice(options: argparse.Namespace) -> None:
    """Fill a MariaDB, MySQL or PostgreSQL database with an invented dental practice."""
    from etl_assets.sandbox.open_dental.fill import fill

    fill(options.url, patients=options.patients, seed=options.seed)
    print(f"A practice of {options.patients:,} patients. To load it: ETL_OPEN_DENTAL_URL=... etl run open_dental")


def sandbox_community(options: argparse.Namespace) -> None:
    """Fill a PostgreSQL database, or one beside the embedded warehouse, with an invented health network."""
    from etl_assets.sandbox.lacrei_saude.fill import fill, host

    size = {"schema": options.schema, "patients": options.patients, "seed": options.seed}
    settings = read_settings()
    if options.url:
        fill(options.url, **size)
    elif settings.embedded:
        where = urlsplit(host(warehouse_url(settings), **size)).path.removeprefix("/")
        print(f"In the database {where}, beside the embedded warehouse.")
    else:
        raise EtlError("The warehouse's server is somebody's own: give the URL of an empty database.")
    print(
        f"A network of {options.patients:,} patients and some who are odd on purpose, in the {options.schema} schema."
    )


def add_sandbox_commands(commands: Commands) -> None:
    """The command `sandbox`."""
    stand_in = commands.add_parser("sandbox", help="Stand-ins for the sources, to try and to test with.")
    sources = stand_in.add_subparsers(required=True, metavar="SOURCE")
    made = command(sources, "tracktik", sandbox_service)
    made.add_argument("--port", type=int, default=8089)
    made = command(sources, "trialsync", sandbox_instances)
    made.add_argument("--port", type=int, default=8090, help="of the first instance; the second takes the next one")
    made.add_argument("--patients", type=int, default=120, help="of each instance, as all below")
    made.add_argument("--studies", type=int, default=12)
    made.add_argument("--subjects", type=int, default=160)
    made.add_argument("--visits", type=int, default=8, help="of a study's protocol, about")
    made.add_argument("--latency", type=float, default=0, metavar="MS", help="milliseconds that answers take longer")
    made = command(sources, "gohighlevel", sandbox_location)
    made.add_argument("--port", type=int, default=8092)
    made.add_argument("--contacts", type=int, default=120)
    made = command(sources, "operating_room", sandbox_files)
    made.add_argument("--folder", type=Path, help="where to write; the landing folder where left out")
    made.add_argument("--start", type=day, default=START, metavar="DATE")
    made.add_argument("--days", type=int, default=DAYS)
    made.add_argument("--rooms", type=int, default=ROOMS)
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--split", choices=("day", "week", "month"), default="week", help="how much a file holds")
    made.add_argument("--defect", action="append", type=planted, default=[], metavar="KIND=N")
    made = command(sources, "open_dental", sandbox_practice)
    made.add_argument("url", help="an empty database: mysql://user:password@host/name or postgresql://...")
    made.add_argument("--patients", type=int, default=400)
    made.add_argument("--seed", type=int, default=1)
    made = command(sources, "lacrei_saude", sandbox_community)
    made.add_argument(
        "url", nargs="?", help="an empty database: postgresql://...; else one beside the embedded warehouse"
    )
    made.add_argument("--schema", choices=("older", "newer"), default="older", help="lookup keys, or two-letter codes")
    made.add_argument("--patients", type=int, default=400)
    made.add_argument("--seed", type=int, default=1)
