"""What changes seldom: regions, clients and their contracts, overtime rules, holidays and pay codes, as documents."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.tracktik import names
from etl_assets.sandbox.tracktik.names import PLACES, Place
from etl_assets.sandbox.tracktik.terms import Document

FEWEST_CLIENTS = 12
PARENT_CLIENT, FIRST_CLIENT, FIRST_CONTRACT = 2001, 2002, 3001
_IN_CONTRACT = 0.65
"""The share of the sites that belong to the one large client."""
STATES = {
    "America/New_York": "NY",
    "America/Chicago": "IL",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA",
    "America/Anchorage": "AK",
}
_HOLIDAYS = {(1, 1), (7, 4), (11, 11), (12, 25)}
"""Month and day of those that are paid as such."""
HOLIDAY_GROUP, BACK_OFFICE = 51, 61

PAY_WEEKLY, BILL_WEEKLY, PAY_DAILY, BILL_DAILY, BILL_LATE, BILL_AT_A_RATE, BILL_BIWEEKLY = range(1, 8)
# id, name, side, items of (kind, kind of rate, threshold, multiplier, amount)
_RULES: tuple[tuple[int, str, str, tuple[tuple[str, str, str, str | None, str | None], ...]], ...] = (
    (PAY_WEEKLY, "Over 40 a week, payroll", "PAYROLL", (("PERIOD", "MULTIPLIER", "40", "1.5", None),)),
    (BILL_WEEKLY, "Over 40 a week, billing", "BILLING", (("PERIOD", "MULTIPLIER", "40", "1.5", None),)),
    (
        PAY_DAILY,
        "Over 8 and 12 a day and 40 a week, payroll",
        "PAYROLL",
        (
            ("DAILY", "MULTIPLIER", "8", "1.5", None),
            ("DAILY", "MULTIPLIER", "12", "2", None),
            ("PERIOD", "MULTIPLIER", "40", "1.5", None),
        ),
    ),
    (
        BILL_DAILY,
        "Over 8 and 12 a day and 40 a week, billing",
        "BILLING",
        (
            ("DAILY", "MULTIPLIER", "8", "1.5", None),
            ("DAILY", "MULTIPLIER", "12", "2", None),
            ("PERIOD", "MULTIPLIER", "40", "1.5", None),
        ),
    ),
    (
        BILL_LATE,
        "Over 48 and 60 a week, billing",
        "BILLING",
        (("PERIOD", "MULTIPLIER", "48", "1.5", None), ("PERIOD", "MULTIPLIER", "60", "2", None)),
    ),
    (BILL_AT_A_RATE, "95.00 an hour over 40 a week", "BILLING", (("PERIOD", "RATE", "40", None, "95.00"),)),
    (BILL_BIWEEKLY, "Over 80 in two weeks, billing", "BILLING", (("PERIOD", "MULTIPLIER", "80", "1.5", None),)),
)
_CODES = (
    ("REG", "Regular", "1", True, True),
    ("TRN", "Training", "1", True, False),
    ("PTO", "Time off", "1", True, False),
)


@dataclass(frozen=True)
class Site:
    """A client that guards stand at."""

    client: int
    place: Place
    until: date | None = None
    """The last day on which anybody stood there."""


@dataclass
class Directory:
    """The documents by their ids, and the sites."""

    regions: dict[int, Document] = field(default_factory=dict)
    clients: dict[int, Document] = field(default_factory=dict)
    contracts: dict[int, Document] = field(default_factory=dict)
    overtime_rules: dict[int, Document] = field(default_factory=dict)
    holiday_groups: dict[int, Document] = field(default_factory=dict)
    payroll_codes: dict[int, Document] = field(default_factory=dict)
    back_office_settings: dict[int, Document] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)


def stamp(moment: datetime) -> str:
    """A moment as the service writes it where no site is meant: in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def noon(day: date) -> datetime:
    """Noon of a day, UTC."""
    return datetime.combine(day, time(12), UTC)


def written(rng: SeededRandom, first: date) -> dict[str, str]:
    """When a document was made and changed last: both before the first shift."""
    return {
        "createdOn": stamp(noon(first - timedelta(days=rng.randint(400, 2000)))),
        "updatedOn": stamp(noon(first - timedelta(days=rng.randint(20, 380)))),
    }


def is_holiday(day: date) -> bool:
    """Whether the holiday groups name the day."""
    return (day.month, day.day) in _HOLIDAYS


def directory(seed: int, clients: int, first: date, last: date) -> Directory:
    """The company's directory, when its shifts go from `first` to `last`.

    Raises:
        ValueError: There are too few clients for one in every region.
    """
    if clients < FEWEST_CLIENTS:
        raise ValueError(f"{clients} clients are too few: the regions and one that left need {FEWEST_CLIENTS}")
    made = Directory()
    _add_regions(made, seed, first)
    _add_rules(made)
    _add_clients(made, seed, clients, (first, last))
    return made


def _add_regions(made: Directory, seed: int, first: date) -> None:
    rows: list[tuple[int, str, int | None, str, str]] = [
        (names.ROOT, names.COMPANY, None, "America/New_York", "ACTIVE"),
        (names.CONTRACT_REGION, names.CONTRACT, names.ROOT, "America/New_York", "ACTIVE"),
        *((place.id, place.name, place.parent, place.zone, "ACTIVE") for place in PLACES),
        (names.FORMER_REGION, "Former clients", names.ROOT, "America/New_York", "INACTIVE"),
    ]
    for number, name, parent, zone, status in rows:
        made.regions[number] = {
            "id": number,
            "customId": f"R{number}",
            "name": name,
            "company": names.COMPANY,
            "parentRegion": parent,
            "timeZone": zone,
            "prefix": f"{number}-",
            "status": status,
            **written(SeededRandom(seed, "region", number), first),
        }


def _add_rules(made: Directory) -> None:
    for number, name, side, items in _RULES:
        made.overtime_rules[number] = {
            "id": number,
            "name": name,
            "periodLength": "BI-WEEKLY" if number == BILL_BIWEEKLY else "WEEKLY",
            "ruleType": side,
            "method": "SEQUENTIAL",
            "rules": [
                {
                    "id": number * 10 + place,
                    "ruleType": kind,
                    "rateType": rate,
                    "threshold": Decimal(threshold),
                    "rateMultiplier": Decimal(multiplier) if multiplier else None,
                    "rateAmount": Decimal(amount) if amount else None,
                }
                for place, (kind, rate, threshold, multiplier, amount) in enumerate(items, 1)
            ],
        }
    made.holiday_groups[HOLIDAY_GROUP] = {
        "id": HOLIDAY_GROUP,
        "name": "Paid holidays",
        "region": names.ROOT,
        "isDefault": True,
    }
    made.back_office_settings[BACK_OFFICE] = {
        "id": BACK_OFFICE,
        "region": names.ROOT,
        "scheduleHolidayGroup": HOLIDAY_GROUP,
        "payrollOvertimeRule": PAY_WEEKLY,
        "payrollOvertimeDayOfWeek": "FRIDAY",
    }
    for number, (code, name, multiplier, payable, billable) in enumerate(_CODES, 71):
        made.payroll_codes[number] = {
            "id": number,
            "code": code,
            "name": name,
            "multiplier": Decimal(multiplier),
            "payable": payable,
            "billable": billable,
            "impactsOvertime": code != "PTO",
        }


def _add_clients(made: Directory, seed: int, clients: int, span: tuple[date, date]) -> None:
    """The parent first, then the sites; a site of the parent closes within the span, and the last client leaves."""
    first, last = span
    _add_client(
        made, seed, first, _Client(PARENT_CLIENT, names.CONTRACT, names.CONTRACT_REGION, "MULTI_LOCATION_CLIENT")
    )
    numbers = range(FIRST_CLIENT, FIRST_CLIENT + clients - 2)
    of_contract = max(8, round(len(numbers) * _IN_CONTRACT))
    own, others = PLACES[:8], PLACES[8:]
    for count, number in enumerate(numbers):
        inside = count < of_contract
        place = own[count % len(own)] if inside else others[count % len(others)]
        site = f"{names.SITES[count % len(names.SITES)]} {number}"
        status = {of_contract - 1: "CLOSED", len(numbers) - 1: "INACTIVE"}.get(count, "ACTIVE")
        until = None if status == "ACTIVE" else first + (last - first) // 2 + timedelta(days=count % 3)
        made.sites.append(Site(number, place, until))
        if inside:
            client = _Client(number, f"{names.CONTRACT} {site}", place.id, "SERVICE_LOCATION", parent=PARENT_CLIENT)
        else:
            client = _Client(number, f"Société {site}", place.id)
        _add_client(made, seed, first, replace(client, zone=place.zone, status=status, until=until))
    gone = first - timedelta(days=90)
    former = _Client(numbers.stop, "Former Depot", names.FORMER_REGION, status="INACTIVE", until=gone)
    _add_client(made, seed, first, former)


@dataclass(frozen=True)
class _Client:
    number: int
    name: str
    region: int
    kind: str = "CLIENT"
    parent: int | None = None
    zone: str = "America/New_York"
    status: str = "ACTIVE"
    until: date | None = None


def _add_client(made: Directory, seed: int, first: date, client: _Client) -> None:
    """Add a client and its contract."""
    rng = SeededRandom(seed, "client", client.number)
    document = {
        "id": client.number,
        "customId": f"C-{client.number}",
        "name": client.name,
        "company": client.name,
        "parentClient": client.parent,
        "type": client.kind,
        "region": client.region,
        "status": client.status,
        "closedDate": client.until.isoformat() if client.until else None,
        "timeZone": client.zone,
        "address": address(rng, client.number, client.zone),
        **written(rng, first),
    }
    if client.until:
        document["updatedOn"] = stamp(noon(client.until + timedelta(days=1)))
    made.clients[client.number] = document
    contract = FIRST_CONTRACT + client.number - PARENT_CLIENT
    made.contracts[contract] = _contract(rng, contract, document, first, client.until)


def address(rng: SeededRandom, number: int, zone: str) -> Document:
    """An address of nobody's."""
    return {
        "id": 100_000 + number,
        "addressLine1": f"{rng.randint(1, 990)} {rng.choice(names.STREETS)}",
        "city": rng.choice(names.TOWNS),
        "state": STATES[zone],
        "postalCode": f"{rng.randint(1, 499):05d}",
        "country": "US",
    }


def _contract(rng: SeededRandom, number: int, client: Document, first: date, until: date | None) -> Document:
    return {
        "id": number,
        "customId": f"K-{number}",
        "name": f"Guarding of {client['name']}",
        "account": client["id"],
        "billingFrequency": "BI_WEEKLY",
        "billingFrequencyType": "ON_END",
        "billingStartDate": "2024-12-27",
        "semiMonthlyFirstReferenceDay": None,
        "semiMonthlySecondReferenceDay": None,
        "invoiceDayToAdd": 0,
        "paymentTerms": rng.choice(("DAYS_15", "DAYS_30", "DAYS_45")),
        "serviceStartDate": (first - timedelta(days=rng.randint(400, 2000))).isoformat(),
        "serviceEndDate": until.isoformat() if until else None,
        "status": "CANCELLED" if until else "ACTIVE",
        **written(rng, first),
    }
