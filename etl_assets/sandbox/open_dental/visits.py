"""What happens in the chairs: appointments, every change of them, and what is done to whom."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from etl_assets.sandbox.open_dental import claims, payments, treatment
from etl_assets.sandbox.open_dental.catalogue import CONFIRMED, NOTES, UNSCHEDULED
from etl_assets.sandbox.open_dental.office import CLOSES, OPENS, Chair, Office, Person, Procedure
from etl_assets.sandbox.open_dental.rows import NO_TIME, Row, at_hour, number_of
from etl_assets.sandbox.seeded_random import SeededRandom

SCHEDULED, COMPLETE, UNSCHED_LIST, BROKEN, PLANNED, NOTE, NOTE_DONE = 1, 2, 3, 5, 6, 7, 8
CREATED, CHANGED, MISSED, CANCELLED, DELETED = range(5)
CREATE, MOVE, EDIT, DELETE = 25, 26, 27, 237
NO_USER = 0.02
"""The share of changes of which there is no history, because nobody was logged on."""
STEP = 5
LUNCH = 12
AHEAD = 182
"""Days between two cleanings."""


def welcome(office: Office, person: Person) -> None:
    """Have a patient begin to come."""
    rng = office.rng("welcome", person.number)
    if rng.chance(0.08):
        _jot(office, person, rng)
    new = person.joined > office.first
    wait = rng.randint(2, 21) if new else rng.randint(0, AHEAD)
    # Patients of old have booked before the first day; a new one calls.
    office.later(office.office_hour(office.next_open(office.now.date()), "calls"), lambda: clean(office, person, wait))


def clean(office: Office, person: Person, wait: int) -> None:
    """Book the next visit to the hygienist, so many days ahead."""
    if person.gone:
        return
    codes = treatment.of_hygiene(office, person)
    procedures = [treatment.plan(office, person, code, person.hygienist) for code in codes]
    book(office, person, procedures, wait, hygiene=True)
    treatment.schedule_recalls(office, person, office.now.date() + timedelta(days=wait))


def treat(office: Office, person: Person, wait: int) -> None:
    """Book a visit for what is planned, two procedures at most."""
    ready = [one for one in person.planned if one.row["AptNum"] == 0 and one.row["ProcStatus"] == treatment.TP]
    if not ready or person.gone:
        return
    rng = office.draw("treats")
    planned = _keep_planned(office, person, ready[:2]) if rng.chance(0.3) else 0
    if not planned or rng.chance(0.8):
        book(office, person, ready[:2], wait, hygiene=False, planned=planned)


def book(
    office: Office, person: Person, procedures: Sequence[Procedure], wait: int, *, hygiene: bool, planned: int = 0
) -> None:
    """Make an appointment on the first day with room, at least so many days ahead; of a planned one, by its AptNum."""
    procedures = [one for one in procedures if one.row["AptNum"] == 0 and one.row["ProcStatus"] == treatment.TP]
    provider = person.hygienist if hygiene else person.dentist
    chair = next(chair for chair in office.chairs if chair.provider is provider)
    pattern = "".join(one.code.pattern for one in procedures) or "/XX/"
    day, minute = _room(office, chair, office.now.date() + timedelta(days=max(wait, 1)), len(pattern) * STEP)
    rng = office.draw("appointment")
    row = office.add(
        "appointment",
        PatNum=person.number,
        AptStatus=SCHEDULED,
        AptDateTime=at_hour(day, minute // 60, minute % 60),
        Pattern=pattern,
        Op=chair.number,
        ProvNum=person.dentist.number,
        ProvHyg=provider.number if hygiene else 0,
        IsHygiene=int(hygiene),
        NextAptNum=planned,
        IsNewPatient=int(person.visits == 0 and person.joined > office.first),
        Confirmed=office.definition(CONFIRMED, "Not called"),
        ClinicNum=chair.clinic,
        Note=rng.choice(NOTES) if rng.chance(0.3) else ("" if rng.chance(0.5) else None),
        ProcDescript=", ".join(one.code.code for one in procedures),
        ProcsColored="".join(f'<span color="-16777216">{one.code.code}</span>' for one in procedures),
        Priority=int(rng.chance(0.04)),
        InsPlan1=person.covers[0].plan.number if person.covers else 0,
        InsPlan2=person.covers[1].plan.number if len(person.covers) > 1 else 0,
        SecUserNumEntry=office.user(),
    )
    for one in procedures:
        one.place = (one.place[0], chair.clinic)
        office.touch("procedurelog", one.row, AptNum=number_of(row, "AptNum"), ClinicNum=chair.clinic)
    remember(office, row, CREATED)
    office.note(CREATE, person.number, f"Appointment on {day}.")
    _Visit(office, person, row, list(procedures), hygiene).await_()


def remember(office: Office, row: Row, action: int) -> None:
    """Write a change into the appointments' history, as the program of whoever is logged on does."""
    if office.draw("history").chance(NO_USER) and action != DELETED:
        return
    held = {name: value for name, value in row.items() if name not in ("DateTStamp", "SecDateTEntry")}
    office.rows.add(
        "histappointment",
        office.now,
        **held,
        SecDateTEntry=row["SecDateTEntry"],
        HistUserNum=office.user(),
        HistDateTStamp=office.now,
        HistApptAction=action,
    )


def _keep_planned(office: Office, person: Person, procedures: Sequence[Procedure]) -> int:
    """Make a planned appointment, which is of no day. Returns its AptNum."""
    row = office.add(
        "appointment",
        PatNum=person.number,
        AptStatus=PLANNED,
        Pattern="".join(one.code.pattern for one in procedures),
        ProvNum=person.dentist.number,
        ClinicNum=person.clinic,
        ItemOrderPlanned=1,
        ProcDescript=", ".join(one.code.code for one in procedures),
    )
    for one in procedures:
        office.touch("procedurelog", one.row, PlannedAptNum=number_of(row, "AptNum"))
    person.row["PlannedIsDone"] = 0
    remember(office, row, CREATED)
    return number_of(row, "AptNum")


def _jot(office: Office, person: Person, rng: SeededRandom) -> None:
    """Put a note about the patient onto the schedule, done or not."""
    days = max(1, (office.today - office.now.date()).days)
    day = office.next_open(office.now.date(), rng.randint(1, days))
    chair = rng.choice(office.chairs)
    row = office.add(
        "appointment",
        PatNum=person.number,
        AptStatus=NOTE_DONE if rng.chance(0.6) else NOTE,
        AptDateTime=at_hour(day, 8),
        Pattern="/",
        Op=chair.number,
        ClinicNum=chair.clinic,
        ProvNum=person.dentist.number,
        Note=f"Ask for the card. {rng.choice(NOTES)}",
    )
    remember(office, row, CREATED)


def _room(office: Office, chair: Chair, wanted: date, minutes: int) -> tuple[date, int]:
    """The first day, and the minute after its midnight, with room for so many minutes besides lunch."""
    day = office.next_open(wanted)
    while True:
        start = chair.free.get(day, OPENS * 60)
        if start < LUNCH * 60 + 60 and start + minutes > LUNCH * 60 and start > OPENS * 60:
            start = LUNCH * 60 + 60
        if day.weekday() in chair.provider.works and (start + minutes <= CLOSES * 60 or start == OPENS * 60):
            chair.free[day] = start + minutes
            return day, start
        day = office.next_open(day, 1)


class _Visit:
    """An appointment until it is over."""

    def __init__(self, office: Office, person: Person, row: Row, procedures: list[Procedure], hygiene: bool) -> None:
        self._office, self._person, self._row = office, person, row
        self._procedures, self._hygiene = procedures, hygiene
        self._rng = office.rng("visit", row["AptNum"])

    def await_(self) -> None:
        """Queue what will become of it."""
        start = self._start()
        if self._rng.chance(0.7):
            self._office.later(start - timedelta(days=1, hours=self._rng.randint(0, 5)), self._confirm)
        ends: Sequence[tuple[Callable[[], None], int]] = (
            (self._complete, 870),
            (self._miss, 45),
            (self._cancel, 30),
            (self._delete, 35),
            (self._forget, 8),
            (self._move, 12),
        )
        end = self._rng.weighted_choice([end for end, _ in ends], [weight for _, weight in ends])
        early = end in (self._cancel, self._delete, self._move)
        self._office.later(start - timedelta(days=self._rng.randint(1, 9), minutes=7) if early else start, end)

    def _start(self) -> datetime:
        start = self._row["AptDateTime"]
        return start if isinstance(start, datetime) else NO_TIME

    def _change(self, action: int, permission: int, text: str, **values: object) -> None:
        self._office.touch("appointment", self._row, **values)  # type: ignore[arg-type]  # what a row holds
        remember(self._office, self._row, action)
        self._office.note(permission, self._person.number, text)

    def _confirm(self) -> None:
        if self._row["AptStatus"] == SCHEDULED:
            state = "Confirmed" if self._rng.chance(0.8) else "Left message"
            confirmed = self._office.definition(CONFIRMED, state)
            self._change(CHANGED, EDIT, "Appointment confirmed.", Confirmed=confirmed)

    def _complete(self) -> None:
        office, person = self._office, self._person
        start, rng = self._start(), self._rng
        arrived = start - timedelta(minutes=rng.randint(-5, 20))
        seated = max(start, arrived) + timedelta(minutes=rng.randint(0, 25))
        left = seated + timedelta(minutes=len(str(self._row["Pattern"])) * STEP + rng.randint(-10, 20))
        known = rng.chance(0.93)
        office.now = left
        self._change(
            CHANGED,
            EDIT,
            "Appointment set complete.",
            AptStatus=COMPLETE,
            Confirmed=office.definition(CONFIRMED, "Arrived"),
            DateTimeArrived=arrived if known else NO_TIME,
            DateTimeSeated=seated if known else NO_TIME,
            DateTimeDismissed=left if known and rng.chance(0.95) else at_hour(start.date(), 0),
        )
        person.visits += 1
        self._procedures = [one for one in self._procedures if one.row["AptNum"] == self._row["AptNum"]]
        for one in self._procedures:
            treatment.complete(office, one)
        if self._hygiene:
            treatment.examine(office, person, self._row)
        claims.bill(office, person, self._procedures)
        payments.at_the_desk(office, person, self._procedures)
        self._go_on()

    def _go_on(self) -> None:
        office, person, rng = self._office, self._person, self._rng
        treatment.set_recalls(office, person, office.now.date())
        if self._hygiene:
            interval = AHEAD // 2 if person.gums else AHEAD
            if rng.chance(0.8):
                clean(office, person, interval + rng.randint(0, 14))
            elif rng.chance(0.6):
                later = office.next_open(office.now.date(), interval + rng.randint(10, 90))
                office.later(office.office_hour(later, "recalled"), lambda: clean(office, person, 7))
        if rng.chance(0.75):
            treat(office, person, rng.randint(4, 40))

    def _miss(self) -> None:
        self._change(MISSED, EDIT, "Appointment broken.", AptStatus=BROKEN)
        treatment.mark(self._office, self._person, "D9986", self._row)
        if self._rng.chance(0.3):
            payments.adjust(self._office, self._person, "Broken appointment", 5000)
        self._again()

    def _cancel(self) -> None:
        state = self._office.any_definition(UNSCHEDULED, self._rng)
        self._change(
            CANCELLED, MOVE, "Appointment cancelled.", AptStatus=UNSCHED_LIST, UnschedStatus=state, AptDateTime=NO_TIME
        )
        if self._rng.chance(0.5):
            treatment.mark(self._office, self._person, "D9987", self._row)
        self._again()

    def _delete(self) -> None:
        remember(self._office, self._row, DELETED)
        self._office.note(DELETE, self._person.number, "Appointment deleted.")
        self._office.rows.take("appointment", self._row)
        self._again()

    def _forget(self) -> None:
        """Leave it as it is: nobody said how it ended."""

    def _move(self) -> None:
        day = self._office.next_open(self._start().date(), self._rng.randint(1, 20))
        start = at_hour(day, 8, 5)
        self._change(CHANGED, MOVE, "Appointment moved.", AptDateTime=start)
        self._office.later(start, self._complete)

    def _again(self) -> None:
        """Free what was planned for it, and book it again, if the patient wants to."""
        office, person = self._office, self._person
        for one in self._procedures:
            office.touch("procedurelog", one.row, AptNum=0)
        if self._rng.chance(0.7):
            office.later(
                office.office_hour(office.next_open(office.now.date(), self._rng.randint(2, 30)), "again"),
                lambda: book(office, person, self._procedures, 7, hygiene=self._hygiene),
            )
        elif self._hygiene:
            treatment.forget(office, self._procedures)
