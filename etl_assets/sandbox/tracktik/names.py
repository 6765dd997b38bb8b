"""The invented names of the company: regions, sites, posts and people. Nothing in it is anyone's."""

from dataclasses import dataclass

COMPANY = "Larkfield Guarding"
CONTRACT = "Harborlight Care"
"""The one large client: one parent, and sites in every sub-region."""

ROOT, CONTRACT_REGION, FORMER_REGION = 100, 110, 190


@dataclass(frozen=True)
class Place:
    """A region that has guards and sites, and the zone in which all of them lie."""

    id: int
    name: str
    parent: int
    zone: str
    daily_rules: bool = False
    """Whether overtime counts from the eighth hour of a day, and not only from the fortieth of a week."""


PLACES = (
    Place(111, "Harborlight North Shore", CONTRACT_REGION, "America/New_York"),
    Place(112, "Harborlight Tidewater", CONTRACT_REGION, "America/New_York"),
    Place(113, "Harborlight Great Lakes", CONTRACT_REGION, "America/Chicago"),
    Place(114, "Harborlight Prairie", CONTRACT_REGION, "America/Chicago"),
    Place(115, "Harborlight Desert", CONTRACT_REGION, "America/Phoenix"),
    Place(116, "Harborlight Coast Range", CONTRACT_REGION, "America/Los_Angeles"),
    Place(117, "Harborlight Bay", CONTRACT_REGION, "America/Los_Angeles", daily_rules=True),
    Place(118, "Harborlight Far North", CONTRACT_REGION, "America/Anchorage"),
    Place(120, "Eastern clients", ROOT, "America/New_York"),
    Place(130, "Western clients", ROOT, "America/Los_Angeles"),
)

SITES = ("Clinic", "Hospital", "Garage", "Laboratory", "Warehouse", "Office park", "Campus", "Depot", "Archive")
STREETS = ("Larch Street", "Harbor Road", "Mill Lane", "Station Avenue", "Quarry Way", "Orchard Street")
FIRST_NAMES = (
    "Ada", "Bruno", "Celia", "Dario", "Edda", "Felix", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leon", "Mara",
    "Nils", "Olga", "Pablo", "Runa", "Sven", "Tilda", "Umar", "Vera", "Wanda", "Yann", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Alder", "Beech", "Cedar", "Dogwood", "Elder", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Kapok", "Larch",
    "Maple", "Nutmeg", "O'Oak", "Pine", "Quince", "Rowan", "Spruce", "Tamarack", "Viburnum", "Willow", "Yew",
)  # fmt: skip
TOWNS = ("Fernhollow", "Greyport", "Tansy Cross", "Saltmarsh", "Tallow Creek", "Windmere")

HOUR = 60


@dataclass(frozen=True)
class Post:
    """A kind of position: when somebody stands there, in minutes after the site's own midnight, and for how long.

    None begins or ends between one and three in the morning, the hours that a change of clocks takes or doubles.
    """

    name: str
    slots: tuple[tuple[int, int], ...]
    break_minutes: int = 30
    weight: int = 1
    one_guard: bool = False
    """Held by two guards of its own in turns, and by no more in a larger company."""
    billed: bool = True


def _slots(*hours: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    return tuple((start * HOUR, length * HOUR) for start, length in hours)


POSTS = (
    Post("Patrol", _slots((6, 4), (12, 4), (16, 4)), break_minutes=0, weight=16),
    Post("Lobby officer", _slots((6, 8), (14, 8)), weight=6),
    Post("Gate officer", _slots((7, 12), (19, 12)), break_minutes=60, weight=4),
    Post(
        "Emergency room officer",
        _slots(
            (13, 10),
        ),
        break_minutes=45,
        weight=4,
    ),
    Post("Dispatch", _slots((6, 8), (14, 8), (22, 8)), break_minutes=20, weight=4),
    Post(
        "Night officer",
        _slots(
            (22, 8),
        ),
        weight=4,
    ),
    Post("Fire watch", _slots((8, 8), (16, 8)), weight=2),
    Post(
        "Stand-by officer",
        _slots(
            (18, 6),
        ),
        break_minutes=0,
        weight=2,
    ),
    Post(
        "Training",
        _slots(
            (9, 4),
        ),
        break_minutes=0,
        weight=2,
        billed=False,
    ),
    Post(
        "Round-the-clock post",
        _slots(
            (7, 24),
        ),
        break_minutes=60,
        one_guard=True,
    ),
    Post(
        "Live-in caretaker",
        _slots(
            (0, 24),
        ),
        break_minutes=0,
        one_guard=True,
    ),
)
EVENING = 18 * HOUR
"""Whoever begins at this time or later works nights only, and so is never wanted in two places."""
