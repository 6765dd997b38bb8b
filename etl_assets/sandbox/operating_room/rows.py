"""The rows of the three files: what an invented room-day says in a hospital's own columns."""

from datetime import date, timedelta

from etl_assets.sandbox.operating_room import hospital
from etl_assets.sandbox.operating_room.day import MIDNIGHT, Block, Case

_COLUMNS = {
    "block_schedule": (
        "schedule_date room_id room_name slot_type slot_start_time slot_end_time is_public_slot service_code surgeon_id"
        " group_id block_key block_title block_abbreviation comments responsible_provider_id provider_name"
        " location_name location_abbr pos_type released_at"
    ),
    "or_case": (
        "case_id log_id patient_id enc_csn_id or_case_id hosp_admsn_time hosp_disch_time hsp_account_id pat_class_code"
        " pat_class_name case_type_code case_type_name case_class_name orl_pat_type_name surgery_date room_id room_name"
        " location_id location_name primary_surgeon primary_surgeon_npi primary_surgeon_prov_id"
        " primary_surgeon_specialty case_service sched_status cancel_name cancel_code cancel_desc periop_arrival"
        " preop_in preop_out or_in anes_start proc_start proc_closing proc_end or_out anes_end pacu_in pacu_out"
        " pacu2_in pacu2_out proc_care_complete sched_start_time sched_duration record_create_date setup_offset"
        " cleanup_offset panel1_start_at destination enc_discharge_dept num_of_panels primary_procedure"
        " primary_procedure_code asa_rating_code asa_code_name"
    ),
    "or_schedule": (
        "or_case_id log_id patient_id primary_surgeon_id primary_surgeon_name primary_surgeon_npi"
        " primary_surgeon_specialty surgery_date case_created_date requested_date requested_time room_name"
        " location_name projected_start_time projected_end_time case_service pat_class_name sched_status"
        " case_cancel_reason_code case_cancel_reason cancel_user_id cancel_comments cancel_date anes_type"
        " sched_start_time sched_duration setup_offset cleanup_offset num_of_panels panel1_start_at"
        " primary_proc_name record_update_dt"
    ),
}
HEADERS = {table: tuple(names.split()) for table, names in _COLUMNS.items()}
KEYS = {
    "block_schedule": ("schedule_date", "room_id", "slot_start_time"),
    "or_case": ("case_id",),
    "or_schedule": ("or_case_id",),
}
DATES = {"block_schedule": "schedule_date", "or_case": "surgery_date", "or_schedule": "surgery_date"}
_SETUP, _CLEANUP = 15, 15


def room_id(room: int) -> str:
    """Such as OR-07."""
    return f"OR-{room:02d}"


def stamp(day: date, minute: int | None) -> str:
    """A minute after the day's midnight as a timestamp; an empty field where there is none."""
    return "" if minute is None else f"{day + timedelta(minute // MIDNIGHT)} {clock(minute)}"


def clock(minute: int) -> str:
    """The time of day of a minute, such as 07:05:00."""
    hour, rest = divmod(minute % MIDNIGHT, 60)
    return f"{hour:02d}:{rest:02d}:00"


def block_row(day: date, room: int, block: Block, *, as_of: date | None = None) -> dict[str, str]:
    """A row of the block schedule; with `as_of`, as it was known when that day began."""
    released = block.released if as_of is None or told_by(day, block.released, as_of) else None
    location, location_name = hospital.location_of(room)
    service, surgeon = block.service, block.surgeon
    title = "Open time" if service is None else f"{service.name} block"
    return {
        "schedule_date": day.isoformat(),
        "room_id": room_id(room),
        "room_name": f"OR {room}",
        "slot_type": "Open" if service is None else "Surgeon" if surgeon else "Service",
        "slot_start_time": clock(block.start),
        "slot_end_time": clock(block.end),
        "is_public_slot": "true" if service is None else "false",
        "service_code": service.code if service else "",
        "surgeon_id": surgeon or "",
        "group_id": f"GRP-{service.code}" if service and not surgeon else "",
        "block_key": f"{service.code if service else 'OPEN'}-{room:02d}-{day.weekday() + 1}",
        "block_title": f"{hospital.surgeon_name(surgeon)}, {title}" if surgeon else title,
        "block_abbreviation": service.code if service else "OPEN",
        "comments": "" if released is None else "Given back by its owner, open to all",
        "responsible_provider_id": surgeon or "",
        "provider_name": hospital.surgeon_name(surgeon) if surgeon else "",
        "location_name": location_name,
        "location_abbr": location,
        "pos_type": "Operating room",
        "released_at": stamp(day, released),
    }


def case_row(day: date, room: int, case: Case) -> dict[str, str]:
    """A row of the cases: who, where, and every time point that came about."""
    location, location_name = hospital.location_of(room)
    points, reason = case.points, case.reason
    outpatient = "pacu2_out" in points
    emergency = case.urgency in {"Urgent", "Emergent"}
    end = points.get("proc_care_complete")
    asa_code, asa_name = hospital.ASA[case.asa]
    return {
        "case_id": f"C{case.number}",
        "log_id": f"L{case.number}" if case.done else "",
        "patient_id": f"PAT-{case.patient:06d}",
        "enc_csn_id": f"ENC-{case.number}",
        "or_case_id": f"S{case.number}",
        "hosp_admsn_time": stamp(day, points["periop_arrival"] - 10) if points else "",
        "hosp_disch_time": "" if end is None else stamp(day, end + (20 if outpatient else 2 * MIDNIGHT)),
        "hsp_account_id": f"ACC-{case.number}",
        "pat_class_code": "E" if emergency else "O" if outpatient else "I",
        "pat_class_name": _patient_class(case),
        "case_type_code": "2" if emergency else "1",
        "case_type_name": "Emergency" if emergency else "Planned",
        "case_class_name": case.urgency,
        "orl_pat_type_name": "Outpatient" if outpatient else "Inpatient",
        "surgery_date": day.isoformat(),
        "room_id": room_id(room),
        "room_name": f"OR {room}",
        "location_id": location,
        "location_name": location_name,
        "primary_surgeon": hospital.surgeon_name(case.surgeon),
        "primary_surgeon_npi": hospital.surgeon_npi(case.surgeon),
        "primary_surgeon_prov_id": case.surgeon,
        "primary_surgeon_specialty": case.service.name,
        "case_service": case.service.code,
        "sched_status": "Completed" if case.done else "Canceled",
        "cancel_name": reason.name if reason else "",
        "cancel_code": reason.code if reason else "",
        "cancel_desc": reason.description if reason else "",
        "sched_start_time": stamp(day, case.sched_start),
        "sched_duration": str(case.sched_duration),
        "record_create_date": stamp(day, case.booked_at),
        "setup_offset": str(_SETUP),
        "cleanup_offset": str(_CLEANUP),
        "panel1_start_at": stamp(day, case.sched_start + _SETUP),
        "destination": "" if not case.done else "Home" if outpatient else "Ward",
        "enc_discharge_dept": "" if not case.done else "Recovery" if outpatient else "Surgical ward",
        "num_of_panels": "1",
        "primary_procedure": case.procedure.name,
        "primary_procedure_code": case.procedure.code,
        "asa_rating_code": asa_code,
        "asa_code_name": asa_name,
        **{point: stamp(day, minute) for point, minute in points.items()},
        **case.overrides,
    }


def schedule_row(day: date, room: int, case: Case, *, as_of: date | None = None) -> dict[str, str]:
    """A row of the schedule: how the case was booked, and cancelled; with `as_of`, as known when that day began."""
    reason, cancelled_at, status = case.reason, case.cancelled_at, "Completed" if case.done else "Canceled"
    updated = case.points.get("or_out", cancelled_at)
    if as_of is not None and not told_by(day, cancelled_at, as_of):
        reason, cancelled_at, status, updated = None, None, "Scheduled", case.booked_at
    return {
        "or_case_id": f"S{case.number}",
        "log_id": f"L{case.number}" if status == "Completed" else "",
        "patient_id": f"PAT-{case.patient:06d}",
        "primary_surgeon_id": case.surgeon,
        "primary_surgeon_name": hospital.surgeon_name(case.surgeon),
        "primary_surgeon_npi": hospital.surgeon_npi(case.surgeon),
        "primary_surgeon_specialty": case.service.name,
        "surgery_date": day.isoformat(),
        "case_created_date": stamp(day, case.booked_at),
        "requested_date": day.isoformat(),
        "requested_time": clock(case.sched_start),
        "room_name": f"OR {room}",
        "location_name": hospital.location_of(room)[1],
        "projected_start_time": stamp(day, case.sched_start),
        "projected_end_time": stamp(day, case.sched_start + case.sched_duration),
        "case_service": case.service.code,
        "pat_class_name": _patient_class(case),
        "sched_status": status,
        "case_cancel_reason_code": reason.code if reason else "",
        "case_cancel_reason": reason.name if reason else "",
        "cancel_user_id": "USR-DESK" if reason else "",
        "cancel_comments": reason.description if reason else "",
        "cancel_date": stamp(day, cancelled_at),
        "anes_type": hospital.ANESTHESIA[int(case.number) % 7 % len(hospital.ANESTHESIA)],
        "sched_start_time": stamp(day, case.sched_start),
        "sched_duration": str(case.sched_duration),
        "setup_offset": str(_SETUP),
        "cleanup_offset": str(_CLEANUP),
        "num_of_panels": "1",
        "panel1_start_at": stamp(day, case.sched_start + _SETUP),
        "primary_proc_name": case.procedure.name,
        "record_update_dt": stamp(day, updated),
    }


def told_by(day: date, minute: int | None, as_of: date) -> bool:
    """Whether something that came about at this minute was known when the day `as_of` began."""
    return minute is not None and day + timedelta(minute // MIDNIGHT) < as_of


def _patient_class(case: Case) -> str:
    if case.urgency in {"Urgent", "Emergent"}:
        return "Emergency"
    return "Outpatient" if "pacu2_out" in case.points else "Inpatient"
