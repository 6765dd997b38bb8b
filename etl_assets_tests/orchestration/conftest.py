from collections.abc import Callable
from pathlib import Path

import pytest

from etl_assets.warehouse import embedded
from etl_assets_tests.orchestration.installation import Installation, install


@pytest.fixture(scope="module")
def installation(tmp_path_factory, server: Path, new_database: Callable[[], str]) -> Installation:
    """An installation that the tests of one module share, in their order."""
    home = tmp_path_factory.mktemp("home")
    made = install(home, new_database, embedded.server_url(server, "postgres"))
    made.landing.mkdir(parents=True)
    return made
