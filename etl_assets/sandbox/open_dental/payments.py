"""What patients pay at the desk and ahead, and what is adjusted.

A payment is always the sum of its splits, to the cent. A payment of type 0 moves money between splits and is nothing
itself.
"""

from collections.abc import Sequence

from etl_assets.sandbox.open_dental.books import ADJUSTMENTS, PATIENT_INCOME
from etl_assets.sandbox.open_dental.catalogue import ADJUSTMENT, PAYMENT, UNEARNED
from etl_assets.sandbox.open_dental.office import Office, Person, Procedure
from etl_assets.sandbox.open_dental.rows import Row, Value, money, number_of

PAYMENT_CREATE, ADJUSTMENT_CREATE = 15, 17
SHOWN, HIDDEN = "Prepayment", "Treatment plan prepayment"


class Payment:
    """One payment, or transfer, that is being entered; `close` sums it up."""

    def __init__(self, office: Office, payer: Person, type_: str | None) -> None:
        self._office, self._rng = office, office.draw("payment")
        self._cents = 0
        self._splits = 0
        check = type_ == "Check"
        self._row = office.add(
            "payment",
            PatNum=payer.number,
            PayType=office.definition(PAYMENT, type_) if type_ else 0,
            PayDate=office.now.date(),
            ClinicNum=payer.clinic,
            CheckNum=f"{self._rng.randint(100, 9999)}" if check else "",
            PayNote="Thank you \U0001f64f" if self._rng.chance(0.02) else ("" if check else None),
            PaymentSource=int(type_ == "Online"),
            SecUserNumEntry=office.user(),
        )
        office.note(PAYMENT_CREATE, payer.number, "Payment entered." if type_ else "Income transferred.")

    def split(self, patient: Person, place: tuple[int, int], cents: int, **values: Value) -> Row:
        """Add a split: cents of a patient for a provider and clinic; below zero it takes money away."""
        office, day = self._office, self._office.now.date()
        row = office.add(
            "paysplit",
            PatNum=patient.number,
            PayNum=self._row["PayNum"],
            ProvNum=place[0],
            ClinicNum=place[1],
            SplitAmt=money(cents),
            DatePay=day,
            SecUserNumEntry=self._row["SecUserNumEntry"],
            **values,
        )
        self._cents += cents
        self._splits += 1
        if row["UnearnedType"] != office.definition(UNEARNED, HIDDEN):
            office.books.flow(PATIENT_INCOME, day, place, cents)
            office.books.move(day, patient.number, -cents)
        return row

    def pay(self, procedure: Procedure, cents: int) -> Row:
        """Add a split for a procedure that is done."""
        procedure.owed -= cents
        day = procedure.row["ProcDate"]
        return self.split(procedure.person, procedure.place, cents, ProcNum=procedure.number, ProcDate=day)

    def close(self) -> None:
        """Write the sum of the splits into the payment."""
        self._row.update(PayAmt=money(self._cents), IsSplit=int(self._splits > 1))


def at_the_desk(office: Office, person: Person, procedures: Sequence[Procedure]) -> None:
    """Take what the patient pays on leaving: his part, as far as it is known, and what he paid ahead."""
    _use_prepaid(office, person, procedures)
    rng = office.draw("desk")
    parts = [(one, one.owed - sum(expected.cents for expected in one.expected)) for one in procedures]
    parts = [(one, cents) for one, cents in parts if cents > 0]
    if parts and rng.chance(0.55):
        payment = Payment(
            office, _payer(office, person), rng.weighted_choice(("Check", "Cash", "Credit card"), (2, 2, 6))
        )
        for one, cents in parts:
            payment.pay(one, cents)
        payment.close()


def adjust(office: Office, person: Person, type_: str, cents: int, procedure: Procedure | None = None) -> None:
    """Add to what a patient owes, or take from it below zero; of a procedure where one is given."""
    day = office.now.date()
    place = procedure.place if procedure else (person.dentist.number, person.clinic)
    if type_ == "Finance charge":
        # The practice's own, and nobody's production.
        place = office.nobody, place[1]
    office.add(
        "adjustment",
        AdjDate=day,
        ProcDate=procedure.row["ProcDate"] if procedure else day,
        AdjAmt=money(cents),
        PatNum=person.number,
        AdjType=office.definition(ADJUSTMENT, type_),
        ProvNum=place[0],
        ClinicNum=place[1],
        ProcNum=procedure.number if procedure else 0,
        AdjNote="" if procedure else None,
        SecUserNumEntry=office.user(),
    )
    if procedure:
        procedure.owed += cents
    office.books.flow(ADJUSTMENTS, day, place, cents)
    office.books.move(day, person.number, cents)
    office.note(ADJUSTMENT_CREATE, person.number, f"{type_}: {cents / 100:.2f}")


def pay_ahead(office: Office, procedure: Procedure) -> None:
    """Have some pay for what is only planned: onto the account, or hidden until it is done."""
    rng, person = office.rng("ahead", procedure.number), procedure.person
    if procedure.gross < 10_000 or not rng.chance(0.12):  # noqa: PLR2004 (what nobody pays ahead)
        return
    cents = procedure.gross // 2
    hidden = rng.chance(0.4)
    payment = Payment(office, person, "Credit card")
    type_ = office.definition(UNEARNED, HIDDEN if hidden else SHOWN)
    planned = procedure.number if hidden else 0
    split = payment.split(person, procedure.place, cents, UnearnedType=type_, ProcNum=planned)
    payment.close()
    person.prepaid.append((split, cents))


def _use_prepaid(office: Office, person: Person, procedures: Sequence[Procedure]) -> None:
    """Move what was paid ahead onto what is done now."""
    for one in procedures:
        mine = [(split, left) for split, left in person.prepaid if split["ProcNum"] in (0, one.number)]
        if not mine or one.owed <= 0:
            continue
        split, left = mine[0]
        cents = min(left, one.owed)
        transfer = Payment(office, person, None)
        place = number_of(split, "ProvNum"), number_of(split, "ClinicNum")
        type_, planned = split["UnearnedType"], split["ProcNum"]
        number = split["SplitNum"]
        back = transfer.split(person, place, -cents, UnearnedType=type_, ProcNum=planned, FSplitNum=number)
        transfer.split(person, one.place, cents, ProcNum=one.number, FSplitNum=back["SplitNum"])
        transfer.close()
        one.owed -= cents
        person.prepaid.remove((split, left))
        if left > cents:
            person.prepaid.append((split, left - cents))


def _payer(office: Office, person: Person) -> Person:
    """Who pays for a patient: the guarantor, where he is one of ours."""
    return office.person(person.guarantor) or person
