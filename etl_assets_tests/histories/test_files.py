"""Random histories of files: what is built as it changes is what a build of everything makes."""

from datetime import date
from random import Random

import pytest

from etl_assets.declare.dates import Span
from etl_assets.loading.files.landing import scan_landing_folder
from etl_assets.loading.files.load import FileStrategy
from etl_assets.settings import Settings
from etl_assets.sources.operating_room import SOURCE
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.histories.builds import SEEDS, build_at_random, check_builds
from etl_assets_tests.histories.hospital_world import HospitalWorld
from etl_assets_tests.loading.runs import load_by

ALL = Span(date(2026, 1, 1), date(2026, 12, 31))


def load(settings: Settings) -> None:
    with connect(settings, autocommit=True) as connection:
        found = scan_landing_folder(settings, SOURCE, connection)
    assert not found.failed
    assert not found.unsettled
    with open_batch(settings, SOURCE.name, "load") as batch:
        names = [table.name for table in SOURCE.tables]
        load_by(FileStrategy, settings, SOURCE, names, span=ALL, batch=batch, accept_shrink=True, reload=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_built_as_it_changes_is_what_a_full_build_makes(settings: Settings, seed: int) -> None:
    world, random = HospitalWorld(Random(seed)), Random(seed)  # noqa: S311
    folder = settings.landing(SOURCE.name)
    folder.mkdir(parents=True)
    for _ in range(random.randint(3, 6)):
        for _ in range(random.choice([1, 1, 2, 4])):
            for _ in range(random.randint(0, 6)):
                world.change()
            world.deliver(folder)
        load(settings)
        build_at_random(settings, SOURCE, random)
    check_builds(settings, SOURCE)
