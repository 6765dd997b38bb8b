"""The money of Open Dental: what the models make of an invented practice's tables is what the practice itself noted.

The books never read a row, so that both can only agree where the models read the tables as the practice wrote them.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from etl_assets.sandbox.open_dental.practice import TODAY, Practice
from etl_assets_tests.explained_cells import differing_cells
from etl_assets_tests.sql.column_types import check_column_types
from etl_assets_tests.sql.dbt_runs import Dbt, Outcome
from etl_assets_tests.sql.open_dental_rows import change, make_staging, put, take

MARTS = ("+open_dental__mart_daily_financials", "+open_dental__mart_ar_aging", "+open_dental__fact_claim")
TOMORROW = TODAY + timedelta(days=1)
# The tables that money is made of, and what their dimensions are made of.
TABLES = (
    "adjustment", "carrier", "claim", "claimpayment", "claimproc", "claimsnapshot", "definition", "employer",
    "feesched", "insplan", "inssub", "patient", "patientlink", "payment", "payplan", "payplancharge", "payplanlink",
    "paysplit", "preference", "procedurecode", "procedurelog", "provider",
)  # fmt: skip
# Built anew when rows change; the views show them by themselves, and no dimension is of them.
CHANGING = ("open_dental__fact_claim+", "open_dental__fact_claim_procedure+", "open_dental__fact_ledger_entry+",
            "open_dental__fact_payment_split+", "open_dental__fact_procedure")  # fmt: skip
OTHERS = [f"resource_type:{kind},path:models/open_dental/dimensions" for kind in ("test", "unit_test")]


@pytest.fixture(scope="module")
def practice() -> Practice:
    return Practice(patients=150)


@pytest.fixture(scope="module")
def built(warehouse: psycopg.Connection, dbt: Dbt, practice: Practice) -> dict[str, Outcome]:
    """The models of money, built and tested on the practice's tables as they are on its last day."""
    make_staging(warehouse)
    for table in TABLES:
        with warehouse.transaction():
            put(warehouse, table, *practice.tables[table])
    warehouse.execute("set search_path to open_dental_mart")
    return dbt("build", "--select", "open_dental__enumeration", *MARTS, "--exclude", *OTHERS, as_of=str(TODAY))


def rows(warehouse: psycopg.Connection, query: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(query).fetchall()


def test_every_identity_holds(built: dict[str, Outcome]) -> None:
    """A warning counts too: nobody at this practice makes the mistakes that the warnings are about."""
    assert {name: outcome for name, outcome in built.items() if outcome.status not in {"success", "pass"}} == {}


def test_every_cell_is_what_its_rows_give(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    assert differing_cells(warehouse, "open_dental", ("mart_daily_financials", "mart_ar_aging")) == {}


def test_a_day_of_a_provider_is_what_the_books_say(
    warehouse: psycopg.Connection, built: dict[str, Outcome], practice: Practice
) -> None:
    found = rows(
        warehouse,
        "select business_date, provider_num, clinic_num, gross_production, capitation_write_offs, adjustments,"
        " write_offs, insurance_income, patient_income, net_production, income from mart_daily_financials",
    )
    noted = {
        (
            *slot, day.production, day.capitation_write_offs, day.adjustments, day.write_offs, day.insurance_income,
            day.patient_income, day.net_production, day.income,
        )
        for slot, day in practice.books().daily().items()
    }  # fmt: skip
    # A day on which all that came in went out again is in the books and not in the mart, or the other way.
    assert {row for row in found if any(row[3:])} == {row for row in noted if any(row[3:])}


def test_the_practice_has_what_can_be_read_wrongly(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    """Books that agree prove nothing of what never happens."""
    counted = rows(
        warehouse,
        """
        select
            (select count(*) from fact_procedure where quantity > 1 and is_completed),
            (select count(*) from fact_procedure where procedure_status_code not in (1, 2) and gross_fee > 0),
            (select count(*) from fact_claim_procedure where capitation_write_off > 0),
            (select count(*) from fact_claim_procedure where status_code = 4 and insurance_paid < 0),
            (select count(*) from fact_claim_procedure where status_code = 1 and check_date is null),
            (select count(*) from fact_claim_procedure where status_code = 6 and estimate_total > 0),
            (select count(*) from fact_claim_procedure where check_date > credited_date and write_off > 0),
            (select count(*) from fact_claim_procedure where fee_billed > 0 and procedure_date < credited_date),
            (select count(*) from fact_payment_split where is_hidden_unearned),
            (select count(*) from fact_payment_split where is_unearned and not is_hidden_unearned),
            (select count(*) from fact_payment_split where is_income_transfer),
            (select count(*) from fact_ledger_entry where entry_type = 'payment_plan_charge' and amount < 0),
            (
                select count(*) from fact_ledger_entry
                where entry_type = 'payment_plan_charge' and entry_date > (select max(taken_on) from mart_ar_aging)
            ),
            (select count(*) from mart_ar_aging where credit > 0),
            (select count(*) from dim_patient where guarantor_num <> patient_num)
        """,
    )[0]
    assert all(counted), counted


def owed(warehouse: psycopg.Connection, day: date) -> dict[int, tuple[Decimal, ...]]:
    found = rows(
        warehouse,
        "select guarantor_num, balance_0_30, balance_31_60, balance_61_90, balance_over_90, balance,"
        f" insurance_estimate + write_off_estimate from mart_ar_aging where snapshot_date = '{day}'",
    )
    return {row[0]: row[1:] for row in found if any(row[1:])}


def test_a_family_owes_what_the_books_say_on_every_snapshot(
    warehouse: psycopg.Connection, built: dict[str, Outcome], practice: Practice
) -> None:
    days = [day for (day,) in rows(warehouse, "select distinct snapshot_date from mart_ar_aging order by 1")]
    assert (len(days), days[0], days[-2:]) == (14, date(2025, 1, 31), [date(2026, 1, 31), TODAY])
    for day in days:
        noted = {
            guarantor: (
                aged.bal_0_30, aged.bal_31_60, aged.bal_61_90, aged.bal_over_90, aged.total, aged.insurance_estimate,
            )
            for guarantor, aged in practice.books().aged(day).items()
        }  # fmt: skip
        assert owed(warehouse, day) == {guarantor: aged for guarantor, aged in noted.items() if any(aged)}, day


def test_an_account_adds_up_to_what_its_patient_owes(
    warehouse: psycopg.Connection, built: dict[str, Outcome], practice: Practice
) -> None:
    found = rows(
        warehouse,
        f"select patient_num, sum(amount) from fact_ledger_entry where entry_date <= '{TODAY}' group by patient_num",
    )
    assert dict(found) == practice.books().balances(TODAY)


@pytest.fixture(scope="module")
def day(practice: Practice) -> date:
    """A day of a procedure whose claim is not answered, on which somebody paid as well."""
    paid = {row["DatePay"] for row in practice.tables["paysplit"] if row["SplitAmt"] and not row["UnearnedType"]}
    days = (row["ProcDate"] for row in practice.tables["claimproc"] if row["Status"] == 0 and row["InsPayEst"])
    return next(found for found in days if isinstance(found, date) and found in paid)


@pytest.fixture(scope="module")
def corrected(
    warehouse: psycopg.Connection, dbt: Dbt, built: dict[str, Outcome], practice: Practice, day: date
) -> dict[str, dict[str, Outcome]]:
    """A claim of that day is answered, a fee was wrong, a split was of that day and another is gone.

    First that day alone is built, as a load asks for the dates of the rows that it changed; then all of it.
    """
    claimed = next(row for row in practice.tables["claimproc"] if row["Status"] == 0 and row["ProcDate"] == day)
    splits = [row for row in practice.tables["paysplit"] if row["SplitAmt"] and not row["UnearnedType"]]
    deleted = next(row for row in splits if row["DatePay"] == day)
    moved = next(row for row in splits if row["DatePay"] != day)
    done = next(row for row in practice.tables["procedurelog"] if row["ProcNum"] == claimed["ProcNum"])
    answer = {"Status": 1, "InsPayAmt": 1.5, "WriteOff": 2.25, "DateCP": TODAY}
    change(warehouse, "claimproc", int(str(claimed["ClaimProcNum"])), **answer)
    change(warehouse, "procedurelog", int(str(done["ProcNum"])), ProcFee=float(str(done["ProcFee"])) + 7)
    change(warehouse, "paysplit", int(str(moved["SplitNum"])), DatePay=day, SplitAmt=0.01)
    take(warehouse, "paysplit", int(str(deleted["SplitNum"])))
    return {
        "day": dbt("run", "--select", *CHANGING, start_date=str(day), end_date=str(day), as_of=str(TOMORROW)),
        "whole": dbt("run", "--select", *CHANGING, as_of=str(TOMORROW)),
    }


def changed(outcomes: dict[str, Outcome], kind: str) -> dict[str, int | None]:
    return {
        name: outcome.rows for name, outcome in outcomes.items() if f"__{kind}_" in name and (outcome.rows or 0) > 0
    }


def test_the_day_of_the_rows_that_changed_is_as_good_as_all(corrected: dict[str, dict[str, Outcome]]) -> None:
    assert changed(corrected["day"], "fact_ledger") == {"open_dental__fact_ledger_entry": 4}
    assert changed(corrected["whole"], "fact") == {}
    assert changed(corrected["whole"], "mart_daily") == {}


def test_a_snapshot_is_kept_as_it_was_taken(
    warehouse: psycopg.Connection, corrected: dict[str, dict[str, Outcome]], practice: Practice, day: date
) -> None:
    taken = set(rows(warehouse, "select distinct snapshot_date, taken_on from mart_ar_aging"))
    assert taken > {(date(2026, 1, 31), TODAY), (TODAY, TODAY), (TOMORROW, TOMORROW), (day, TOMORROW)}
    aged = practice.books().aged(TODAY)
    noted = {guarantor: family.total for guarantor, family in aged.items() if any(vars(family).values())}
    assert {guarantor: amounts[4] for guarantor, amounts in owed(warehouse, TODAY).items()} == noted
    assert {guarantor: amounts[4] for guarantor, amounts in owed(warehouse, TOMORROW).items()} != noted


def test_no_refresh_loses_a_snapshot(
    warehouse: psycopg.Connection, dbt: Dbt, corrected: dict[str, dict[str, Outcome]]
) -> None:
    before = rows(warehouse, "select * from mart_ar_aging order by 1, 2")
    dbt("run", "--full-refresh", "--select", "open_dental__mart_ar_aging", as_of=str(TOMORROW))
    assert rows(warehouse, "select * from mart_ar_aging order by 1, 2") == before


BROKEN = {
    "open_dental__payments_are_the_sum_of_their_splits": "update open_dental.payment set payamt = payamt + 0.02",
    "open_dental__income_transfers_add_up_to_nothing": (
        "update fact_payment_split set amount = amount + 1, patient_income = patient_income + 1"
        " where is_income_transfer"
    ),
    "open_dental__checks_are_the_sum_of_their_claim_procedures": "update open_dental.claimpayment set checkamt = 0.5",
    "open_dental__claims_are_the_sum_of_their_claim_procedures": "update fact_claim set fee = fee + 0.01",
    "open_dental__balances_are_the_ledgers": (
        "update mart_ar_aging set balance = balance + 1, balance_0_30 = balance_0_30 + 1 - credit, credit = 0"
    ),
    "open_dental__balances_are_those_of_the_source": "update open_dental.patient set insest = insest + 5",
    "open_dental__marts_agree_with_the_facts": (
        "update mart_daily_financials set adjustments = adjustments + 1, net_production = net_production + 1"
    ),
    "open_dental__mart_daily_financials_adds_up": "update mart_daily_financials set income = income + 1",
    "open_dental__mart_ar_aging_buckets_are_the_balance": "update mart_ar_aging set balance_61_90 = balance_61_90 + 1",
    "open_dental__fact_payment_split_has_income_unless_hidden": (
        "update fact_payment_split set patient_income = amount where is_hidden_unearned"
    ),
    "open_dental__fact_claim_procedure_has_income_only_from_checks": (
        "update fact_claim_procedure set insurance_income = insurance_paid where check_date is null"
    ),
    "open_dental__fact_claim_says_what_its_claim_says": "update fact_claim set stated_fee = stated_fee + 1",
}


def test_what_breaks_an_identity_is_found(
    warehouse: psycopg.Connection, dbt: Dbt, corrected: dict[str, dict[str, Outcome]]
) -> None:
    for statement in BROKEN.values():
        warehouse.execute(statement)
    outcomes = dbt("test", "--select", *BROKEN, as_of=str(TOMORROW))
    assert {name: outcome.status for name, outcome in outcomes.items() if outcome.status not in {"warn", "fail"}} == {}
    assert outcomes.keys() == BROKEN.keys()


def test_columns_have_the_types_that_the_ui_shows(warehouse: psycopg.Connection, built: dict[str, Outcome]) -> None:
    check_column_types(warehouse, "open_dental_typed", "open_dental_mart")
