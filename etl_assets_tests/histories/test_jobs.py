"""Random histories of configured jobs: what is built as lists change is what a build of everything makes."""

from random import Random

import pytest

from etl_assets.sandbox.trialsync.books import PATIENT, SITE, STUDY, Books
from etl_assets.sandbox.trialsync.directory import SPONSOR, STAFF
from etl_assets.settings import Settings
from etl_assets.sources.trialsync import SOURCE
from etl_assets_tests.histories.builds import SEEDS, build, build_at_random, check_builds
from etl_assets_tests.sources.trialsync_loads import open_trialsync
from etl_assets_tests.sql.trialsync_instances import SMALL, load_modelled, modelled_tables

FIRST_IDS = {"patients": PATIENT, "sites": SITE, "studies": STUDY, "sponsors": SPONSOR, "staff": STAFF}
HOW_MANY = {"patients": SMALL.patients, "sites": SMALL.sites, "studies": SMALL.studies, "sponsors": 3, "staff": 4}


def change(books: Books, random: Random) -> None:
    """Let something happen at an instance: days go by, records say something else, or are gone."""
    drawn = random.random()
    if drawn < 0.4:
        books.advance(random.choice([1, 20, 90]))
    elif drawn < 0.7:
        kind = random.choice(sorted(FIRST_IDS))
        books.change(kind, FIRST_IDS[kind] + random.randrange(HOW_MANY[kind]))
    elif drawn < 0.9:
        subject, _ = random.choice(list(books.walk("subjects", 0, books.offsets("subjects").size)))
        random.choice([books.change, books.delete])("subjects", subject.id)
    else:
        books.delete("patients", PATIENT + random.randrange(SMALL.patients))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_built_as_it_changes_is_what_a_full_build_makes(settings: Settings, seed: int) -> None:
    random = Random(seed)  # noqa: S311
    with open_trialsync(settings, SMALL) as trialsync:
        load_modelled(trialsync)
        build(trialsync.settings, SOURCE)
        for _ in range(random.randint(1, 3)):
            for _ in range(random.choice([1, 1, 3])):
                change(random.choice(list(trialsync.services.values())).books, random)
            # Some lists are read before others: a status comes before its subject, and a visit after it was dropped.
            load_modelled(trialsync, random.choice([(), random.sample(modelled_tables(), 4)]))
            build_at_random(trialsync.settings, SOURCE, random)
        check_builds(trialsync.settings, SOURCE)
