"""An independent reading of Open Dental's tables: what production, income and ageing are, by the vendor's definitions.

It goes by the rows alone and knows nothing of how they were made.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

Row = Mapping[str, object]
Tables = Mapping[str, Sequence[Row]]
Transaction = tuple[date, int, Decimal]
"""Its day, the patient, and what is owed more by it."""

RECEIVED = (1, 4)
OF_THE_LEDGER = (0, 1, 4, 5, 7)


def amount(value: object) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def hidden_types(tables: Tables) -> set[object]:
    return {row["DefNum"] for row in tables["definition"] if row["Category"] == 29 and row["ItemValue"]}


def completed(tables: Tables) -> dict[object, Row]:
    return {row["ProcNum"]: row for row in tables["procedurelog"] if row["ProcStatus"] == 2}


def gross(procedure: Row) -> Decimal:
    return amount(procedure["ProcFee"]) * (procedure["UnitQty"] + procedure["BaseUnits"])


def transactions(tables: Tables) -> Iterator[Transaction]:
    done, hidden = completed(tables), hidden_types(tables)
    for row in done.values():
        yield row["ProcDate"], row["PatNum"], gross(row)
    for row in tables["claimproc"]:
        if row["Status"] in OF_THE_LEDGER[1:] and (row["ProcNum"] == 0 or row["ProcNum"] in done):
            yield row["DateCP"], row["PatNum"], -amount(row["InsPayAmt"]) - amount(row["WriteOff"])
    for row in tables["adjustment"]:
        yield row["AdjDate"], row["PatNum"], amount(row["AdjAmt"])
    for row in tables["paysplit"]:
        if row["UnearnedType"] not in hidden:
            yield row["DatePay"], row["PatNum"], -amount(row["SplitAmt"])
    for row in tables["payplancharge"]:
        if row["ChargeType"] == 1:
            yield row["ChargeDate"], row["PatNum"], -amount(row["Principal"])
        else:
            yield row["ChargeDate"], row["Guarantor"], amount(row["Principal"]) + amount(row["Interest"])


def aged(tables: Tables, as_of: date) -> dict[int, tuple[Decimal, ...]]:
    """By guarantor: up to 30 days, to 60, to 90, over 90, total, what insurance is expected to bring."""
    guarantor = {row["PatNum"]: row["Guarantor"] for row in tables["patient"]}
    charges: dict[int, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 4)
    credits_: dict[int, Decimal] = defaultdict(Decimal)
    for day, patient, owed in transactions(tables):
        if day > as_of or owed == 0:
            continue
        family = guarantor[patient]
        if owed < 0:
            credits_[family] -= owed
        elif day >= as_of - timedelta(days=30):
            charges[family][0] += owed
        elif day >= as_of - timedelta(days=60):
            charges[family][1] += owed
        else:
            charges[family][2 if day >= as_of - timedelta(days=90) else 3] += owed
    expected = _expected(tables, as_of, guarantor)
    found = {}
    for family in {*charges, *credits_, *expected}:
        left = credits_.get(family, Decimal())
        buckets = []
        for charge in reversed(charges[family]):
            buckets.append(charge - min(charge, left))
            left -= min(charge, left)
        total = sum(charges[family], Decimal()) - credits_.get(family, Decimal())
        found[family] = (*reversed(buckets), total, expected.get(family, Decimal()))
    return found


def _expected(tables: Tables, as_of: date, guarantor: Mapping[object, int]) -> dict[int, Decimal]:
    done = completed(tables)
    found: dict[int, Decimal] = defaultdict(Decimal)
    for row in tables["claimproc"]:
        waits = row["Status"] == 0 or (row["Status"] == 1 and row["DateCP"] > as_of)
        if waits and row["ProcDate"] <= as_of and (row["ProcNum"] == 0 or row["ProcNum"] in done):
            found[guarantor[row["PatNum"]]] += amount(row["InsPayEst"]) + amount(row["WriteOff"])
    return found


def daily(tables: Tables) -> dict[tuple[date, int, int], dict[str, Decimal]]:
    """By day, provider and clinic: the figures of a day that are not zero."""
    found: dict[tuple[date, int, int], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for kind, day, row, counted in _figures(tables):
        found[day, row["ProvNum"], row["ClinicNum"]][kind] += counted
    figures = {slot: {kind: sum_ for kind, sum_ in kinds.items() if sum_} for slot, kinds in found.items()}
    return {slot: kinds for slot, kinds in figures.items() if kinds}


def _figures(tables: Tables) -> Iterator[tuple[str, date, Row, Decimal]]:
    hidden = hidden_types(tables)
    checks = {row["ClaimPaymentNum"]: row["CheckDate"] for row in tables["claimpayment"]}
    paid_on = {row["PayNum"]: row["PayDate"] for row in tables["payment"]}
    for row in completed(tables).values():
        yield "production", row["ProcDate"], row, gross(row)
    for row in tables["adjustment"]:
        yield "adjustments", row["AdjDate"], row, amount(row["AdjAmt"])
    for row in tables["claimproc"]:
        if row["Status"] == 7:
            yield "capitation_write_offs", row["ProcDate"], row, amount(row["WriteOff"])
        if row["Status"] in RECEIVED:
            yield "write_offs", row["DateCP"], row, amount(row["WriteOff"])
        if row["Status"] in RECEIVED and row["ClaimPaymentNum"]:
            yield "insurance_income", checks[row["ClaimPaymentNum"]], row, amount(row["InsPayAmt"])
    for row in tables["paysplit"]:
        if row["UnearnedType"] not in hidden:
            yield "patient_income", paid_on[row["PayNum"]], row, amount(row["SplitAmt"])
