"""The invented practice: the same anywhere, with money that balances, and all that a loader or a mart could miss."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from etl_assets.sandbox.open_dental.practice import DAYS, TODAY, Practice
from etl_assets.sandbox.open_dental.rows import NO_DATE, NO_TIME, Row, ZeroDate, at_hour, instant
from etl_assets.sandbox.open_dental.schema import tables
from etl_assets.sandbox.open_dental.treatment import add_interval
from etl_assets_tests.sandbox import ledger
from etl_assets_tests.sandbox.ledger import amount

Tables = Mapping[str, Sequence[Row]]


@pytest.fixture(scope="module")
def practice() -> Practice:
    return Practice()


@pytest.fixture(scope="module")
def rows(practice: Practice) -> Tables:
    return practice.tables


@pytest.fixture(scope="module")
def other() -> Practice:
    """Smaller, with clinics, of another seed and another year."""
    return Practice(7, patients=150, today=date(2024, 11, 6), clinics=2)


def fingerprint(practice: Practice) -> str:
    found = hashlib.sha256()
    for name, held in practice.tables.items():
        for row in held:
            found.update(f"{name}{list(row.values())}".encode())
    return found.hexdigest()


def figures(practice: Practice) -> dict[tuple[date, int, int], dict[str, Decimal]]:
    days = {
        slot: {kind: sum_ for kind, sum_ in asdict(day).items() if sum_}
        for slot, day in practice.books().daily().items()
    }
    return {slot: kinds for slot, kinds in days.items() if kinds}


def sums(held: Sequence[Row], by: str, column: str) -> dict[object, Decimal]:
    found: dict[object, Decimal] = defaultdict(Decimal)
    for row in held:
        found[row[by]] += amount(row[column])
    return found


def values_of(held: Sequence[Row], column: str) -> set[object]:
    return {row[column] for row in held}


def test_the_same_seed_gives_the_same_rows_and_another_one_others() -> None:
    same = fingerprint(Practice(3, patients=40))
    assert same == fingerprint(Practice(3, patients=40))
    assert same != fingerprint(Practice(4, patients=40))


def test_it_is_of_the_size_that_is_asked_for(rows: Tables, other: Practice) -> None:
    assert 400 <= len(rows["patient"]) <= 440
    assert 150 <= len(other.tables["patient"]) <= 175
    assert 40_000 < sum(map(len, rows.values())) < 90_000


def test_every_row_is_whole_and_its_key_is_its_own(rows: Tables) -> None:
    for name, table in tables().items():
        held = rows[name]
        assert all(tuple(row) == table.names for row in held), name
        keys = [row[table.key] for row in held]
        assert len(set(keys)) == len(keys), name
        assert all(isinstance(key, int) and key > 0 for key in keys), name


@pytest.mark.parametrize("which", ["practice", "other"])
def test_the_books_say_of_each_day_provider_and_clinic_what_the_rows_come_to(
    which: str, request: pytest.FixtureRequest
) -> None:
    practice = request.getfixturevalue(which)
    assert figures(practice) == ledger.daily(practice.tables)


@pytest.mark.parametrize("back", [0, 1, 29, 30, 31, 60, 90, 91, 365, DAYS])
@pytest.mark.parametrize("which", ["practice", "other"])
def test_the_books_age_each_family_as_the_rows_do(which: str, back: int, request: pytest.FixtureRequest) -> None:
    practice: Practice = request.getfixturevalue(which)
    day = practice.today - timedelta(days=back)
    aged = {
        family: (one.bal_0_30, one.bal_31_60, one.bal_61_90, one.bal_over_90, one.total, one.insurance_estimate)
        for family, one in practice.books().aged(day).items()
    }
    nothing = (Decimal(0),) * 6
    read = ledger.aged(practice.tables, day)
    assert {f: owed for f, owed in aged.items() if owed != nothing} == {
        f: owed for f, owed in read.items() if owed != nothing
    }
    if back == 0:
        assert any(owed[4] < 0 for owed in aged.values()), "somebody paid too much"
        assert all(any(owed[place] for owed in aged.values()) for place in range(6)), "each age occurs"


def test_what_is_owed_stands_in_the_guarantors_files_and_in_no_others(practice: Practice, rows: Tables) -> None:
    read = ledger.aged(rows, TODAY)
    own: dict[int, Decimal] = defaultdict(Decimal)
    for day, patient, owed in ledger.transactions(rows):
        own[patient] += owed if day <= TODAY else 0
    columns = ("Bal_0_30", "Bal_31_60", "Bal_61_90", "BalOver90", "BalTotal", "InsEst")
    for row in rows["patient"]:
        number = row["PatNum"]
        assert tuple(amount(row[column]) for column in columns) == read.get(number, (Decimal(0),) * 6)
        assert amount(row["EstBalance"]) == own[number]
        assert row["BalTotal"] == 0 or row["Guarantor"] == number
    due = [row for row in rows["patient"] if row["PayPlanDue"]]
    plans = practice.books().aged(TODAY)
    assert due
    assert all(amount(row["PayPlanDue"]) == plans[row["PatNum"]].plan_due for row in due)


@pytest.mark.parametrize("which", ["practice", "other"])
def test_headers_are_the_sums_of_their_lines(which: str, request: pytest.FixtureRequest) -> None:
    rows = request.getfixturevalue(which).tables
    split = sums(rows["paysplit"], "PayNum", "SplitAmt")
    assert {row["PayNum"]: amount(row["PayAmt"]) for row in rows["payment"]} == split
    assert {split[row["PayNum"]] for row in rows["payment"] if row["PayType"] == 0} == {Decimal(0)}
    paid = sums(rows["claimproc"], "ClaimPaymentNum", "InsPayAmt")
    assert all(amount(row["CheckAmt"]) == paid[row["ClaimPaymentNum"]] for row in rows["claimpayment"])
    assert any(row["Status"] == 1 and row["InsPayAmt"] and not row["ClaimPaymentNum"] for row in rows["claimproc"])
    banked = sums(rows["payment"], "DepositNum", "PayAmt")
    checks = sums(rows["claimpayment"], "DepositNum", "CheckAmt")
    assert all(amount(d["Amount"]) == banked[d["DepositNum"]] + checks[d["DepositNum"]] for d in rows["deposit"])


def test_a_claim_is_the_sum_of_its_lines(rows: Tables) -> None:
    for column in ("InsPayAmt", "WriteOff", "DedApplied"):
        lines = sums([row for row in rows["claimproc"] if row["Status"] in (0, 1, 4)], "ClaimNum", column)
        asked = [row for row in rows["claim"] if row["ClaimType"] in "PS" and (row["ClaimStatus"] == "R")]
        assert all(amount(row[column]) == lines[row["ClaimNum"]] for row in asked), column
    fees = sums(rows["claimproc"], "ClaimNum", "FeeBilled")
    assert all(amount(row["ClaimFee"]) == fees[row["ClaimNum"]] for row in rows["claim"])


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("appointment", "AptStatus", {1, 2, 3, 5, 6, 7, 8}),
        ("histappointment", "HistApptAction", {0, 1, 2, 3, 4}),
        ("procedurelog", "ProcStatus", {1, 2, 3, 4, 5, 6, 7, 8}),
        ("claimproc", "Status", set(range(10))),
        ("claim", "ClaimStatus", set("UHWSRI")),
        ("claim", "ClaimType", {"P", "S", "PreAuth", "Cap"}),
        ("patient", "PatStatus", set(range(7))),
        ("patient", "Gender", {0, 1, 2, 3}),
        ("patientlink", "LinkType", {1, 2}),
        ("insplan", "PlanType", {"", "p", "f", "c"}),
        ("patplan", "Ordinal", {1, 2}),
        ("payplancharge", "ChargeType", {0, 1}),
        ("payplan", "IsClosed", {0, 1}),
        ("schedule", "SchedType", {0, 1, 2, 3}),
        ("schedule", "Status", {0, 2}),
        ("treatplan", "TPStatus", {0, 1, 2}),
        ("refattach", "RefType", {0, 1, 2}),
        ("commlog", "SentOrReceived", {0, 1, 2}),
        ("recall", "IsDisabled", {0, 1}),
        ("provider", "IsSecondary", {0, 1}),
        ("provider", "IsNotPerson", {0, 1}),
        ("provider", "IsHidden", {0, 1}),
        ("operatory", "IsHidden", {0, 1}),
    ],
)
def test_every_value_of_an_enumeration_occurs_and_no_other(
    rows: Tables, table: str, column: str, values: set[object]
) -> None:
    assert values_of(rows[table], column) == values


@pytest.mark.parametrize(
    ("table", "column", "parent"),
    [
        ("procedurelog", "PatNum", "patient.PatNum"),
        ("procedurelog", "CodeNum", "procedurecode.CodeNum"),
        ("procedurelog", "ProvNum", "provider.ProvNum"),
        ("procedurelog", "PlannedAptNum", "appointment.AptNum"),
        ("claimproc", "ProcNum", "procedurelog.ProcNum"),
        ("claimproc", "ClaimNum", "claim.ClaimNum"),
        ("claimproc", "ClaimPaymentNum", "claimpayment.ClaimPaymentNum"),
        ("claimproc", "InsSubNum", "inssub.InsSubNum"),
        ("claim", "PlanNum", "insplan.PlanNum"),
        ("paysplit", "PayNum", "payment.PayNum"),
        ("paysplit", "ProcNum", "procedurelog.ProcNum"),
        ("paysplit", "FSplitNum", "paysplit.SplitNum"),
        ("paysplit", "PayPlanChargeNum", "payplancharge.PayPlanChargeNum"),
        ("patplan", "InsSubNum", "inssub.InsSubNum"),
        ("inssub", "PlanNum", "insplan.PlanNum"),
        ("insplan", "CarrierNum", "carrier.CarrierNum"),
        ("patient", "Guarantor", "patient.PatNum"),
        ("appointment", "Op", "operatory.OperatoryNum"),
        ("appointment", "NextAptNum", "appointment.AptNum"),
        ("scheduleop", "ScheduleNum", "schedule.ScheduleNum"),
        ("sheetfield", "SheetNum", "sheet.SheetNum"),
        ("recall", "RecallTypeNum", "recalltype.RecallTypeNum"),
        ("treatplanattach", "ProcNum", "procedurelog.ProcNum"),
        ("securitylog", "UserNum", "userod.UserNum"),
        ("commlog", "CommType", "definition.DefNum"),
        ("payment", "PayType", "definition.DefNum"),
    ],
)
def test_a_reference_is_zero_or_leads_somewhere(rows: Tables, table: str, column: str, parent: str) -> None:
    target, key = parent.split(".")
    assert values_of(rows[table], column) - {0} <= values_of(rows[target], key)


def test_an_appointment_that_is_gone_is_in_the_history_alone(rows: Tables) -> None:
    there = values_of(rows["appointment"], "AptNum")
    tombs = {row["AptNum"] for row in rows["histappointment"] if row["HistApptAction"] == 4}
    assert tombs
    assert not tombs & there
    assert values_of(rows["histappointment"], "AptNum") - there == tombs
    assert there - values_of(rows["histappointment"], "AptNum"), "of some nobody was logged on"
    moments = [row["HistDateTStamp"] for row in rows["histappointment"]]
    assert moments == sorted(moments)


def test_an_appointment_is_written_in_units_of_five_minutes(rows: Tables) -> None:
    patterns = values_of(rows["appointment"], "Pattern")
    assert all(re.fullmatch("[/X]+", str(pattern)) for pattern in patterns)
    assert max(map(len, map(str, patterns))) > 12


def test_the_audit_log_has_a_hash_for_each_line(rows: Tables) -> None:
    logged = [row["SecurityLogNum"] for row in rows["securitylog"]]
    assert [row["SecurityLogNum"] for row in rows["securityloghash"]] == logged
    moments = [row["LogDateTime"] for row in rows["securitylog"]]
    assert moments == sorted(moments)


def test_nothing_was_entered_after_today(rows: Tables) -> None:
    end = instant(at_hour(TODAY + timedelta(days=1), 0))
    for name, table in tables().items():
        if table.moves:
            assert all(row[table.moves] < end for row in rows[name]), name
    ahead = [row for row in rows["appointment"] if row["AptDateTime"] > at_hour(TODAY, 23)]
    assert {row["AptStatus"] for row in ahead} <= {1, 7, 8}
    assert len(ahead) > 50


def test_money_paid_ahead_is_shown_or_hidden_and_moved_when_it_is_earned(rows: Tables) -> None:
    types = {row["DefNum"]: bool(row["ItemValue"]) for row in rows["definition"] if row["Category"] == 29}
    kinds = Counter(
        (types[row["UnearnedType"]], row["SplitAmt"] > 0) for row in rows["paysplit"] if row["UnearnedType"]
    )
    assert min(kinds[hidden, paid] for hidden in (True, False) for paid in (True, False)) > 5


def test_quantities_fees_and_codes_have_their_odd_cases(rows: Tables) -> None:
    done = [row for row in rows["procedurelog"] if row["ProcStatus"] == 2]
    quantities = {(row["UnitQty"], row["BaseUnits"]) for row in done}
    assert {(1, 0), (0, 0), (0, 1), (2, 1), (3, 0)} <= quantities
    assert all(row["ProcFee"] == 0 for row in done if row["UnitQty"] + row["BaseUnits"] == 0)
    assert any(row["ProcFee"] and not row["UnitQty"] + row["BaseUnits"] for row in rows["procedurelog"])
    assert -1 in values_of(rows["fee"], "Amount")
    codes = [str(row["ProcCode"]) for row in rows["procedurecode"]]
    assert len(codes) > len({code.lower() for code in codes})
    used = values_of(rows["procedurelog"], "CodeNum")
    named = {row["ProcCode"] for row in rows["procedurecode"] if row["CodeNum"] in used}
    assert {"D9986", "D9987", "N4101", "n4101"} <= named
    covered = {(row["FeeSched"], row["CodeNum"]) for row in rows["fee"]}
    assert len(covered) < len(rows["feesched"]) * len(rows["procedurecode"]), "of some there is no fee"


def test_minus_one_stands_where_no_money_was_entered(rows: Tables) -> None:
    for column in ("CopayAmt", "WriteOffEst", "AllowedOverride", "PercentOverride"):
        assert {-1} < values_of(rows["claimproc"], column), column


def test_texts_days_and_spans_have_their_odd_cases(rows: Tables) -> None:
    notes = "".join(str(row["Note"]) for row in rows["commlog"])
    assert all(mark in notes for mark in ("\t", "\r\n", "\n", "\\", "\U0001f600", "ñ", '"', "%"))
    assert {None, ""} < values_of(rows["appointment"], "Note")
    assert max(len(str(row["FieldValue"])) for row in rows["sheetfield"]) > 2_000
    names = "".join(f"{row['LName']}{row['FName']}" for row in rows["patient"])
    assert all(letter in names for letter in "øñçÑü'")
    assert NO_DATE in values_of(rows["patient"], "Birthdate")
    assert NO_TIME in values_of(rows["appointment"], "DateTimeArrived")
    assert any(isinstance(row["DateStop"], ZeroDate) for row in rows["medicationpat"])
    spans = [row["RegHours"] for row in rows["timeadjust"]] + [row["OTimeHours"] for row in rows["timeadjust"]]
    assert min(spans) < timedelta(hours=-24) < timedelta(hours=24) < max(spans)
    assert any(row["OTimeHours"] < timedelta() for row in rows["clockevent"])


def test_a_recall_is_due_its_packed_interval_after_the_last_time(rows: Tables) -> None:
    assert {row["DefaultInterval"] for row in rows["recalltype"]} >= {196609, 393216, 393217, 16777217, 83886081, 515}
    for row in rows["recall"]:
        packed, then = row["RecallInterval"], row["DatePrevious"]
        assert row["DateDueCalc"] == add_interval(then, packed)
    assert add_interval(date(2024, 8, 31), 393217) == date(2025, 3, 1)
    assert add_interval(date(2024, 12, 31), 65536) == date(2025, 1, 31)
    assert add_interval(date(2024, 2, 29), 83886081) == date(2029, 3, 1)
    assert add_interval(date(2024, 1, 1), 515) == date(2024, 1, 18)
    assert {bool(row["DateScheduled"] == NO_DATE) for row in rows["recall"]} == {True, False}


def test_people_are_obviously_invented(rows: Tables) -> None:
    people = [row for table in ("patient", "employee", "carrier", "referral") for row in rows[table]]
    for row in people:
        assert all(str(row[c]).endswith("example.org") for c in ("Email", "EmailWork") if row.get(c))
        assert all("555" in str(row[c]) for c in ("HmPhone", "WirelessPhone", "Phone", "Telephone") if row.get(c))
    assert {str(row["SSN"])[:3] for row in rows["patient"]} == {"", "000"}


def test_clinics_are_those_that_are_asked_for_and_zero_is_the_headquarters(rows: Tables, other: Practice) -> None:
    assert not rows["clinic"]
    assert values_of(rows["procedurelog"], "ClinicNum") == {0}
    assert len(other.tables["clinic"]) == 2
    assert values_of(other.tables["operatory"], "ClinicNum") >= {0}
    assert len(values_of(other.tables["procedurelog"], "ClinicNum")) > 1
    assert len(values_of(other.tables["paysplit"], "ClinicNum")) > 1


def test_a_moment_of_the_practices_clock_is_an_instant_in_winter_and_in_summer() -> None:
    assert instant(at_hour(date(2026, 1, 5), 8)) == datetime(2026, 1, 5, 14, tzinfo=UTC)
    assert instant(at_hour(date(2026, 7, 6), 8)) == datetime(2026, 7, 6, 13, tzinfo=UTC)
