"""The families of the practice: who they are, who pays for them, which plans cover them, and who is only on file."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

from etl_assets.sandbox.open_dental.books import ADJUSTMENTS, NOTHING, NOTHING_OWED, Aged
from etl_assets.sandbox.open_dental.catalogue import (
    ADJUSTMENT,
    BILLING,
    FIRST_NAMES,
    LAST_NAMES,
    NOTES,
    STREETS,
    TOWNS,
)
from etl_assets.sandbox.open_dental.coverage import insure
from etl_assets.sandbox.open_dental.office import Office, Person
from etl_assets.sandbox.open_dental.rows import NO_DATE, Row, Value, at_hour, number_of
from etl_assets.sandbox.seeded_random import SeededRandom

PATIENT, NON_PATIENT, INACTIVE, ARCHIVED, DELETED, DECEASED, PROSPECTIVE = range(7)
MERGED, CLONED = 1, 2
PATIENT_CREATE, PATIENT_MERGE = 106, 94

SIZES, WEIGHTS = (1, 2, 3, 4, 5), (40, 25, 12, 15, 8)
FROM_THE_START = 0.7
GUMS = 0.15
OPENING = 0.06


def register(office: Office, patients: int, welcome: Callable[[Office, Person], None]) -> None:
    """Have so many patients entered, in families, when they come; each who is more than on file is welcomed."""
    left = patients
    family = 0
    while left:
        rng = office.rng("family", family)
        size = min(rng.weighted_choice(SIZES, WEIGHTS), left)
        days = (office.today - office.first).days
        joined = office.first if rng.chance(FROM_THE_START) else office.first + timedelta(days=rng.randint(1, days))
        office.later(office.office_hour(office.next_open(joined), "joins"), _Arrival(office, family, size, welcome))
        left -= size
        family += 1


class _Arrival:
    """A family that is entered."""

    def __init__(self, office: Office, number: int, size: int, welcome: Callable[[Office, Person], None]) -> None:
        self._office, self._number, self._size, self._welcome = office, number, size, welcome

    def __call__(self) -> None:
        office, rng = self._office, self._office.rng("arrival", self._number)
        last_name, home = rng.choice(LAST_NAMES), rng.choice(TOWNS)
        family: list[Person] = []
        known = len(office.people)
        for place in range(self._size):
            row = _patient(office, rng, place, last_name, home)
            guarantor = family[0].number if family else number_of(row, "PatNum")
            # The guarantor's key is known only once the row is made.
            row["Guarantor"] = guarantor
            family.append(_person(office, rng, row, guarantor))
        insure(office, rng, family)
        _on_file(office, rng, family)
        for person in family:
            if row_status(person) == PATIENT and rng.chance(OPENING) and person.joined == office.first:
                _open_balance(office, person, rng.randint(20, 400) * 100 + 50)
        for person in office.people[known:]:  # clones too
            if not person.gone:
                self._welcome(office, person)


def balances_of(family: Aged | None, own: Decimal | None) -> Row:
    """What a patient's file says is owed: by himself, and by the family whose guarantor he is."""
    family = family or NOTHING_OWED
    owed = {
        "EstBalance": own or NOTHING,
        "Bal_0_30": family.bal_0_30,
        "Bal_31_60": family.bal_31_60,
        "Bal_61_90": family.bal_61_90,
        "BalOver90": family.bal_over_90,
        "BalTotal": family.total,
        "InsEst": family.insurance_estimate,
        "PayPlanDue": family.plan_due,
    }
    return {column: float(amount) for column, amount in owed.items()}


def row_status(person: Person) -> int:
    """The patient's status (PatStatus)."""
    return number_of(person.row, "PatStatus")


def _patient(office: Office, rng: SeededRandom, place: int, last_name: str, home: tuple[str, str, str]) -> Row:
    grown_up = place < 2  # noqa: PLR2004 (a couple)
    years = rng.randint(19, 88) if grown_up else rng.randint(1, 17)
    born = office.now.date() - timedelta(days=years * 365 + rng.randint(0, 364))
    first_visit = (
        office.now.date() if office.now.date() > office.first else office.first - timedelta(days=rng.randint(30, 4000))
    )
    town, state, zip_code = home
    first_name = rng.choice(FIRST_NAMES)
    row = office.add(
        "patient",
        LName=last_name,
        FName=first_name,
        MiddleI=rng.choice(("", "", "Q", "X")),
        Preferred=first_name[:3] if rng.chance(0.1) else "",
        Gender=rng.weighted_choice((0, 1, 2, 3), (48, 48, 3, 1)),
        Position=(1 if place or rng.chance(0.5) else rng.choice((0, 3, 4))) if grown_up else 2,
        Birthdate=_born(rng, born),
        SSN=f"000{rng.randint(0, 999999):06d}" if rng.chance(0.3) else "",
        Address=f"{rng.randint(1, 199)} {rng.choice(STREETS)}",
        City=town,
        State=state,
        Zip=zip_code,
        HmPhone=f"(555)555-01{rng.randint(0, 99):02d}",
        WirelessPhone=f"(555)555-01{rng.randint(0, 99):02d}" if grown_up else "",
        Email=f"patient{len(office.rows.tables['patient']) + 1}@example.org" if grown_up else "",
        County=None if rng.chance(0.2) else "Saltmarsh",
        FeeSched=2 if rng.chance(0.02) else 0,
        BillingType=office.definition(BILLING, "Standard account"),
        DateFirstVisit=first_visit,
        ClinicNum=len(office.people) % (office.clinics + 1),
        TxtMsgOk=rng.choice((0, 1, 2)),
        PreferConfirmMethod=rng.randint(0, 8),
        PreferRecallMethod=rng.randint(0, 8),
        PreferContactMethod=rng.randint(0, 8),
        BillingCycleDay=1,
        AddrNote=rng.choice(NOTES) if rng.chance(0.1) else None,
        MedUrgNote="Penicillin!" if rng.chance(0.05) else "",
        SchedBeforeTime=timedelta(hours=12) if rng.chance(0.05) else None,
        SchedAfterTime=None,
        SecUserNumEntry=office.users[0],
    )
    row["ChartNumber"] = f"{number_of(row, 'PatNum'):05d}" if rng.chance(0.5) else ""
    office.add(
        "patientnote",
        PatNum=number_of(row, "PatNum"),
        FamFinancial="" if rng.chance(0.5) else None,
        Medical=rng.choice(NOTES) if rng.chance(0.2) else "",
        OrthoMonthsTreatOverride=-1,
    )
    office.note(PATIENT_CREATE, number_of(row, "PatNum"), "Patient created.")
    return row


def _born(rng: SeededRandom, born: date) -> date:
    """A birthday; none for some, and for a few the very day that others take for none."""
    if rng.chance(0.02):
        return NO_DATE
    return date(1900, 1, 1) if rng.chance(0.002) else born


def _person(office: Office, rng: SeededRandom, row: Row, guarantor: int) -> Person:
    pairs = len(office.providers) // 2
    pair = len(office.people) % pairs
    dentist, hygienist = office.providers[pair * 2 : pair * 2 + 2]
    born = row["Birthdate"]
    assert isinstance(born, date)  # noqa: S101 (it was made as one)
    known = born if born.year > 1 else office.first - timedelta(days=9000)
    person = Person(
        number=number_of(row, "PatNum"),
        row=row,
        guarantor=guarantor,
        born=known,
        joined=office.now.date(),
        clinic=number_of(row, "ClinicNum"),
        dentist=dentist,
        hygienist=hygienist,
        gums=rng.chance(GUMS) and known.year < office.first.year - 30,
    )
    row.update(PriProv=dentist.number, SecProv=hygienist.number)
    office.people.append(person)
    office.books.guarantors[person.number] = guarantor
    return person


def _open_balance(office: Office, person: Person, cents: int) -> None:
    """What the patient owed before the first day of the tables."""
    day = office.first - timedelta(days=1)
    office.rows.add(
        "adjustment",
        at_hour(day, 18),
        AdjDate=day,
        AdjAmt=cents / 100,
        PatNum=person.number,
        AdjType=office.definition(ADJUSTMENT, "Opening balance"),
        ProvNum=person.dentist.number,
        ClinicNum=person.clinic,
        AdjNote="Carried over from the old system.",
    )
    office.books.flow(ADJUSTMENTS, day, (person.dentist.number, person.clinic), cents)
    office.books.move(day, person.number, cents)


def _on_file(office: Office, rng: SeededRandom, family: list[Person]) -> None:
    """Have some be on file only: they never come, whatever their reason."""
    for person in family:
        status = rng.weighted_choice(
            (PATIENT, NON_PATIENT, INACTIVE, DELETED, DECEASED, PROSPECTIVE), (900, 15, 30, 20, 15, 20)
        )
        person.row["PatStatus"] = status
        person.gone = status != PATIENT
        if status == DECEASED and rng.chance(0.5):
            person.row["DateTimeDeceased"] = office.now - timedelta(days=rng.randint(1, 300))
        if status == PROSPECTIVE:
            person.row["DateFirstVisit"] = NO_DATE
    if rng.chance(0.04):
        _merge_into(office, family[0])
    if rng.chance(0.03):
        _clone(office, rng, family[0])


def _merge_into(office: Office, person: Person) -> None:
    """A second file of the same patient, merged into the first and archived."""
    row = _copy(office, person, PatStatus=ARCHIVED, FName=str(person.row["FName"]).upper())
    number = number_of(row, "PatNum")
    row["Guarantor"] = office.books.guarantors[number] = number
    office.add("patientlink", PatNumFrom=number, PatNumTo=person.number, LinkType=MERGED, DateTimeLink=office.now)
    office.note(PATIENT_MERGE, person.number, f"Patient {number} merged into {person.number}.")


def _clone(office: Office, rng: SeededRandom, person: Person) -> None:
    """A clone, as the vendor's program makes them for another specialty: its name is in capitals, and it comes too."""
    name = {"LName": str(person.row["LName"]).upper(), "FName": str(person.row["FName"]).upper()}
    row = _copy(office, person, PatNumCloneFrom=person.number, Guarantor=person.guarantor, **name)
    clone = _person(office, rng, row, person.guarantor)
    clone.gone = person.gone
    row["PatStatus"] = person.row["PatStatus"]
    office.add("patientlink", PatNumFrom=person.number, PatNumTo=clone.number, LinkType=CLONED, DateTimeLink=office.now)


def _copy(office: Office, person: Person, **changed: Value) -> Row:
    own: dict[str, Value] = {"PatNum": 0, "ChartNumber": "", "Email": "", "HasIns": ""}
    row = office.add("patient", **(person.row | own | changed))
    office.add("patientnote", PatNum=number_of(row, "PatNum"), OrthoMonthsTreatOverride=-1)
    return row
