"""Payment plans: what is owed is credited at once and charged month by month, with interest."""

from collections.abc import Sequence
from datetime import date, timedelta

from etl_assets.sandbox.open_dental.catalogue import PLAN
from etl_assets.sandbox.open_dental.office import Office, Person, Procedure
from etl_assets.sandbox.open_dental.payments import Payment
from etl_assets.sandbox.open_dental.rows import Row, cents_of, money
from etl_assets.sandbox.seeded_random import SeededRandom

DEBIT, CREDIT = 0, 1
MONTH = timedelta(days=30)


def agree(office: Office, guarantor: Person, owing: Sequence[Procedure], rng: SeededRandom) -> None:
    """Agree on a plan for what the first patient of these procedures owes, and queue what will be paid on it."""
    day, patient = office.now.date(), owing[0].person
    owing = [one for one in owing if one.person is patient]
    total, months = sum(one.owed for one in owing), rng.choice((6, 12, 18))
    plan = _Plan(office, guarantor, owing[0].place, _row(office, guarantor, patient, total, months))
    for one in owing:
        plan.credit(one, day)
    left = total
    for month in range(1, months + 1):
        principal = left if month == months else total // months
        due = day + month * MONTH
        charge = plan.debit(due, principal, left // 200)
        if rng.chance(0.9):
            at = office.office_hour(office.next_open(due, rng.randint(0, 10)), "installment")
            office.later(at, _Installment(plan, charge))
        left -= principal


def _row(office: Office, guarantor: Person, patient: Person, total: int, months: int) -> Row:
    return office.add(
        "payplan",
        PatNum=patient.number,
        Guarantor=guarantor.number,
        PayPlanDate=office.now.date(),
        DatePayPlanStart=office.now.date(),
        APR=6.0,
        NumberOfPayments=months,
        PayAmt=money(total // months),
        CompletedAmt=money(total),
        PlanCategory=office.definition(PLAN, "In-house"),
        Note=f"{months} months",
        Signature=None,
        ChargeFrequency=3,
    )


class _Plan:
    """A plan that was agreed on."""

    def __init__(self, office: Office, guarantor: Person, place: tuple[int, int], row: Row) -> None:
        self._office, self._guarantor, self._place, self._row = office, guarantor, place, row
        self._left = 0
        """Charges that are not paid."""

    def credit(self, procedure: Procedure, day: date) -> None:
        """Take what is owed for a procedure off the patient's account."""
        self._office.books.move(day, procedure.person.number, -procedure.owed)
        self._charge(day, procedure.owed, 0, CREDIT, procedure.number)
        procedure.owed = 0

    def debit(self, day: date, principal: int, interest: int) -> Row:
        """Charge the guarantor on a day."""
        self._office.books.move(day, self._guarantor.number, principal + interest)
        self._office.books.due(day, self._guarantor.number, principal + interest)
        self._left += 1
        return self._charge(day, principal, interest, DEBIT, 0)

    def pay(self, charge: Row) -> None:
        """Pay a charge; the last one closes the plan."""
        office = self._office
        cents = cents_of(charge, "Principal") + cents_of(charge, "Interest")
        payment = Payment(office, self._guarantor, "Credit card")
        number, plan = charge["PayPlanChargeNum"], self._row["PayPlanNum"]
        payment.split(self._guarantor, self._place, cents, PayPlanNum=plan, PayPlanChargeNum=number)
        payment.close()
        office.books.due(office.now.date(), self._guarantor.number, -cents)
        self._left -= 1
        if not self._left:
            office.touch("payplan", self._row, IsClosed=1)

    def _charge(self, day: date, principal: int, interest: int, type_: int, procedure: int) -> Row:
        return self._office.add(
            "payplancharge",
            PayPlanNum=self._row["PayPlanNum"],
            PatNum=self._row["PatNum"],
            Guarantor=self._guarantor.number,
            ChargeDate=day,
            Principal=money(principal),
            Interest=money(interest),
            ProvNum=self._place[0],
            ClinicNum=self._place[1],
            ChargeType=type_,
            ProcNum=procedure,
            Note="",
        )


class _Installment:
    """A month's payment of a plan, when its day comes."""

    def __init__(self, plan: _Plan, charge: Row) -> None:
        self._plan, self._charge = plan, charge

    def __call__(self) -> None:
        self._plan.pay(self._charge)
