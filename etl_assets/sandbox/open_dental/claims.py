"""What the plans are asked for what was done, and what they answer and pay: claims, their lines, checks."""

from collections.abc import Sequence
from datetime import timedelta

from etl_assets.sandbox.open_dental.books import CAPITATION, INSURANCE_INCOME, WRITE_OFFS
from etl_assets.sandbox.open_dental.catalogue import INSURANCE_PAYMENT, TRACKING
from etl_assets.sandbox.open_dental.insurance import (
    CAP_CLAIM,
    CAP_COMPLETE,
    COPAY,
    NOT_RECEIVED,
    RECEIVED,
    SUPPLEMENTAL,
    UNASKED,
    add_claim,
    add_line,
    estimate_of,
    send,
    share_of,
)
from etl_assets.sandbox.open_dental.office import Cover, Office, Person, Procedure
from etl_assets.sandbox.open_dental.rows import NO_DATE, Row, Value, cents_of, money, number_of

INSURANCE_PAID = 36


def bill(office: Office, person: Person, procedures: Sequence[Procedure]) -> None:
    """Ask the patient's plans for what was just done; a capitation plan's part is written off at once instead."""
    asked = [one for one in procedures if one.gross and not one.code.code.startswith(UNASKED)]
    if not asked or not person.covers:
        return
    first, *others = person.covers
    if first.plan.type == "c":
        for one in asked:
            _write_off_capitation(office, one)
        _report_capitation(office, asked, first)
        return
    claim = _Claim(office, person, asked, first)
    if others and others[0].plan.type != "c":
        claim.then = _Claim(office, person, asked, others[0], second=True)
    claim.send()


def pay_checks(office: Office) -> None:
    """Have the carriers pay what they have answered, each with one check; next week again."""
    for carrier, lines in sorted(office.checks.items()):
        total = sum(cents_of(line, "InsPayAmt") for line in lines)
        if not lines or total < 0 or office.draw("check").chance(0.08):
            continue
        _check(office, carrier, lines, total)
        office.checks[carrier] = []
    day = office.next_open(office.now.date(), 7)
    office.later(office.office_hour(day, "checks"), lambda: pay_checks(office))


def _write_off_capitation(office: Office, procedure: Procedure) -> None:
    written_off = max(0, procedure.gross - COPAY)
    day = office.now.date()
    values: dict[str, Value] = {"Status": CAP_COMPLETE, "WriteOff": money(written_off), "ProcDate": day, "DateCP": day}
    line = estimate_of(office, procedure, procedure.person.covers[0])
    office.touch("claimproc", line, ProvNum=procedure.place[0], ClinicNum=procedure.place[1], **values)
    procedure.owed -= written_off
    office.books.flow(CAPITATION, day, procedure.place, written_off)
    office.books.move(day, procedure.person.number, -written_off)


def _report_capitation(office: Office, procedures: Sequence[Procedure], cover: Cover) -> None:
    """Report some visits to the plan: a claim whose lines hold no money."""
    if not office.draw("capitation").chance(0.3):
        return
    claim = add_claim(office, procedures, cover, type_="Cap", status="S")
    for one in procedures:
        add_line(office, one, cover, Status=CAP_CLAIM, ClaimNum=claim["ClaimNum"], FeeBilled=money(one.gross))
    claim.update(ClaimFee=money(sum(one.gross for one in procedures)), DateSent=office.now.date())


def _check(office: Office, carrier: int, lines: Sequence[Row], total: int) -> None:
    day, rng = office.now.date(), office.draw("check")
    names = {row["CarrierNum"]: row["CarrierName"] for row in office.rows.tables["carrier"]}
    electronic = rng.chance(0.5)
    check = office.add(
        "claimpayment",
        CheckDate=day,
        DateIssued=day - timedelta(days=rng.randint(0, 6)) if rng.chance(0.7) else NO_DATE,
        CheckAmt=money(total),
        CheckNum=f"{rng.randint(0, 99999):05d}",
        PayType=office.definition(INSURANCE_PAYMENT, "EFT" if electronic else "Check"),
        CarrierName=names[carrier],
        ClinicNum=lines[0]["ClinicNum"],
        Note="" if rng.chance(0.9) else "Two claims missing?",
    )
    office.note(INSURANCE_PAID, 0, f"Check of {total / 100:.2f} entered.")
    for number, line in enumerate(lines, start=1):
        office.touch(
            "claimproc", line, ClaimPaymentNum=check["ClaimPaymentNum"], DateInsFinalized=day, PaymentRow=number
        )
        place = number_of(line, "ProvNum"), number_of(line, "ClinicNum")
        office.books.flow(INSURANCE_INCOME, day, place, cents_of(line, "InsPayAmt"))


class _Claim:
    """A claim until it is answered, and what comes after."""

    def __init__(
        self, office: Office, person: Person, procedures: Sequence[Procedure], cover: Cover, *, second: bool = False
    ) -> None:
        self._office, self._person, self._cover = office, person, cover
        self._row = add_claim(office, procedures, cover, type_="S" if second else "P", status="H" if second else "W")
        self._rng = office.rng("claim", self._row["ClaimNum"])
        self._lines: list[tuple[Procedure, Row, int, int]] = []
        self._more: list[Row] = []
        self.then: _Claim | None = None
        """The other plan's claim, which waits for this one's answer."""
        for one in procedures:
            self._ask(one, second=second)
        self._row["ClaimFee"] = money(sum(one.gross for one in procedures))
        self._row["InsPayEst"] = money(sum(paid for _, _, paid, _ in self._lines))
        self._row["WriteOff"] = money(sum(written_off for *_, written_off in self._lines))

    def send(self) -> None:
        """Send it tomorrow, if nobody forgets to, and queue the answer."""
        rng, office = self._rng, self._office
        if rng.chance(0.025):
            office.touch("claim", self._row, ClaimStatus=rng.choice(("U", "W", "I")))
            return
        send(office, self._row)
        if rng.chance(0.95):
            day = office.next_open(office.now.date(), rng.randint(12, 40))
            office.later(office.office_hour(day, "answered"), self._receive)

    def _ask(self, procedure: Procedure, *, second: bool) -> None:
        office, cover, year = self._office, self._cover, self._office.now.year
        left = procedure.gross - sum(one.cents for one in procedure.expected) if second else procedure.gross
        paid, written_off, deductible = share_of(cover, procedure, max(0, left), year)
        if second:
            paid, written_off = min(paid, max(0, left)), 0
        cover.paid[year] = cover.paid.get(year, 0) + paid
        cover.deducted[year] = cover.deducted.get(year, 0) + deductible
        line = estimate_of(office, procedure, cover)
        office.touch(
            "claimproc",
            line,
            Status=NOT_RECEIVED,
            ClaimNum=self._row["ClaimNum"],
            ProvNum=procedure.place[0],
            ClinicNum=procedure.place[1],
            ProcDate=office.now.date(),
            DateCP=office.now.date(),
            FeeBilled=money(procedure.gross),
            InsPayEst=money(paid),
            WriteOff=money(written_off),
            DedApplied=money(deductible),
            PercentOverride=90 if self._rng.chance(0.02) else -1,
            AllowedOverride=money(procedure.gross) if self._rng.chance(0.05) else -1,
        )
        procedure.claims += 1
        procedure.expected.append(office.books.expect(self._person.number, office.now.date(), paid + written_off))
        self._lines.append((procedure, line, paid, written_off))

    def _receive(self) -> None:
        """Enter the plan's answer."""
        office, day, rng = self._office, self._office.now.date(), self._rng
        at_once = rng.chance(0.03)
        total = 0
        for procedure, line, expected, written_off in self._lines:
            denied = rng.chance(0.05)
            other = rng.chance(0.1)
            paid = 0 if denied else expected * rng.randint(70, 110) // 100 if other else expected
            written_off = 0 if denied else written_off  # noqa: PLW2901 (what was agreed holds for what is paid)
            paid = min(paid, max(0, procedure.gross - written_off))
            self._book(procedure, line, 0 if at_once else paid, written_off)
            if at_once:
                procedure.owed -= paid
                total += paid
            remark = "Not a benefit of the plan" if denied else ""
            office.touch("claimproc", line, Remarks=remark, ClaimAdjReasonCodes="PR-96" if denied else None)
        if at_once:
            self._pay_in_one(total)
        self._close()
        if self.then:
            office.touch("claim", self.then._row, ClaimStatus="W")  # noqa: SLF001 (of the same class)
            self.then.send()
        if rng.chance(0.06):
            more = office.next_open(day, rng.randint(10, 40))
            office.later(office.office_hour(more, "supplement"), self._supplement)

    def _book(self, procedure: Procedure, line: Row, paid: int, written_off: int) -> None:
        office, day = self._office, self._office.now.date()
        office.touch(
            "claimproc",
            line,
            Status=RECEIVED,
            InsPayAmt=money(paid),
            WriteOff=money(written_off),
            DateCP=day,
            DateEntry=day,
        )
        procedure.owed -= paid + written_off
        procedure.claims -= 1
        self._expected(procedure, line, written_off)
        office.books.flow(WRITE_OFFS, day, procedure.place, written_off)
        office.books.move(day, self._person.number, -paid - written_off)
        office.checks.setdefault(self._cover.plan.carrier, []).append(line)

    def _expected(self, procedure: Procedure, line: Row, written_off: int) -> None:
        """From today on it is no longer expected; before, it was the estimate and what was written off in the end."""
        estimated = cents_of(line, "InsPayEst")
        for one in procedure.expected[self._row["ClaimType"] == "S" :][:1]:
            one.received, one.cents = self._office.now.date(), estimated + written_off

    def _pay_in_one(self, total: int) -> None:
        """Enter a payment of the whole claim, of no procedure in particular."""
        office, day = self._office, self._office.now.date()
        first = self._lines[0][0]
        line = add_line(
            office,
            first,
            self._cover,
            ProcNum=0,
            CodeSent="",
            ClaimNum=self._row["ClaimNum"],
            Status=RECEIVED,
            InsPayAmt=money(total),
            DateEntry=day,
        )
        self._more.append(line)
        office.books.move(day, self._person.number, -total)
        office.checks.setdefault(self._cover.plan.carrier, []).append(line)

    def _close(self) -> None:
        lines = [row for _, row, *_ in self._lines] + self._more
        sums = {
            name: sum(cents_of(row, name) for row in lines) / 100 for name in ("InsPayAmt", "WriteOff", "DedApplied")
        }
        day = self._office.now.date()
        self._office.touch("claim", self._row, ClaimStatus="R", DateReceived=day, ReasonUnderPaid="", **sums)

    def _supplement(self) -> None:
        """Pay some more, or take some back: one more line of the same procedure."""
        office, rng = self._office, self._rng
        procedure = rng.choice(self._lines)[0]
        cents = rng.randint(500, 4_000)
        if rng.chance(0.3):
            cents = -cents
        day = office.now.date()
        line = add_line(
            office,
            procedure,
            self._cover,
            ClaimNum=self._row["ClaimNum"],
            Status=SUPPLEMENTAL,
            InsPayAmt=money(cents),
            DateSuppReceived=day,
            DateEntry=day,
        )
        office.add(
            "claimtracking",
            ClaimNum=self._row["ClaimNum"],
            UserNum=office.user(),
            TrackingType="StatusHistory",
            TrackingDefNum=office.any_definition(TRACKING, rng),
            Note="Called;\tsent again",
        )
        self._more.append(line)
        procedure.owed -= cents
        office.books.move(day, self._person.number, -cents)
        office.checks.setdefault(self._cover.plan.carrier, []).append(line)
        self._close()
