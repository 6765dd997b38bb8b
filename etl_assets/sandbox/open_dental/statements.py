"""The monthly statements, and what families do about them: pay, pay some, agree on a plan, or nothing at all."""

from collections.abc import Sequence
from datetime import date, timedelta

from etl_assets.sandbox.open_dental.office import Office, Person, Procedure
from etl_assets.sandbox.open_dental.payments import Payment, adjust
from etl_assets.sandbox.open_dental.plans import agree
from etl_assets.sandbox.open_dental.rows import money
from etl_assets.sandbox.seeded_random import SeededRandom

PLAN_FROM = 60_000
"""Cents from which on a patient may pay by a plan."""
PATIENCE = timedelta(days=130)
"""How long the practice waits before it gives a debt up."""


def send_statements(office: Office) -> None:
    """Once a month, ask every family for what it owes and no plan will pay any more; then see what it does."""
    families: dict[int, list[Procedure]] = {}
    for person in office.people:
        for one in person.done:
            if one.owed and not one.claims:
                families.setdefault(person.guarantor, []).append(one)
    people = {person.number: person for person in office.people}
    for guarantor, procedures in sorted(families.items()):
        _ask_family(office, people[guarantor], procedures)
    for person in office.people:
        person.done = [one for one in person.done if one.owed or one.claims or _is_new(office, one)]
    day = office.next_open(office.now.date(), 28)
    office.later(office.office_hour(day, "statements"), lambda: send_statements(office))


def _is_new(office: Office, procedure: Procedure) -> bool:
    done = procedure.row["ProcDate"]
    return isinstance(done, date) and done >= office.now.date() - timedelta(days=60)


def _ask_family(office: Office, guarantor: Person, procedures: list[Procedure]) -> None:
    rng = office.draw("statement")
    procedures = _even_out(office, guarantor, procedures, rng)
    owing = [one for one in procedures if one.owed > 0]
    total = sum(one.owed for one in owing)
    if not owing:
        return
    _statement(office, guarantor, owing, total)
    if total > PLAN_FROM and rng.chance(0.3):
        agree(office, guarantor, owing, rng)
        return
    old = [one for one in owing if str(one.row["ProcDate"]) < str(office.now.date() - PATIENCE)]
    if old:
        _press(office, old, rng)
        return
    day = office.next_open(office.now.date(), rng.randint(3, 20))
    answer = rng.weighted_choice((1.0, 0.5, 0.0), (64, 14, 22))
    if answer:
        office.later(office.office_hour(day, "pays"), lambda: _pay(office, guarantor, owing, answer))


def _statement(office: Office, guarantor: Person, owing: Sequence[Procedure], total: int) -> None:
    row = office.add(
        "statement",
        PatNum=guarantor.number,
        DateSent=office.now.date(),
        DateRangeFrom=office.now.date() - timedelta(days=45),
        DateRangeTo=office.now.date(),
        Mode_=2 if guarantor.row["Email"] else 0,
        IsSent=1,
        BalTotal=money(total),
        Note="Please pay within 20 days.\nThank you!",
        NoteBold="",
        EmailBody=None,
    )
    for one in owing:
        office.add("statementprod", StatementNum=row["StatementNum"], FKey=one.number, ProdType=0)
        office.add("stmtlink", StatementNum=row["StatementNum"], FKey=one.number, StmtLinkType=0)


def _pay(office: Office, guarantor: Person, owing: Sequence[Procedure], share: float) -> None:
    rng = office.draw("pays")
    parts = [(one, one.owed if share == 1 else one.owed // 2) for one in owing]
    parts = [(one, cents) for one, cents in parts if cents > 0]
    if not parts:
        return
    payment = Payment(office, guarantor, rng.weighted_choice(("Check", "Credit card", "Online"), (4, 3, 3)))
    for one, cents in parts:
        payment.pay(one, cents)
    payment.close()


def _press(office: Office, old: Sequence[Procedure], rng: SeededRandom) -> None:
    """Charge interest on old debts, or give them up."""
    for one in old:
        if rng.chance(0.2):
            adjust(office, one.person, "Uncollectable", -one.owed, one)
        elif rng.chance(0.3):
            adjust(office, one.person, "Finance charge", max(100, one.owed * 3 // 200), one)


def _even_out(office: Office, guarantor: Person, procedures: list[Procedure], rng: SeededRandom) -> list[Procedure]:
    """Move what was paid too much to what is still owed, or give it back; some of it just stays."""
    paid_over = [one for one in procedures if one.owed < 0]
    for one in paid_over:
        target = next((other for other in procedures if other.owed > 0), None)
        if target and rng.chance(0.7):
            cents = min(-one.owed, target.owed)
            transfer = Payment(office, guarantor, None)
            source = transfer.pay(one, -cents)
            transfer.split(target.person, target.place, cents, ProcNum=target.number, FSplitNum=source["SplitNum"])
            target.owed -= cents
            transfer.close()
        elif rng.chance(0.15):
            refund = Payment(office, guarantor, "Refund")
            refund.pay(one, one.owed)
            refund.close()
    return procedures
