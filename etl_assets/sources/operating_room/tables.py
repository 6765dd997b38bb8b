"""Tables of the operating room: columns, keys, and the date that each is partitioned by.

Three kinds of file. Times are the site's wall clock, as the hospital wrote them; `time_zone` is the feed's,
so that a duration over the night the clocks change can still be exact. `or_schedule` carries no room id:
the models join it by room and location name.
"""

from datetime import date

from etl_assets.declare.files import FileTable, PerFile
from etl_assets.declare.tables import columns

START = date(2000, 1, 1)
SITE = {"site_id": ("location_id", "location_name")}
"""Whose ids these are. Cases, rooms, surgeons and blocks of two sites may have the same ids and nothing else in common;
a sender whose ids are the same ones in all its locations says so by a constant `site_id` in its feeds."""

TABLES = (
    FileTable(
        name="block_schedule",
        description="The block schedule: which service, group or surgeon owns which room from when to when.",
        key=("site_id", "schedule_date", "room_id", "slot_start_time"),
        fallbacks=SITE,
        load=PerFile(slice_by="schedule_date", start=START),
        columns=columns(
            date="schedule_date",
            text="room_id room_name slot_type",
            time="slot_start_time slot_end_time",
            boolean="is_public_slot",
        )
        + columns(
            text="service_code surgeon_id group_id block_key block_title block_abbreviation time_off_reason_code"
            " comments deployment_id responsible_provider_id provider_name location_name location_abbr pos_type",
            timestamp="released_at",
        )
        + columns(text="time_zone location_id site_id"),
        personal=("provider_name",),
    ),
    FileTable(
        name="or_case",
        description="Surgical cases, with every time from holding area to recovery.",
        key=("site_id", "case_id"),
        fallbacks=SITE,
        indexes=[("site_id", "location_name")],
        load=PerFile(slice_by="surgery_date", start=START),
        columns=columns(
            text="case_id log_id patient_id enc_csn_id orl_csn orl_log_name or_case_id",
            timestamp="hosp_admsn_time hosp_disch_time",
        )
        + columns(
            text="hsp_account_id pat_class_code pat_class_name case_type_code case_type_name case_class_name"
            " orl_pat_type_name",
            date="surgery_date",
        )
        + columns(
            text="room_id room_name location_id location_name primary_surgeon primary_surgeon_npi"
            " primary_surgeon_prov_id primary_surgeon_specialty case_service sched_status cancel_name cancel_code"
            " cancel_desc",
            timestamp="periop_arrival preop_in preop_out or_in anes_start proc_start proc_closing proc_end or_out"
            " anes_end pacu_in pacu_out pacu2_in pacu2_out proc_care_complete sched_start_time",
            integer="sched_duration",
        )
        + columns(
            timestamp="record_create_date",
            integer="setup_offset cleanup_offset",
        )
        + columns(
            timestamp="panel1_start_at",
            text="destination enc_discharge_dept",
            integer="num_of_panels",
        )
        + columns(text="primary_procedure primary_procedure_code asa_rating_code asa_code_name time_zone site_id"),
        personal=(
            *("patient_id", "enc_csn_id", "orl_csn", "orl_log_name", "hsp_account_id"),
            *("primary_surgeon", "primary_surgeon_npi"),
        ),
    ),
    FileTable(
        name="or_schedule",
        description="How each case was booked, moved and cancelled.",
        key=("site_id", "or_case_id"),
        fallbacks=SITE,
        load=PerFile(slice_by="surgery_date", start=START),
        columns=columns(
            text="or_case_id log_id patient_id primary_surgeon_id primary_surgeon_name primary_surgeon_npi"
            " primary_surgeon_specialty",
            date="surgery_date",
            timestamp="case_created_date",
        )
        + columns(
            date="requested_date",
            time="requested_time",
            text="room_name location_name",
            timestamp="projected_start_time projected_end_time",
        )
        + columns(
            text="case_service pat_class_name sched_status case_cancel_reason_code case_cancel_reason cancel_user_id"
            " cancel_comments",
            timestamp="cancel_date",
        )
        + columns(
            text="anes_type",
            timestamp="sched_start_time",
            integer="sched_duration setup_offset cleanup_offset num_of_panels",
        )
        + columns(timestamp="panel1_start_at", text="primary_proc_name")
        + columns(timestamp="record_update_dt", text="time_zone location_id site_id"),
        personal=("patient_id", "cancel_comments", "primary_surgeon_name", "primary_surgeon_npi"),
    ),
)
