"""The invented hospital behind the operating-room files: services, surgeons, rooms, reasons and quiet days.

Nothing in it is anyone's: the codes, numbers and names are made up and look it.
"""

from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Procedure:
    """What is done, and how many minutes a patient is in the room for it (median, sigma of the logarithm)."""

    code: str
    name: str
    minutes: int
    spread: float


@dataclass(frozen=True)
class Service:
    """A surgical service; the more surgeons it has, the more blocks it owns."""

    code: str
    name: str
    first_surgeon: int
    surgeons: int
    procedures: tuple[Procedure, ...]

    @property
    def surgeon_ids(self) -> tuple[str, ...]:
        """The ids of its surgeons, such as SRG-014."""
        return tuple(f"SRG-{self.first_surgeon + n:03d}" for n in range(self.surgeons))


@dataclass(frozen=True)
class Reason:
    """Why a case is cancelled, and whether that comes up on the day itself."""

    code: str
    name: str
    description: str
    same_day: bool


# code, name, surgeons
_SERVICES = (
    ("GEN", "General Surgery", 8),
    ("ORT", "Orthopedics", 9),
    ("GYN", "Gynecology", 5),
    ("URO", "Urology", 5),
    ("ENT", "Ear, Nose and Throat", 5),
    ("OPH", "Ophthalmology", 4),
    ("VAS", "Vascular Surgery", 4),
    ("PLA", "Plastic Surgery", 4),
    ("NEU", "Neurosurgery", 4),
)
# service, name, median minutes in the room, sigma of the logarithm
_PROCEDURES = (
    ("GEN", "Laparoscopic removal of gallbladder", 95, 0.26),
    ("GEN", "Hernia repair, inguinal", 80, 0.24),
    ("GEN", "Removal of appendix", 75, 0.25),
    ("GEN", "Removal of part of colon", 190, 0.24),
    ("ORT", "Knee replacement, total", 130, 0.18),
    ("ORT", "Hip replacement, total", 140, 0.18),
    ("ORT", "Arthroscopy, shoulder", 105, 0.24),
    ("ORT", "Repair of wrist fracture", 90, 0.26),
    ("GYN", "Removal of uterus, laparoscopic", 140, 0.25),
    ("GYN", "Hysteroscopy", 50, 0.26),
    ("GYN", "Removal of ovarian cyst", 95, 0.26),
    ("URO", "Cystoscopy", 42, 0.22),
    ("URO", "Resection of prostate", 95, 0.25),
    ("URO", "Removal of kidney stone", 80, 0.27),
    ("ENT", "Removal of tonsils", 52, 0.22),
    ("ENT", "Sinus surgery, endoscopic", 105, 0.26),
    ("ENT", "Septoplasty", 85, 0.22),
    ("OPH", "Cataract removal, with lens", 38, 0.16),
    ("OPH", "Vitrectomy", 75, 0.22),
    ("VAS", "Bypass of leg artery", 200, 0.22),
    ("VAS", "Creation of dialysis access", 100, 0.25),
    ("VAS", "Vein ablation", 65, 0.22),
    ("PLA", "Carpal tunnel release", 42, 0.20),
    ("PLA", "Breast reconstruction", 210, 0.22),
    ("PLA", "Skin graft", 85, 0.28),
    ("NEU", "Lumbar discectomy", 125, 0.22),
    ("NEU", "Fusion of spine, lumbar", 230, 0.20),
)


def _services() -> tuple[Service, ...]:
    made: list[Service] = []
    first = 1
    for code, name, surgeons in _SERVICES:
        own = [entry[1:] for entry in _PROCEDURES if entry[0] == code]
        procedures = tuple(Procedure(f"{code}-{n:02d}", *entry) for n, entry in enumerate(own, 1))
        made.append(Service(code, name, first, surgeons, procedures))
        first += surgeons
    return tuple(made)


SERVICES = _services()
BLOCK_WEIGHTS = tuple(service.surgeons for service in SERVICES)
EMERGENCY_SERVICES = tuple(service for service in SERVICES if service.code in {"GEN", "ORT", "VAS", "NEU"})

_TREES = ("Alder", "Beech", "Cedar", "Dogwood", "Elder", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Larch", "Maple")

REASONS = (
    Reason("C01", "Patient request", "The patient asked for another day, or for none", same_day=False),
    Reason("C02", "Insurance", "Authorization was not given in time", same_day=False),
    Reason("C03", "Surgeon not available", "The surgeon was called elsewhere", same_day=False),
    Reason("C04", "Not fit for surgery", "Tests before surgery showed a reason to wait", same_day=False),
    Reason("C11", "Patient did not arrive", "Nobody came, and nobody called", same_day=True),
    Reason("C12", "Acute illness", "Fever, infection or blood pressure on arrival", same_day=True),
    Reason("C13", "Not fasting", "The patient had eaten or drunk", same_day=True),
    Reason("C14", "No time left", "Earlier cases ran over", same_day=True),
    Reason("C15", "Equipment", "Instruments or an implant were missing", same_day=True),
)
EARLY_REASONS = tuple(reason for reason in REASONS if not reason.same_day)
SAME_DAY_REASONS = tuple(reason for reason in REASONS if reason.same_day)

ASA = (
    ("1", "Normal healthy patient"),
    ("2", "Mild systemic disease"),
    ("3", "Severe systemic disease"),
    ("4", "Severe systemic disease, a constant threat to life"),
)
ASA_WEIGHTS = (24, 46, 26, 4)
ANESTHESIA = ("General", "Regional", "Monitored care", "Local")
ANESTHESIA_WEIGHTS = (62, 16, 18, 4)


def surgeon_name(surgeon: str) -> str:
    """The made-up name of a surgeon's id."""
    number = int(surgeon[4:])
    return f"Dr. {_TREES[number % len(_TREES)]} {number}"


def surgeon_npi(surgeon: str) -> str:
    """A number that no register gives out: real ones begin with 1 or 2."""
    return f"0{int(surgeon[4:]):09d}"


def emergency_rooms(rooms: int) -> range:
    """The rooms held open for emergencies: the last ones, about one in twelve; none where there is one room."""
    held = max(1, rooms // 12) if rooms > 1 else 0
    return range(rooms - held + 1, rooms + 1)


def location_of(room: int) -> tuple[str, str]:
    """Id and name of the place that a room is in: every fourth, from the first on, is in the day surgery center."""
    return ("DSC", "Day surgery center") if room % 4 == 1 else ("MAIN", "Main operating suite")


def is_working_day(day: date) -> bool:
    """Whether blocks are run: no weekend, no US federal holiday."""
    return day.weekday() < 5 and not is_holiday(day)  # noqa: PLR2004 (Monday is 0)


_FIXED_HOLIDAYS = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
# month, weekday (Monday is 0), which of the month; -1 is the last
_MOVING_HOLIDAYS = ((1, 0, 3), (2, 0, 3), (5, 0, -1), (9, 0, 1), (10, 0, 2), (11, 3, 4))


def is_holiday(day: date) -> bool:
    """Whether it is a US federal holiday, as today's law has them, or the weekday on which one is kept."""
    if any((day.month, day.day) == fixed for fixed in _FIXED_HOLIDAYS):
        return True
    kept = {4: day + timedelta(1), 0: day - timedelta(1)}.get(day.weekday())  # Friday for Saturday, Monday for Sunday
    if kept and any((kept.month, kept.day) == fixed for fixed in _FIXED_HOLIDAYS):
        return True
    which = (day.day - 1) // 7 + 1
    last = (day + timedelta(7)).month != day.month
    return any(
        (day.month, day.weekday()) == (month, weekday) and (which == nth or (nth == -1 and last))
        for month, weekday, nth in _MOVING_HOLIDAYS
    )
