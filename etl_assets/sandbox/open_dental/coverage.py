"""Who is insured by which plan, and for how long."""

from datetime import timedelta

from etl_assets.sandbox.open_dental import insurance
from etl_assets.sandbox.open_dental.office import Cover, Office, Person
from etl_assets.sandbox.open_dental.rows import NO_DATE, Row, number_of
from etl_assets.sandbox.seeded_random import SeededRandom

SELF, SPOUSE, CHILD = 0, 1, 2
PATIENT_EDIT = 108
INSURED, TWICE_INSURED = 0.68, 0.2
CHANGES, USED_ELSEWHERE = 0.12, 0.06


def insure(office: Office, rng: SeededRandom, family: list[Person]) -> None:
    """Insure a family by its first member's plan, and some by the second's too; nobody, now and then."""
    if not rng.chance(INSURED):
        return
    _subscribe(office, rng, family, family[0])
    if len(family) > 1 and rng.chance(TWICE_INSURED):
        _subscribe(office, rng, family, family[1])
    for person in family:
        person.row["HasIns"] = "I"
        if rng.chance(USED_ELSEWHERE):
            insurance.used_elsewhere(office, person, person.covers[0])
    days = (office.today - office.now.date()).days
    if len(family[0].covers) == 1 and days and rng.chance(CHANGES):
        day = office.next_open(office.now.date(), rng.randint(1, days))
        office.later(office.office_hour(day, "changes plan"), lambda: _change(office, family))


def _subscribe(office: Office, rng: SeededRandom, family: list[Person], subscriber: Person) -> None:
    plan = rng.choice(office.plans)
    sub = office.add(
        "inssub",
        PlanNum=plan.number,
        Subscriber=subscriber.number,
        SubscriberID=f"X{rng.randint(0, 99999):05d}",
        DateEffective=office.now.date() - timedelta(days=rng.randint(0, 2000)) if rng.chance(0.8) else NO_DATE,
        ReleaseInfo=1,
        AssignBen=1,
    )
    for person in family:
        relation = SELF if person is subscriber else SPOUSE if person in family[:2] else CHILD
        number = number_of(sub, "InsSubNum")
        cover = Cover(plan, number, _patient_plan(office, person, number, relation))
        person.covers.append(cover)


def _patient_plan(office: Office, person: Person, subscription: int, relation: int) -> Row:
    row = office.add(
        "patplan",
        PatNum=person.number,
        InsSubNum=subscription,
        Ordinal=len(person.covers) + 1,
        Relationship=relation,
        PatID="" if person.number % 7 else None,
    )
    office.add(
        "insverify",
        VerifyType=2,
        FKey=row["PatPlanNum"],
        DateLastVerified=office.now.date() if person.number % 3 else NO_DATE,
        DateTimeEntry=office.now,
    )
    return row


def _change(office: Office, family: list[Person]) -> None:
    """Have a family lose its plan, and most get another.

    The patients' rows and the estimates of what is only planned are deleted, as the vendor's program does; the
    subscription stays, with the day on which it ended.
    """
    for person in family:
        cover = person.covers.pop()
        office.rows.take("patplan", cover.row)
        subscription = cover.subscription
        for one in person.planned:
            insurance.forget(office, one)
        office.note(PATIENT_EDIT, person.number, "Insurance plan dropped.")
    for row in office.rows.tables["inssub"]:
        if row["InsSubNum"] == subscription:
            office.touch("inssub", row, DateTerm=office.now.date())
    rng = office.draw("another plan")
    if rng.chance(0.8):
        _subscribe(office, rng, family, family[0])
        for person in family:
            for one in person.planned:
                insurance.estimate(office, one)
