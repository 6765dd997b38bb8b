"""The command `discover`: what a source has, written into the list that we keep of it, or held against it."""

import argparse
import json
from pathlib import Path

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.cli.copies import discover_tables
from etl_assets.cli.runs import migrate_quietly
from etl_assets.declare.source import Source
from etl_assets.errors import EtlError
from etl_assets.loading.rest.observed_drift import check_observed
from etl_assets.loading.rest.specification_drift import job_drift, shape_drift
from etl_assets.readers.rest.specification import Specification, parse_specification, read_shapes, render_shapes
from etl_assets.settings import read_settings
from etl_assets.warehouse.ledger import open_batch


def discover_source(options: argparse.Namespace) -> None:
    """Read what a source has and write the list of it; or say, with --check, where the two part."""
    if not options.source.is_service:
        if options.specification:
            raise EtlError(f"{options.source.name} has no configured jobs that a specification could be held against.")
        discover_tables(options)
    elif options.check:
        check_service(options)
    else:
        write_shapes(options)


def write_shapes(options: argparse.Namespace) -> None:
    """Write down what the vendor's specification says of the endpoints that a source's jobs ask."""
    source: Source = options.source
    path, declared = _shapes(source)
    if options.specification is None:
        raise EtlError(f"etl discover {source.name} --specification FILE names the vendor's document.")
    vendors = _read_specification(options.specification)
    path.write_text(render_shapes(_part_used(source, declared, vendors)), encoding="utf-8")
    print(f"{path.name} was written; git diff shows what has changed.")


def check_service(options: argparse.Namespace) -> None:
    """Hold what is declared of a service against its vendor's specification, and against what loads have seen."""
    source: Source = options.source
    found: list[str] = []
    if source.jobs or options.specification:
        _, declared = _shapes(source)
        vendors = _read_specification(options.specification) if options.specification else None
        found += job_drift(source.jobs, vendors or declared)
        if vendors:
            found += shape_drift(declared, _part_used(source, declared, vendors))
        if not found:
            print(f"{len(source.jobs)} jobs and {len(declared.models)} models are as they are declared.")
    settings = read_settings()
    migrate_quietly(settings)
    with open_batch(settings, source.name, "check") as batch:
        looked_at, seen = check_observed(batch, source)
    if not seen:
        held = f"The records of {looked_at} tables hold what they should."
        print(held if looked_at else "No load has seen its records yet.")
    found += seen
    if found:
        print("\n".join(found))
        raise EtlError(f"{len(found)} differences between what {source.name} declares and what the vendor has.")


def _shapes(source: Source) -> tuple[Path, Specification]:
    path = source.service.shapes
    if path is None:
        raise EtlError(f"{source.name} keeps no shapes of its endpoints.")
    return path, read_shapes(path.read_text(encoding="utf-8"))


def _part_used(source: Source, declared: Specification, vendors: Specification) -> Specification:
    """The endpoints of the jobs, and those that were written down besides."""
    return vendors.select([*(job.path for job in source.jobs), *(each.path for each in declared.operations)])


def _read_specification(path: Path) -> Specification:
    """The vendor's document.

    Raises:
        EtlError: It cannot be read as one.
    """
    try:
        return parse_specification(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EtlError(f"{path} is no Swagger 2.0 document in JSON: {type(error).__name__}: {error}") from None


def add_discover_command(commands: Commands) -> None:
    """The command `discover`."""
    parser = command(commands, "discover", discover_source)
    parser.add_argument("source", type=source_named)
    parser.add_argument("--specification", type=Path, metavar="FILE", help="a service's: the vendor's own, in JSON")
    parser.add_argument("--accept-shrink", action="store_true", help="believe a database that has far fewer tables")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where the two part")
