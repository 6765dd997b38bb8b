"""What is found, planned and done: procedures over all their statuses, treatment plans, notes, recalls."""

from collections.abc import Sequence
from datetime import date, timedelta

from etl_assets.sandbox.open_dental import insurance, payments
from etl_assets.sandbox.open_dental.books import PRODUCTION
from etl_assets.sandbox.open_dental.catalogue import DIAGNOSIS, NOTES, PRIORITY, PROGNOSIS, UNSCHEDULED
from etl_assets.sandbox.open_dental.office import Office, Person, Procedure, Provider
from etl_assets.sandbox.open_dental.rows import NO_DATE, Row, Value, cents_of, number_of
from etl_assets.sandbox.open_dental.setting_up import RECALLS
from etl_assets.sandbox.seeded_random import SeededRandom

TP, C, EC, EO, R, D, CN, TPI = range(1, 9)
ACTIVE, INACTIVE = 1, 2
TREATMENT = ("D2140", "D2391", "D2392", "D2740", "D3330", "D7140", "D1351", "D6010", "D9243", "N4101", "n4101")
COMMON = (14, 22, 14, 9, 4, 8, 5, 2, 2, 2, 1)
PROC_COMPLETE, PROC_DELETE, TREATMENT_PLAN = 23, 49, 38
SPECIALIST = 110
"""Per cent of our fees."""
CHILD_UNTIL = 14


def of_hygiene(office: Office, person: Person) -> list[str]:
    """The codes of the next visit to the hygienist."""
    rng = office.draw("hygiene")
    if person.age(office.now.date()) < CHILD_UNTIL:
        return ["D0120", "D1120", "D1206"]
    if person.visits == 0 and person.joined > office.first:
        return ["D0150", "D0210", "D1110"]
    if person.gums:
        return ["D4341", "D4341"] if rng.chance(0.2) else ["D4910"]
    return ["D0120", "D1110", "D0274"] if rng.chance(0.5) else ["D0120", "D1110"]


def plan(office: Office, person: Person, code: str, provider: Provider, **values: Value) -> Procedure:
    """Plan a procedure: it is on the treatment plan, with what the patient's plans are expected to pay."""
    known, rng = office.codes[code], office.draw("procedure")
    fee = known.cents * (SPECIALIST if provider.fee_schedule > 1 else 100) // 100
    units, base = _quantity(code, rng)
    discount = fee // 10 if rng.chance(0.04) and fee else 0
    row = office.add(
        "procedurelog",
        PatNum=person.number,
        ProcDate=office.now.date(),
        ProcFee=fee / 100,
        Discount=discount / 100,
        ProcStatus=TP,
        ProvNum=provider.number,
        CodeNum=office.code_numbers[code],
        DateTP=office.now.date(),
        UnitQty=units,
        BaseUnits=base,
        SecDateEntry=office.now,
        SecUserNumEntry=office.user(),
        ProcTime=timedelta(hours=9) if rng.chance(0.1) else timedelta(),
        BillingNote=None,
        **({"ClinicNum": person.clinic} | _where(known.area, rng) | values),
    )
    gross = fee * max(1, units + base)
    procedure = Procedure(row, known, person, (provider.number, person.clinic), gross)
    insurance.estimate(office, procedure)
    return procedure


def complete(office: Office, procedure: Procedure) -> None:
    """Do a procedure: from now on it is produced, and owed."""
    day, rng = office.now.date(), office.rng("done", procedure.number)
    office.touch("procedurelog", procedure.row, ProcStatus=C, ProcDate=day, DateComplete=day, DateEntryC=day)
    procedure.owed = procedure.gross
    person = procedure.person
    office.books.flow(PRODUCTION, day, procedure.place, procedure.gross)
    office.books.move(day, person.number, procedure.gross)
    if rng.chance(0.4):
        office.note(PROC_COMPLETE, person.number, f"{procedure.code.code} completed.", user=_user(office, procedure))
    person.done.append(procedure)
    if procedure in person.planned:
        person.planned.remove(procedure)
        _detach(office, procedure)
    discount = cents_of(procedure.row, "Discount")
    if discount:
        payments.adjust(office, person, "Treatment plan discount", -discount, procedure)
    if rng.chance(0.5):
        _write_note(office, procedure, rng)


def examine(office: Office, person: Person, visit: Row) -> None:
    """Find what the exam finds: treatment, what others did, what is referred, what can wait."""
    rng = office.rng("exam", visit["AptNum"])
    if person.visits == 1:
        for status, share in ((EC, 0.15), (EO, 0.35), (CN, 0.08), (R, 0.06)):
            if rng.chance(share):
                _found(office, person, status, rng)
    found = rng.weighted_choice((0, 1, 2, 3, 4), (45, 25, 15, 10, 5))
    if not found:
        return
    treatment_plan = _treatment_plan(office, person, ACTIVE)
    for _ in range(found):
        code = rng.weighted_choice(TREATMENT, COMMON)
        one = plan(office, person, code, person.dentist, Priority=office.any_definition(PRIORITY, rng))
        one.row.update(Dx=office.any_definition(DIAGNOSIS, rng), Prognosis=office.any_definition(PROGNOSIS, rng))
        if rng.chance(0.05):
            _give_up(office, person, one)
        elif rng.chance(0.05):
            office.touch("procedurelog", one.row, ProcStatus=D)
            office.note(PROC_DELETE, person.number, f"{code} deleted.")
            insurance.forget(office, one)
        else:
            person.planned.append(one)
            _attach(office, treatment_plan, one)
            payments.pay_ahead(office, one)
            insurance.ask(office, one)
    office.note(TREATMENT_PLAN, person.number, "Treatment plan changed.")


def mark(office: Office, person: Person, code: str, visit: Row) -> None:
    """Enter a broken or cancelled appointment as a procedure that is done and costs nothing."""
    if office.rng("mark", visit["AptNum"]).chance(0.6):
        one = plan(office, person, code, person.dentist, AptNum=visit["AptNum"], ClinicNum=visit["ClinicNum"])
        one.place = (one.place[0], number_of(visit, "ClinicNum"))
        one.row["Discount"] = 0.0
        complete(office, one)


def forget(office: Office, procedures: Sequence[Procedure]) -> None:
    """Delete procedures that were planned for a visit that nobody wants any more: they stay, with status D."""
    for one in procedures:
        office.touch("procedurelog", one.row, ProcStatus=D)
        insurance.forget(office, one)
        office.note(PROC_DELETE, one.person.number, f"{one.code.code} deleted.")


def set_recalls(office: Office, person: Person, day: date) -> None:
    """Work out anew when the patient is due, by what was done today."""
    today = {one.code.code for one in person.done if one.row["ProcDate"] == day}
    for number, (name, interval, _, codes) in enumerate(RECALLS, start=1):
        if not today & set(codes):
            continue
        due = add_interval(day, interval)
        row = person.recalls.get(name) or _recall(office, person, name, number, interval)
        rng = office.rng("recall", row["RecallNum"])
        known = rng.chance(0.97)
        due_again = due if known else NO_DATE
        office.touch("recall", row, DatePrevious=day, DateDueCalc=due, DateDue=due_again, DateScheduled=NO_DATE)


def schedule_recalls(office: Office, person: Person, day: date) -> None:
    """Note on the patient's recalls that a visit is booked."""
    for row in person.recalls.values():
        office.touch("recall", row, DateScheduled=day)


def add_interval(day: date, interval: int) -> date:
    """The day a packed interval later: years and months first, then weeks and days."""
    days, weeks, months, years = (interval >> shift & 255 for shift in (0, 8, 16, 24))
    month = day.month - 1 + months + 12 * years
    year, month = day.year + month // 12, month % 12 + 1
    last = (date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    return date(year, month, min(day.day, last)) + timedelta(days=days + 7 * weeks)


def _quantity(code: str, rng: SeededRandom) -> tuple[int, int]:
    """Units and base units. Where both are zero the program counts one."""
    if code == "D9243":
        return rng.randint(0, 3), 1
    if code in ("D9986", "D9987"):
        return 0, 0
    if code == "D1351":
        return rng.randint(1, 4), 0
    return 1, 0


def _where(area: int, rng: SeededRandom) -> dict[str, Value]:
    tooth = str(rng.randint(1, 32))
    if area == 1:
        return {"ToothNum": tooth, "Surf": rng.choice(("MO", "B", "DO", "MOD", "O"))}
    if area == 2:  # noqa: PLR2004 (a tooth)
        return {"ToothNum": tooth}
    return {"Surf": rng.choice(("UR", "UL", "LR", "LL"))} if area == 4 else {}  # noqa: PLR2004 (a quadrant)


def _found(office: Office, person: Person, status: int, rng: SeededRandom) -> None:
    """Note work of others, a condition, or a referral: no money of ours, though a fee may stand there."""
    code = rng.choice(("D2391", "D2740", "D3330"))
    one = plan(office, person, code, person.dentist)
    one.row["Discount"] = 0.0
    insurance.forget(office, one)
    office.touch("procedurelog", one.row, ProcStatus=status, ProcFee=0.0 if status in (EO, CN) else one.gross / 100)
    if status == EO and person.covers:
        insurance.remember(office, one)


def _give_up(office: Office, person: Person, one: Procedure) -> None:
    """Move a procedure to a plan that is inactive; some of these have no quantity at all, which counts as one."""
    office.touch("procedurelog", one.row, ProcStatus=TPI, UnitQty=one.number % 2, BaseUnits=0)
    insurance.forget(office, one)
    _attach(office, _treatment_plan(office, person, INACTIVE), one)


def _treatment_plan(office: Office, person: Person, status: int) -> Row:
    if status in person.treatment_plans:
        return person.treatment_plans[status]
    heading = "Active treatment plan" if status == ACTIVE else "Inactive treatment plan"
    row = office.add(
        "treatplan",
        PatNum=person.number,
        TPStatus=status,
        Heading=heading,
        Note="",
        UserNumPresenter=person.dentist.user,
        DateTP=office.now.date() if status == INACTIVE else NO_DATE,
    )
    person.treatment_plans[status] = row
    return row


def _attach(office: Office, treatment_plan: Row, one: Procedure) -> None:
    number, priority = treatment_plan["TreatPlanNum"], one.row["Priority"]
    one.attached = office.add("treatplanattach", TreatPlanNum=number, ProcNum=one.number, Priority=priority)


def _detach(office: Office, one: Procedure) -> None:
    """What is done leaves the treatment plan: the row is deleted."""
    if one.attached:
        office.rows.take("treatplanattach", one.attached)


def _recall(office: Office, person: Person, name: str, number: int, interval: int) -> Row:
    rng = office.draw("recall")
    row = office.add(
        "recall",
        PatNum=person.number,
        RecallTypeNum=number,
        RecallInterval=interval,
        RecallStatus=office.any_definition(UNSCHEDULED, rng) if rng.chance(0.2) else 0,
        Note=rng.choice(NOTES) if rng.chance(0.1) else None,
        IsDisabled=int(rng.chance(0.03)),
        DisableUntilDate=office.now.date() + timedelta(days=365) if rng.chance(0.02) else NO_DATE,
        DisableUntilBalance=100.0 if rng.chance(0.01) else 0,
    )
    person.recalls[name] = row
    return row


def _write_note(office: Office, procedure: Procedure, rng: SeededRandom) -> None:
    """Write a note; an edit is one more row."""
    for version in range(2 if rng.chance(0.15) else 1):
        office.add(
            "procnote",
            PatNum=procedure.person.number,
            ProcNum=procedure.number,
            EntryDateTime=office.now + timedelta(minutes=version * 3),
            UserNum=_user(office, procedure),
            Note=f"{procedure.code.name}. {rng.choice(NOTES)}",
            Signature="" if rng.chance(0.8) else "c2lnbmVk" * 12,
        )


def _user(office: Office, procedure: Procedure) -> int:
    users = {provider.number: provider.user for provider in office.providers}
    return users.get(procedure.place[0], office.users[0])
