"""Shifts and clock-ins as the service gives them, and the documents of any resource in a span of days."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from etl_assets.sandbox.tracktik.billing import less_breaks, said_billable, said_payable
from etl_assets.sandbox.tracktik.books import Books
from etl_assets.sandbox.tracktik.directory import stamp
from etl_assets.sandbox.tracktik.money import NO_HOURS, as_hours
from etl_assets.sandbox.tracktik.resources import Resource
from etl_assets.sandbox.tracktik.shifts import Shift
from etl_assets.sandbox.tracktik.summaries import summary_document
from etl_assets.sandbox.tracktik.terms import Document

_OFFICE = 9001
"""The user who plans and approves."""
_PTO = 73
SESSIONS_A_SHIFT = 10
"""The ids of a shift's sessions are its own ten times over, and their number."""
Span = tuple[date | None, date | None]


def documents(books: Books, resource: Resource, span: Span = (None, None), *, extras: bool) -> Iterator[Document]:
    """Every document of a resource, by id; of those that are read by window, the documents of a span of days.

    Args:
        books: Whose.
        resource: Which.
        span: First and last date, both included, by the site's own clock; None where it is open.
        extras: Whether a shift's fields on demand are wanted; they cost the working out of its week.
    """
    if resource.path == "shifts":
        for shift in books.shifts(*span):
            yield shift_document(books, shift, extras=extras)
    elif resource.path == "work-sessions":
        yield from _sessions(books, span)
    elif resource.path == "shift-summaries":
        for summary in books.summaries(*span):
            yield summary_document(summary)
    else:
        yield from books.documents(resource.path).values()


def document_of(books: Books, resource: Resource, number: int) -> Document | None:
    """One document by its id, inactive ones too; None where there is none."""
    if resource.window is None:
        return books.document(resource.path, number)
    shift = books.shift(number // SESSIONS_A_SHIFT if resource.path == "work-sessions" else number)
    if shift is None:
        return None
    if resource.path == "shifts":
        return shift_document(books, shift, extras=True)
    if resource.path == "work-sessions":
        return next((one for one in session_documents(books, shift) if one["id"] == number), None)
    summary = books.summary(shift)
    return summary_document(summary) if summary else None


def shift_document(books: Books, shift: Shift, *, extras: bool) -> Document:
    """A shift; with `extras` its fields on demand as well."""
    agreement = books.agreement(shift)
    paid = less_breaks(shift, shift.planned, agreement.pay) if shift.payable else NO_HOURS
    told = shift.start - timedelta(days=7) < books.now
    document = {
        "id": shift.id,
        "customId": None,
        "status": shift.status,
        "billable": shift.billable,
        "payable": shift.payable,
        "paidTimeOff": shift.paid_time_off,
        "vacant": shift.vacant,
        "onShiftBoard": shift.on_shift_board,
        "startDateTime": shift.start.isoformat(timespec="seconds"),
        "endDateTime": shift.end.isoformat(timespec="seconds"),
        "startsOn": int(shift.start.timestamp()),
        "endsOn": int(shift.end.timestamp()),
        "timeZone": shift.zone,
        "breakInMinutes": shift.break_minutes,
        "published": told,
        "notified": told and not shift.vacant,
        "acknowledged": told and not shift.vacant and shift.id % 9 != 0,
        "viewed": told and not shift.vacant,
        "locked": shift.approved is not None,
        "employee": shift.employee,
        "vendor": None,
        "position": shift.position,
        "summary": shift.id if books.is_summed_up(shift) else None,
        "attendanceStatus": _attendance(shift, books.now),
        "plannedPayableHours": as_hours(paid),
        "payCodeLabel": _PTO if shift.paid_time_off else None,
        "createdBy": _OFFICE,
        "updatedBy": _OFFICE,
    }
    return document | _extras(books, shift) if extras else document


def session_documents(books: Books, shift: Shift) -> Iterator[Document]:
    """The clock-ins of a shift."""
    for number, session in enumerate(shift.sessions, shift.id * SESSIONS_A_SHIFT + 1):
        yield {
            "id": number,
            "shift": shift.id,
            "employee": shift.employee,
            "position": shift.position,
            "account": books.place(shift.position).account,
            "startedOn": session.start.isoformat(timespec="seconds"),
            "endedOn": session.end.isoformat(timespec="seconds") if session.end else None,
            "durationHours": as_hours(session.hours),
            "clockInMethod": session.clocked_in,
            "clockOutMethod": session.clocked_out,
            "status": "CLOSED" if session.end else "OPEN",
            "createdOn": stamp(session.start),
            "updatedOn": stamp(session.end or session.start),
        }


def _sessions(books: Books, span: Span) -> Iterator[Document]:
    """Clock-ins by their own day: some begin before midnight for a shift of the next day, or after it."""
    first, last = span[0] or date.min, span[1] or date.max
    early = first - timedelta(days=2) if span[0] else None
    late = last + timedelta(days=2) if span[1] else None
    for shift in books.shifts(early, late):
        for document, session in zip(session_documents(books, shift), shift.sessions, strict=True):
            if first <= session.start.date() <= last:
                yield document


def _extras(books: Books, shift: Shift) -> Document:
    agreement, worked_out = books.agreement(shift), books.summary(shift) or books.settled(shift)
    approved, told = shift.approved is not None, shift.says_rates
    return {
        "plannedDurationHours": as_hours(shift.planned) if shift.says_planned else None,
        "clockedHours": as_hours(shift.clocked),
        "approvedHours": as_hours(shift.approved),
        "billableHours": as_hours(said_billable(shift, agreement)),
        "payableHours": as_hours(said_payable(shift, agreement)),
        "overtimeHours": as_hours(worked_out.pay.overtime_hours) if approved else None,
        "holidayHours": as_hours(shift.holiday_hours),
        "payRateLevel": "NOT_PAYABLE" if not shift.payable else "SHIFT_RATE" if shift.pay_rate else "POSITION_RATE",
        "payRate": shift.pay_rate or (agreement.pay.rate if told else None),
        "billRate": shift.bill_rate or (agreement.bill.rate if told else None),
        "paidAmount": worked_out.pay.total if approved else None,
        "billedAmount": worked_out.bill.total if approved else None,
        "modifiedOn": stamp(shift.modified),
        "lastModified": stamp(shift.modified),
        "createdOn": stamp(shift.created),
        "updatedOn": stamp(shift.modified),
    }


def _attendance(shift: Shift, now: datetime) -> str:
    if shift.paid_time_off:
        return "PTO"
    if shift.start > now:
        return "SCHEDULED"
    if shift.end > now:
        return "IN_PROGRESS" if shift.sessions else "LATE"
    return "MISSED" if shift.missed else "COMPLETED"
