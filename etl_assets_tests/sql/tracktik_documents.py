"""TrackTik's records put into staging as a load would, each saying only what its test is about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from etl_assets.declare.dates import Calendar

BATCH = UUID(int=7)
SLICE_BY = {"shifts": "startDateTime", "work_sessions": "startedOn", "shift_summaries": "periodDate"}
WHOLE = (
    "regions",
    "clients",
    "employees",
    "employment_profiles",
    "back_office_settings",
    "positions",
    "contracts",
    "overtime_rules",
    "holiday_groups",
    "payroll_codes",
)
CALENDAR = Calendar(kind="biweekly", anchor=date(2024, 12, 27), first_year=2025, last_year=2026)
LONG_AGO = {"createdOn": "2024-01-01T00:00:00+00:00", "updatedOn": "2024-01-01T00:00:00+00:00"}
Document = Mapping[str, Any]


def make_staging(warehouse: psycopg.Connection) -> None:
    """The staging tables and the calendar, where the loader has not made them."""
    warehouse.execute("set role etl_loader")
    for name in WHOLE:
        warehouse.execute(f"""
            create table if not exists tracktik_staging.{name} (
                id bigint, loaded_at timestamptz default now(), raw_data jsonb not null,
                is_latest boolean not null default true, vanished_at timestamptz, deleted_at timestamptz,
                etl_batch_id uuid not null, primary key (id, loaded_at)
            );
            create unique index if not exists {name}_id_idx on tracktik_staging.{name} (id) where is_latest
        """)
    for name in SLICE_BY:
        warehouse.execute(f"""
            create table if not exists tracktik_staging.{name} (
                id bigint primary key, slice date not null, raw_data jsonb not null,
                loaded_at timestamptz not null default now(), first_loaded_at timestamptz not null default now(),
                vanished_at timestamptz, deleted_at timestamptz, etl_batch_id uuid not null
            );
            create index if not exists {name}_slice_idx on tracktik_staging.{name} (slice)
        """)
    with warehouse.cursor() as cursor:
        cursor.executemany(
            "insert into tracktik.billing_periods"
            " (period_id, start_date, end_date, fiscal_year, period_number, periods_in_year)"
            " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
            [
                (each.id, each.first, each.last, each.fiscal_year, each.number, CALENDAR.periods_in_year)
                for each in CALENDAR.periods
            ],
        )
    warehouse.execute("reset role")


def put(warehouse: psycopg.Connection, table: str, *documents: Document, at: str = "2025-01-01T00:00:00Z") -> None:
    """Put documents into staging as a load does that sees them at that moment."""
    relation = sql.Identifier("tracktik_staging", table)
    for document in documents:
        values = {"id": document["id"], "raw": Jsonb(document), "at": at, "batch": BATCH}
        if table in SLICE_BY:
            warehouse.execute(
                sql.SQL("""
                    insert into {} (id, slice, raw_data, loaded_at, etl_batch_id)
                    values (%(id)s, %(slice)s, %(raw)s, %(at)s, %(batch)s)
                    on conflict (id) do update
                    set slice = excluded.slice, raw_data = excluded.raw_data, loaded_at = excluded.loaded_at
                """).format(relation),
                {**values, "slice": _date_of(document[SLICE_BY[table]])},
            )
        else:
            warehouse.execute(
                sql.SQL("update {} set is_latest = false where id = %(id)s and is_latest").format(relation), values
            )
            warehouse.execute(
                sql.SQL(
                    "insert into {} (id, raw_data, loaded_at, etl_batch_id) values (%(id)s, %(raw)s, %(at)s, %(batch)s)"
                ).format(relation),
                values,
            )


def _date_of(moment: str | int) -> str:
    """The site's own date of a moment; of a Unix time, that in UTC."""
    return moment[:10] if isinstance(moment, str) else datetime.fromtimestamp(moment, UTC).date().isoformat()


def delete(warehouse: psycopg.Connection, table: str, key: int, *, at: str) -> None:
    """Soft-delete a record, as a load does when the source has it no longer."""
    warehouse.execute(
        sql.SQL("update {} set deleted_at = %s where id = %s {}").format(
            sql.Identifier("tracktik_staging", table), sql.SQL("" if table in SLICE_BY else "and is_latest")
        ),
        [at, key],
    )


def region(key: int, name: str, **fields: Any) -> Document:
    """A region."""
    return {
        "id": key,
        "customId": f"R{key}",
        "name": name,
        "parentRegion": None,
        "status": "ACTIVE",
        **LONG_AGO,
        **fields,
    }


def client(key: int, name: str, region: int | None, **fields: Any) -> Document:
    """A client of a region."""
    address = {"addressLine1": "1 Main St", "city": "Oakland", "state": "CA", "postalCode": "94601", "country": "US"}
    document = {
        "id": key,
        "customId": f"C{key}",
        "name": name,
        "region": region,
        "address": address,
        "status": "ACTIVE",
    }
    return {**document, "timeZone": "America/New_York", **LONG_AGO, **fields}


def employee(key: int, region: int | None = 1, **fields: Any) -> Document:
    """An employee of a region."""
    names = {"firstName": f"First{key}", "lastName": f"Last{key}", "email": f"e{key}@example.org"}
    document = {"id": key, "customId": f"E{key}", **names, "primaryPhone": "555-0100", "region": region}
    return {**document, "status": "ACTIVE", **LONG_AGO, **fields}


def position(
    key: int,
    client: int | None,
    *,
    rate: float | None = 30,
    pay: float | None = 20,
    rule: int | None = None,
    billing: Document = {},  # noqa: B006 (read only)
    payroll: Document = {},  # noqa: B006
    **fields: Any,
) -> Document:
    """A position of a client: billed at `rate`, its overtime by `rule`, and paid at `pay`."""
    billed = {"type": "HOURLY", "rate": rate, "discountRate": 0, "billBreaks": "ALL", "holiday": "REGULAR"}
    paid = {"positionHourlyRate": pay, "payBreaks": "ALL", "holiday": "MULTIPLIER"}
    return {
        "id": key,
        "customId": f"P{key}",
        "name": f"Post {key}",
        "status": "ACTIVE",
        "account": client,
        "nonBillable": False,
        "billingSetting": {**billed, "holidayMultiplier": 1.5, "overtimeRule": rule, **billing},
        "payrollSetting": {**paid, "holidayMultiplier": 1.5, **payroll},
        **LONG_AGO,
        **fields,
    }


def profile(employee: int, rule: int | None = None, *, exempt: bool = False) -> Document:
    """The employment profile of an employee, under the same id: by which rule overtime is paid."""
    return {"id": employee, "employee": employee, "overtimeExempt": exempt, "overtimeRule": rule}


def back_office(key: int, region: int | None, rule: int | None) -> Document:
    """The settings of a region's back office: by which rule overtime is paid to those who have none of their own."""
    day = {"payrollOvertimeDayOfWeek": "FRIDAY"}
    return {"id": key, "region": region, "payrollOvertimeRule": rule, **day}


def rule(key: int, *items: tuple[str, float, float], **fields: Any) -> Document:
    """An overtime rule of items: their type, threshold in hours, and multiplier."""
    rules = [
        {
            "id": key * 10 + place,
            "ruleType": kind,
            "rateType": "MULTIPLIER",
            "threshold": hours,
            "rateMultiplier": times,
        }
        for place, (kind, hours, times) in enumerate(items)
    ]
    return {"id": key, "name": f"Rule {key}", "periodLength": "WEEKLY", "rules": rules, **fields}


def shift(
    key: int,
    start: str,
    hours: float,
    employee: int | Document | None,
    position: int | None,
    *,
    offset: str = "-04:00",
    **fields: Any,
) -> Document:
    """A shift of so many hours from `start` on the site's clock, worked and approved as planned."""
    begins = datetime.fromisoformat(f"{start}{offset}")
    ends = begins + timedelta(hours=hours)
    document = {
        "id": key,
        "status": "ACTIVE",
        "billable": True,
        "payable": True,
        "paidTimeOff": False,
        "vacant": employee is None,
        "startDateTime": begins.isoformat(),
        "endDateTime": ends.isoformat(),
        "timeZone": "America/New_York",
        "breakInMinutes": 0,
        "employee": employee,
        "position": position,
        "account": None,
        "attendanceStatus": "COMPLETED",
        "plannedDurationHours": hours,
        "clockedHours": hours,
        "approvedHours": None if employee is None else hours,
        "updatedBy": 77,
        "modifiedOn": "2025-07-01T00:00:00+00:00",
    }
    return {**document, **fields}


def session(key: int, shift: int, start: str | int, end: str | int | None) -> Document:
    """A clock-in for a shift, from one moment to another, each with its offset or as Unix time."""
    return {"id": key, "shift": shift, "startedOn": start, "endedOn": end, "status": "CLOSED" if end else "OPEN"}


def summary(shift: int, week_start: str, hours: float, total: float, **fields: Any) -> Document:
    """What the service bills for a shift."""
    document = {"id": shift, "shift": shift, "periodDate": week_start, "billHours": hours, "billTotal": total}
    return {**document, **fields}
