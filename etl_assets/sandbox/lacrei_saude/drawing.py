"""A community drawn from a seed."""

from etl_assets.sandbox.lacrei_saude.community import Community
from etl_assets.sandbox.lacrei_saude.people import Keys, People
from etl_assets.sandbox.lacrei_saude.visits import Visits

PATIENTS = 400


def draw(seed: int = 1, *, patients: int = PATIENTS) -> Community:
    """A community of what is odd on purpose and so many patients more; the same words give the same on any machine."""
    community, keys = Community(seed), Keys(seed)
    People(community, keys).draw(patients)
    Visits(community, keys).draw(3 * patients)
    return community
