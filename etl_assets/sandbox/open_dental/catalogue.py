"""What the practice was set up with: procedure codes, definitions, carriers, and the words of which names are made.

The descriptions, fees and plans are our own, and nothing in here is anyone's. The numbers of the categories are the
vendor's.
"""

from dataclasses import dataclass

# Of enumeration DefCat.
ADJUSTMENT, CONFIRMED, BILLING, PAYMENT, PROCEDURE, UNSCHEDULED, DIAGNOSIS = 1, 2, 4, 10, 11, 13, 16
IMAGE, PRIORITY, BLOCKOUT, BUTTON, COMMUNICATION, UNEARNED, PROGNOSIS = 18, 20, 25, 26, 27, 29, 30
TRACKING, INSURANCE_PAYMENT, TASK, SPECIALTY, VERIFICATION, PLAN = 31, 32, 33, 35, 38, 47

# category -> (name, value, hidden)
DEFINITIONS: dict[int, tuple[tuple[str, str, bool], ...]] = {
    ADJUSTMENT: (
        ("Courtesy", "-", False),
        ("Cash discount", "-", False),
        ("Uncollectable", "-", False),
        ("Finance charge", "+", False),
        ("Broken appointment", "+", False),
        ("Treatment plan discount", "dp", False),
        ("Opening balance", "+", True),
    ),
    CONFIRMED: (
        ("Not called", "Not", False),
        ("Left message", "LM", False),
        ("Confirmed", "Conf", False),
        ("Arrived", "Arr", False),
    ),
    BILLING: (("Standard account", "", False), ("No statements", "", False), ("Collection agency", "C", False)),
    PAYMENT: (
        ("Check", "", False),
        ("Cash", "", False),
        ("Credit card", "", False),
        ("Online", "", False),
        ("Refund", "N", False),
        ("Traveller's cheque", "", True),
    ),
    PROCEDURE: (
        ("Exams and X-rays", "", False),
        ("Cleanings", "", False),
        ("Fillings", "", False),
        ("Crowns", "", False),
        ("Root canals", "", False),
        ("Gums", "", False),
        ("Extractions", "", False),
        ("Other", "", False),
        ("Obsolete", "", True),
    ),
    UNSCHEDULED: (("Will call back", "", False), ("Moved away", "", False)),
    DIAGNOSIS: (("Decay", "D", False), ("Fracture", "F", False)),
    IMAGE: (("Radiographs", "XT", False), ("Insurance", "", False), ("Letters", "L", False)),
    PRIORITY: (("1", "", False), ("2", "", False), ("Wait", "", False)),
    BLOCKOUT: (("Lunch", "", False), ("Emergencies only", "NS", False)),
    BUTTON: (("General", "", False),),
    COMMUNICATION: (
        ("Appointment", "APPT", False),
        ("Insurance", "", False),
        ("Financial", "FIN", False),
        ("Recall", "RECALL", False),
        ("Miscellaneous", "MISC", False),
        ("Text message", "TEXT", False),
    ),
    UNEARNED: (("Prepayment", "", False), ("Treatment plan prepayment", "X", False)),
    PROGNOSIS: (("Good", "", False), ("Poor", "", False)),
    TRACKING: (("Resubmitted", "", False), ("On appeal", "", False)),
    INSURANCE_PAYMENT: (("Check", "", False), ("EFT", "N", False)),
    TASK: (("Normal", "", False), ("Urgent", "R", False)),
    SPECIALTY: (("General", "", False), ("Hygienist", "", False), ("Endodontics", "", False)),
    VERIFICATION: (("Verified", "", False), ("Left message", "", False)),
    PLAN: (("In-house", "", False),),
}


@dataclass(frozen=True)
class Code:
    """A procedure as it is charged: what it costs, and which share of it a plan covers of old."""

    code: str
    name: str
    category: str
    cents: int
    covered: int
    """Per cent of the allowed fee that a plan usually pays: 100, 80, 50 or none."""
    area: int = 0
    """Enumeration TreatmentArea: 1 surfaces, 2 tooth, 3 mouth, 4 quadrant."""
    hygiene: bool = False
    pattern: str = "/X/"
    """Five minutes a letter; the provider is busy in those with an X."""


CODES = (
    Code("D0120", "Periodic exam", "Exams and X-rays", 6200, 100, hygiene=True, pattern="/X/"),
    Code("D0140", "Exam of one problem", "Exams and X-rays", 8900, 100, pattern="/XX/"),
    Code("D0150", "Exam of a new patient", "Exams and X-rays", 11500, 100, pattern="/XXX/"),
    Code("D0210", "X-rays, full mouth", "Exams and X-rays", 16800, 100, hygiene=True, pattern="/////"),
    Code("D0220", "X-ray, one", "Exams and X-rays", 3650, 100, 2, pattern="/"),
    Code("D0274", "X-rays, four bitewings", "Exams and X-rays", 7825, 100, hygiene=True, pattern="//"),
    Code("D1110", "Cleaning, grown-up", "Cleanings", 11250, 100, hygiene=True, pattern="/XXXXXXXX/"),
    Code("D1120", "Cleaning, child", "Cleanings", 8110, 100, hygiene=True, pattern="/XXXX/"),
    Code("D1206", "Fluoride varnish", "Cleanings", 4475, 100, hygiene=True, pattern="X"),
    Code("D1351", "Sealant", "Cleanings", 6333, 80, 2, hygiene=True, pattern="XX"),
    Code("D2140", "Filling, amalgam, one surface", "Fillings", 17999, 80, 1, pattern="/XXXX/"),
    Code("D2391", "Filling, composite, one surface", "Fillings", 21050, 80, 1, pattern="/XXXXX/"),
    Code("D2392", "Filling, composite, two surfaces", "Fillings", 26725, 80, 1, pattern="/XXXXXX/"),
    Code("D2740", "Crown, ceramic", "Crowns", 134900, 50, 2, pattern="//XXXXXXXXXXXX//"),
    Code("D2950", "Core build-up", "Crowns", 31275, 50, 2, pattern="/XX/"),
    Code("D3330", "Root canal, molar", "Root canals", 128600, 80, 2, pattern="/XXXXXXXXXXXXXXXX/"),
    Code("D4341", "Deep cleaning, a quadrant", "Gums", 29850, 80, 4, hygiene=True, pattern="/XXXXXX/"),
    Code("D4910", "Gum maintenance", "Gums", 16745, 80, hygiene=True, pattern="/XXXXXXXX/"),
    Code("D6010", "Implant", "Other", 236500, 0, 2, pattern="//XXXXXXXXXXXXXXXX//"),
    Code("D7140", "Extraction", "Extractions", 22333, 80, 2, pattern="/XXXX/"),
    Code("D9110", "Relief of pain", "Other", 14875, 80, pattern="/XX/"),
    Code("D9243", "Sedation, fifteen minutes", "Other", 17150, 0, pattern="XXX"),
    Code("D9986", "Missed appointment", "Other", 0, 0, pattern="/"),
    Code("D9987", "Cancelled appointment", "Other", 0, 0, pattern="/"),
    # Codes of the practice's own, which only their capitals tell apart.
    Code("N4101", "Whitening tray", "Other", 19900, 0, 3, pattern="/X/"),
    Code("n4101", "Whitening tray, refill", "Other", 4900, 0, 3, pattern="/"),
    Code("D9999z", "Treatment nobody names", "Obsolete", 0, 0, pattern="/"),
)

# name, plan type ('' percentage, p PPO, f flat, c capitation), per cent of our fee that it allows, plans
CARRIERS = (
    ("Tansy Mutual", "p", 72, 3),
    ("Saltmarsh Dental", "p", 65, 2),
    ("Greyport Assurance", "", 100, 2),
    ("Ferry & Sons Benefit", "f", 100, 1),
    ("Windmere Health Pool", "c", 100, 1),
    ("Old Tallow Life", "p", 80, 1),
    ("Carrier Nobody Uses", "", 100, 1),
)
GROUPS = ("Larkfield Mill", "Quarry Workers", "Harbour Office", "Lamp Makers", "Post Riders")

FIRST_NAMES = (
    "Amber", "Basil", "Coral", "Dill", "Ember", "Flint", "Garnet", "Hazel", "Indigo", "Jasper", "Kelp", "Linden",
    "Marble", "Nettle", "Opal", "Pebble", "Quill", "Rusty", "Saffron", "Thistle", "Umber", "Violet", "Wicker", "Yarrow",
    "Zoë", "Łucja", "Bjørn", "Françoise", "Ñusta", "Jürgen",
)  # fmt: skip
LAST_NAMES = (
    "Anvilgate", "Brickham", "Candlewick", "Doorjamb", "Eggcup", "Fencepost", "Gravelly", "Haybarn", "Inkwell",
    "Jamjar", "Kettleby", "Lampshade", "Mudlark", "Napkin", "O'Teapot", "Pincushion", "Quiltworth", "Rainbarrel",
    "Saucerman", "Thimble", "Umbrella", "Velvetine", "Windowsill", "Yardstick", "Zipperle", "Peña-Paraguas", "Mølle",
)  # fmt: skip
STREETS = ("Larch Street", "Harbor Road", "Mill Lane", "Station Avenue", "Quarry Way", "Orchard Street")
TOWNS = (("Fernhollow", "ZZ", "00101"), ("Greyport", "ZZ", "00102"), ("Tansy Cross", "ZZ", "00103"))

NOTES = (
    "Patient did well.",
    "Prefers mornings.\r\nCall the mobile first.",
    "Tooth\tSurface\tFinding\n14\tMO\tdecay\n19\tB\twatch",
    "Very happy \U0001f600 \N{TOOTH}",
    "Scans are in \\\\imaging\\scans\\new; see C:\\notes.txt",
    'Said "never again", then laughed. Ça va, señor?',
    "\\N",
    "NULL",
    "100 % of the fee; 50% now, 50% later",
    "  spaces before and after  ",
    "",
)
"""Texts that a loader can trip over."""
