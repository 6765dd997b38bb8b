"""Commands for what a person may ask for: to see what is held of them, and to have it erased."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from getpass import getpass

from etl_assets.cli.arguments import Commands, command, source_named
from etl_assets.errors import EtlError
from etl_assets.loading.database.erasure import Decision, erase
from etl_assets.loading.database.person_search import find_left, last_erased, persons_by_key, show_person
from etl_assets.loading.database.restored import erase_again
from etl_assets.loading.database.tombstone_keys import erasure_key
from etl_assets.orchestration.models.subject_columns import subject_columns
from etl_assets.settings import Settings, read_settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import Batch, open_batch, other_work
from etl_assets.warehouse.tombstones import tombstones


def print_subject(options: argparse.Namespace) -> None:
    """Print all that is held of a person; it is written nowhere else.

    Raises:
        EtlError: Nothing is held of such a person.
    """
    settings, source = read_settings(), options.source
    persons = _persons(settings, options)
    number = 0
    for place, values in show_person(settings, source, persons, subject_columns(source)):
        number += 1
        print(f"\n{place}")
        for name, value in values.items():
            if value is not None and name != "etl_batch_id":
                print(f"  {name}: {value}")
    if not number:
        raise _nobody(options)
    print(f"\n{number:,} rows are held of this person.")


def erase_person(options: argparse.Namespace) -> None:
    """Erase a person from everywhere, or with --verify search everywhere for one who was erased.

    Raises:
        EtlError: Nothing is held of such a person; or with --verify something is left.
    """
    settings, source = read_settings(), options.source
    persons = _persons(settings, options)
    if options.verify:
        _verify(settings, options, persons)
        return
    if not (options.by and options.why):
        raise EtlError("Say who wants it and why, without naming the person: --by NAME --why WORDS")
    with connect(settings) as connection:
        key = erasure_key(settings, source, tombstones(connection, source.name))
    decision, columns = Decision(by=options.by, why=options.why), subject_columns(source)
    with _alone(settings, source.name) as batch:
        if options.yes:
            erase_again(settings, source, batch, lambda: columns)
        receipt = erase(
            settings,
            source,
            persons,
            decision,
            key=key,
            batch=batch,
            model_columns=columns,
            is_rehearsal=not options.yes,
        )
    for place, number in receipt.places.items():
        print(f"{number:>8,}  {place}")
    if not receipt.places and receipt.erased_before:
        print(f"This person was erased on {receipt.erased_before:%Y-%m-%d}, and nothing is held of them.")
    elif not receipt.places:
        raise _nobody(options)
    elif not options.yes:
        print("Nothing was erased. To erase all of this for good, say so: --yes")
    else:
        print(
            f"Erased; the receipt is in etl.erasure. Numbers of groups are right again after: etl run {source.name}\n"
            "Backups of the warehouse and the source itself still have the person: see docs/erasure.md."
        )


def _verify(settings: Settings, options: argparse.Namespace, persons: dict[str, set[str]]) -> None:
    also = set(_further_words()) if options.also else set()
    left = find_left(settings, options.source, persons, subject_columns(options.source), also)
    for place, number in left.items():
        print(f"{number:>8,}  {place}")
    if left:
        raise EtlError(f"The person is still held in {len(left)} places.")
    erased_at = last_erased(settings, options.source, persons)
    print(f"Nowhere. {f'Erased on {erased_at:%Y-%m-%d}.' if erased_at else 'No tombstone knows this person.'}")


def _further_words() -> Iterator[str]:
    """Words from standard input, a line each; where that is a terminal, asked for without being shown."""
    if not sys.stdin.isatty():
        yield from filter(None, map(str.strip, sys.stdin))
        return
    while word := getpass("A name, an address ... (nothing to begin): ").strip():
        yield word


def _persons(settings: Settings, options: argparse.Namespace) -> dict[str, set[str]]:
    key = sys.stdin.readline().strip() if options.person == "-" else options.person
    if not key:
        raise EtlError("No key was given.")
    with connect(settings) as connection:
        return persons_by_key(connection, settings, options.source, key, options.subject)


def _nobody(options: argparse.Namespace) -> EtlError:
    return EtlError(
        f"Nothing is held of a person of {options.source.name} by that key. A person is named by the key at the source,"
        " and not by a name or an address."
    )


@contextmanager
def _alone(settings: Settings, source: str) -> Iterator[Batch]:
    """A batch, while no other one of the source is under way: what it has read already would come back.

    Raises:
        EtlError: One is.
    """
    with open_batch(settings, source, "erase") as batch:
        if kinds := other_work(batch):
            raise EtlError(
                f"{source}: a {' and a '.join(kinds)} is under way, which may have read the person already. Nothing was"
                " erased; run it again when that has ended."
            )
        yield batch


def add_erasure_commands(commands: Commands) -> None:
    """The commands of this room."""
    for name, act in (("subject", print_subject), ("erase", erase_person)):
        made = command(commands, name, act)
        made.add_argument("source", type=source_named)
        made.add_argument(
            "person", help="the key at the source, not a name or an address; - reads it from standard input"
        )
        made.add_argument("--subject", help="as whom, such as patient, where the key may be two persons'")
    made.add_argument("--by", help="who wants it; kept, and must not name the person")
    made.add_argument("--why", help="for which reason; likewise")
    made.add_argument("--yes", action="store_true", help="do it; otherwise it is only said what would be erased")
    made.add_argument("--verify", action="store_true", help="search everywhere for a person who was erased")
    made.add_argument(
        "--also", action="store_true", help="with --verify: read further words from standard input, a line each"
    )
