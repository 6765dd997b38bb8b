"""What the plans are expected to pay, and what they are asked.

A claimproc is one line of it. It begins as the estimate of a planned procedure, goes onto a claim when that is done,
and holds what was paid when the claim is answered (`claims`). Money of -1 says that nobody entered any.
"""

from collections.abc import Sequence
from datetime import timedelta

from etl_assets.sandbox.open_dental.office import Cover, Office, Person, Procedure
from etl_assets.sandbox.open_dental.rows import NO_DATE, Row, Value, money, number_of

NOT_RECEIVED, RECEIVED, PREAUTH, ADJUSTED, SUPPLEMENTAL, CAP_CLAIM, ESTIMATE, CAP_COMPLETE, CAP_ESTIMATE, HISTORY = (
    range(10)
)
COPAY = 1_500
UNASKED = ("N", "n")
"""Codes that begin so are the practice's own; no plan is asked for them."""
CLAIM_SENT, INSURANCE_PAID = 104, 36
BASIC = 80


def estimate(office: Office, procedure: Procedure) -> None:
    """Have each of the patient's plans have its estimate of what is planned."""
    if procedure.gross == 0 or procedure.code.code.startswith(UNASKED):
        return
    for cover in procedure.person.covers:
        capitated = cover.plan.type == "c"
        paid, written_off, _ = share_of(cover, procedure, procedure.gross, office.now.year)
        add_line(
            office,
            procedure,
            cover,
            Status=CAP_ESTIMATE if capitated else ESTIMATE,
            CopayAmt=money(COPAY) if capitated else -1,
            BaseEst=money(paid),
            InsEstTotal=money(paid),
            InsPayEst=money(paid),
            WriteOffEst=money(written_off) if written_off else -1,
            Percentage=-1 if capitated else procedure.code.covered,
            EstimateNote="" if paid else "Not covered",
        )


def forget(office: Office, procedure: Procedure) -> None:
    """Delete the estimates of what will not be done: hard, as the vendor's program does."""
    for row in procedure.lines:
        if row["Status"] in (ESTIMATE, CAP_ESTIMATE):
            office.rows.take("claimproc", row)


def remember(office: Office, procedure: Procedure) -> None:
    """Note that the first plan once paid for what another dentist did."""
    add_line(
        office, procedure, procedure.person.covers[0], Status=HISTORY, ProcDate=office.now.date() - timedelta(days=400)
    )


def used_elsewhere(office: Office, person: Person, cover: Cover) -> None:
    """Note what of a plan's year was used before: money that moves no account."""
    day = office.now.date()
    office.add(
        "claimproc",
        PatNum=person.number,
        PlanNum=cover.plan.number,
        InsSubNum=cover.subscription,
        Status=ADJUSTED,
        InsPayAmt=150.0,
        DedApplied=25.0,
        ProcDate=day,
        DateCP=day,
    )
    cover.paid[day.year] = cover.paid.get(day.year, 0) + 15_000


def ask(office: Office, procedure: Procedure) -> None:
    """Ask the first plan beforehand for some of what is dear."""
    person, rng = procedure.person, office.rng("preauthorization", procedure.number)
    if procedure.gross < 100_000 or not person.covers or not rng.chance(0.4):  # noqa: PLR2004 (what is dear)
        return
    cover = person.covers[0]
    if cover.plan.type == "c":
        return
    claim = add_claim(office, [procedure], cover, type_="PreAuth", status="W")
    paid, _, _ = share_of(cover, procedure, procedure.gross, office.now.year)
    line = add_line(
        office, procedure, cover, Status=PREAUTH, ClaimNum=claim["ClaimNum"], FeeBilled=money(procedure.gross)
    )
    claim.update(ClaimFee=money(procedure.gross), InsPayEst=money(paid), PreAuthString=f"PA{claim['ClaimNum']:05}")

    def answered() -> None:
        office.touch("claimproc", line, InsPayEst=money(paid), DateCP=office.now.date())
        office.touch("claim", claim, ClaimStatus="R", DateReceived=office.now.date())

    send(office, claim)
    if rng.chance(0.8):
        day = office.next_open(office.now.date(), rng.randint(14, 45))
        office.later(office.office_hour(day, "preauthorized"), answered)


def share_of(cover: Cover, procedure: Procedure, left: int, year: int) -> tuple[int, int, int]:
    """What a plan pays of what is left of a procedure, what is written off for it, and its deductible; in cents."""
    plan = cover.plan
    if plan.type == "c":
        return 0, max(0, procedure.gross - COPAY), 0
    allowed = procedure.gross * plan.allowed // 100 if plan.type == "p" else procedure.gross
    written_off = procedure.gross - allowed if procedure.code.covered else 0
    basis = min(allowed, left)
    deductible = 0
    if procedure.code.covered <= BASIC:
        deductible = min(max(0, plan.deductible - cover.deducted.get(year, 0)), basis)
    paid = (basis - deductible) * procedure.code.covered // 100
    if plan.type == "f":
        paid = max(0, basis - 4_000) if procedure.code.covered else 0
    return min(paid, max(0, plan.maximum - cover.paid.get(year, 0))), written_off, deductible


def add_line(office: Office, procedure: Procedure, cover: Cover, **values: Value) -> Row:
    """Add a claimproc of a procedure and a plan."""
    provider, clinic = procedure.place
    held: dict[str, Value] = {
        "ProcNum": procedure.number,
        "PatNum": procedure.person.number,
        "ProvNum": provider,
        "ClinicNum": clinic,
        "PlanNum": cover.plan.number,
        "InsSubNum": cover.subscription,
        "ProcDate": office.now.date(),
        "DateCP": office.now.date(),
        "CodeSent": procedure.code.code,
    }
    row = office.add("claimproc", **(held | values))
    procedure.lines.append(row)
    return row


def add_claim(office: Office, procedures: Sequence[Procedure], cover: Cover, *, type_: str, status: str) -> Row:
    """Add a claim; what it sums up to is written by whoever adds its lines."""
    person = procedures[0].person
    provider, clinic = procedures[0].place
    other = next((one for one in person.covers if one is not cover), None)
    return office.add(
        "claim",
        PatNum=person.number,
        PlanNum=cover.plan.number,
        InsSubNum=cover.subscription,
        PlanNum2=other.plan.number if other else 0,
        InsSubNum2=other.subscription if other else 0,
        ClaimType=type_,
        ClaimStatus=status,
        # A claim for what is not done yet is of no day.
        DateService=NO_DATE if type_ == "PreAuth" else office.now.date(),
        ProvTreat=provider,
        ProvBill=office.providers[0].number,
        ClinicNum=clinic,
        PatRelat=cover.row.get("Relationship", 0),
        ClaimNote="" if person.number % 5 else "Narrative: fractured \\ cusp",
        ClaimIdentifier=f"{person.number}/{len(office.rows.tables['claim']) + 1}",
        Narrative=None,
        SecUserNumEntry=office.user(),
    )


def send(office: Office, claim: Row) -> None:
    """Have a claim sent on the next day of work."""

    def sent() -> None:
        day = office.now.date()
        office.touch("claim", claim, ClaimStatus="S", DateSent=day, DateSentOrig=day)
        office.note(CLAIM_SENT, number_of(claim, "PatNum"), f"Claim {claim['ClaimNum']} sent.")

    office.later(office.office_hour(office.next_open(office.now.date(), 1), "sends"), sent)


def estimate_of(office: Office, procedure: Procedure, cover: Cover) -> Row:
    """The claimproc that holds a plan's estimate of a procedure; made where there is none."""
    for row in procedure.lines:
        if row["InsSubNum"] == cover.subscription and row["Status"] in (ESTIMATE, CAP_ESTIMATE):
            return row
    return add_line(office, procedure, cover, Status=ESTIMATE)
