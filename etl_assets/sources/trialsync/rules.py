"""TrialSync rules: what must be true of the records of Clinical Conductor.

Ids repeat from one instance to another, so what a record refers to is looked for at its own instance. The tables of one
instance are read phase by phase, parents first: what a record names has been read before it.
"""

from datetime import timedelta

from etl_assets.declare.rest import INSTANCE_ID
from etl_assets.declare.rules import DateWithin, Finds, InOrder, OneOf, Required, RowCheck, Rule
from etl_assets.declare.rules_between import RefersTo, Unique

SUBJECT_STATUSES = (
    "Prescreened", "Screened", "Randomized", "Dropped", "Completed", "ScreenFailed", "NonQualified", "RunIn",
    "RunInFailed", "FollowUp",
)  # fmt: skip
PATIENT_STATUSES = ("Active", "Inactive", "OnHold", "Deceased", "Ineligible")
APPOINTMENT_STATUSES = ("Unknown", "Pending", "Completed", "Started", "Cancelled", "NoShow")
VISIT_STATUSES = ("Unknown", "Pending", "Completed", "Started")
AHEAD = timedelta(days=1)
"""Where it is a day later than in UTC, something may have happened tomorrow."""


def _unknown(what: str, table: str, column: str, *, field: str, why: str, within: tuple[str, ...] = ()) -> Rule:
    """A reference by id to a record of another table, at the same instance."""
    of = {"Study": "studies", "PatientVisit": "patient_visits"}.get(what, f"{what.lower()}s")
    return RefersTo(
        table=f"dim_{table}_staging",
        name=f"Unknown{what}",
        column=column,
        field=field,
        relation=f"trialsync_staging.dim_{of}_staging",
        key="entity_id",
        within=(INSTANCE_ID, *within),
        message=f"{field} {{{column}}} is not in the list of {of.replace('_', ' ')}",
        why=why,
    )


RULES: tuple[Rule, ...] = (
    Required(
        table="dim_studies_staging",
        name="MissingRequiredFields",
        columns=("name", "status"),
        why="Every report names a study, and tells by its status whether it enrols.",
    ),
    RowCheck(
        table="dim_studies_staging",
        name="StatusWithoutPlace",
        severity="warning",
        column="status",
        holds=r"status ~ '^\d\d\. '",
        message="status {status} does not begin with its place, such as 07.",
        why="Statuses of studies are free text with their place in front, by which reports sort and choose them.",
    ),
    InOrder(
        table="dim_studies_staging",
        name="InvalidTimeSequence",
        pairs=(("created_on", "last_updated_on"),),
        why="Studies alone say when they were changed; a stamp before the study was made says nothing.",
    ),
    _unknown(
        "Sponsor", "studies", "sponsor_id", field="sponsor.id",
        why="Who pays for the study has no address, and its studies are not summed up.",
    ),
    _unknown(
        "Site", "studies", "managing_site_id", field="managingSite.id",
        why="The site that manages the study is in no report of sites.",
    ),
    Required(
        table="dim_sites_staging",
        name="MissingRequiredFields",
        columns=("name", "time_zone"),
        why="Reports name a site, and the day of an appointment is that of its zone.",
    ),
    RefersTo(
        table="dim_sites_staging",
        name="UnknownTimeZone",
        column="time_zone",
        field="timeZone",
        relation="pg_catalog.pg_timezone_names",
        key="name",
        message="{time_zone} is no IANA time zone",
        why="The day of an appointment is then that of the var trialsync_time_zone, and in the evening another one.",
    ),
    Required(
        table="dim_patients_staging",
        name="MissingRequiredFields",
        columns=("status", "display_name"),
        why="A patient without a name cannot be told from another.",
    ),
    OneOf(
        table="dim_patients_staging",
        name="InvalidStatus",
        column="status",
        known=PATIENT_STATUSES,
        why="Who may be asked for a study is told by it.",
    ),
    DateWithin(
        table="dim_patients_staging",
        name="ImpossibleBirthDate",
        column="date_of_birth",
        first="1900-01-01",
        ahead=AHEAD,
        why="Ages are told by it, and with them who may be in a study.",
    ),
    RowCheck(
        table="dim_patients_staging",
        name="DiedBeforeBirth",
        exception_type="InvalidSequence",
        column="date_of_death",
        holds="date_of_death >= date_of_birth",
        message="died before birth",
        why="One of the two dates is wrong.",
    ),
    _unknown(
        "Site", "patients", "primary_site_id", field="primarySite.id",
        why="The patient is in no site's numbers.",
    ),
    Unique(
        table="dim_patients_staging",
        name="DuplicateMrn",
        severity="warning",
        column="mrn",
        within=(INSTANCE_ID,),
        where="mrn <> ''",
        message="the medical record number is that of {times} patients",
        why="One person was entered twice, and may be enrolled twice.",
    ),
    Required(
        table="dim_subjects_staging",
        name="MissingRequiredFields",
        columns=("status", "patient_id", "site_id"),
        why="Who the subject is, where it is seen and how things stand is what enrolment is counted by.",
    ),
    OneOf(
        table="dim_subjects_staging",
        name="InvalidStatus",
        column="status",
        known=SUBJECT_STATUSES,
        why="The flags of enrolment are made of it; another word is counted nowhere.",
    ),
    _unknown(
        "Study", "subjects", "study_id", field="study.id",
        why="The subject is counted under a study that no list has.",
    ),
    _unknown("Site", "subjects", "site_id", field="site.id", why="The subject is counted under no site."),
    _unknown(
        "Patient", "subjects", "patient_id", field="patient.id",
        why="The subject's patient has no record, and no status.",
    ),
    RowCheck(
        table="dim_subjects_staging",
        name="EnrolledBeforeBirth",
        exception_type="InvalidSequence",
        column="enrollment_date",
        field="enrollmentDate",
        holds="enrollment_date > patient_date_of_birth",
        message="enrolled on {enrollment_date}, which is not after the patient's birth",
        why="The age at enrolment is none. One of the two dates is wrong.",
    ),
    RowCheck(
        table="dim_subjects_staging",
        name="RandomizedWithoutEnrollment",
        exception_type="MissingValue",
        severity="warning",
        column="enrollment_date",
        field="enrollmentDate",
        value="status",
        holds="enrollment_date is not null or status not in ('Randomized', 'FollowUp', 'Completed')",
        message="is {status} and has no enrolment date",
        why="The subject is not counted as enrolled, though it came further than that.",
    ),
    Unique(
        table="dim_subjects_staging",
        name="DuplicateScreeningNumber",
        severity="warning",
        column="screening_number",
        field="screeningNumber",
        within=(INSTANCE_ID, "study_id"),
        where="screening_number <> ''",
        message="{screening_number} is the screening number of {times} subjects of study {study_id}",
        why="The sponsor knows subjects of a study by this number alone.",
    ),
    Finds(
        table="dim_subjects_staging",
        name="StatusIsNotTheLast",
        severity="warning",
        query="""
            select
                subject.row_key,
                'status' as field,
                subject.status as value,
                'is ' || subject.status || ', and the last of its statuses is ' || latest.statuses as message,
                subject.row_slice
            from looked_at as subject
            inner join (
                select
                    event.source_instance_id,
                    event.study_id,
                    event.subject_id,
                    string_agg(event.status, ' or ' order by event.status) as statuses,
                    array_agg(event.status) as all_statuses
                from (
                    select
                        *,
                        rank() over (
                            partition by source_instance_id, study_id, subject_id
                            order by case when pg_input_is_valid(event_date, 'timestamptz')
                                then event_date::timestamptz end desc nulls last
                        ) as place
                    from trialsync_staging.dim_subject_statuses_staging
                    where vanished_at is null
                ) as event
                where event.place = 1
                group by 1, 2, 3
            ) as latest
                on latest.source_instance_id = subject.source_instance_id
                and latest.study_id = subject.study_id
                and latest.subject_id = subject.entity_id
            where subject.status <> all(latest.all_statuses)
        """,
        why="What a subject is and what befell it are two lists. Where they disagree, a status was not recorded, or the"
        " two were read on both sides of a change.",
    ),
    OneOf(
        table="dim_subject_statuses_staging",
        name="InvalidStatus",
        column="status",
        known=SUBJECT_STATUSES,
        why="Milestones are the first days of these; another word is no milestone.",
    ),
    RowCheck(
        table="dim_subject_statuses_staging",
        name="InvalidEventDate",
        exception_type="OutOfRange",
        column="event_date",
        field="eventDate",
        holds="case when event_day between date '1990-01-01' and current_date + 1 then true else false end",
        message="eventDate {event_date} is no day up to today",
        why="An event of no day is in no timeline, and one that lies ahead has not happened.",
    ),
    _unknown(
        "Subject", "subject_statuses", "subject_id", field="subject.Id", within=("study_id",),
        why="What befell it is told of a subject that no list has.",
    ),
    Required(
        table="dim_visits_staging",
        name="MissingRequiredFields",
        columns=("name",),
        why="Schedules name a visit.",
    ),
    _unknown("Study", "visits", "study_id", field="study.id", why="The visit belongs to no protocol."),
    Required(
        table="dim_patient_visits_staging",
        name="MissingRequiredFields",
        columns=("study_id", "subject_id", "target_due_date"),
        why="A visit that is due on no day is never missed and never late.",
    ),
    OneOf(
        table="dim_patient_visits_staging",
        name="InvalidStatus",
        column="status",
        known=VISIT_STATUSES,
        why="Whether a visit was held is told by it.",
    ),
    InOrder(
        table="dim_patient_visits_staging",
        name="InvalidDateSequence",
        pairs=(
            ("min_due_date", "target_due_date"),
            ("target_due_date", "max_due_date"),
            ("min_due_date", "max_due_date"),
        ),
        why="A visit is in time between the two; where they are not in order, no day is.",
    ),
    _unknown(
        "Subject", "patient_visits", "subject_id", field="subject.Id", within=("study_id",),
        why="The visit is counted at no site.",
    ),
    _unknown(
        "Visit", "patient_visits", "visit_id", field="visitId", within=("study_id",),
        why="The visit is none of the protocol's.",
    ),
    Required(
        table="dim_appointments_staging",
        name="MissingRequiredFields",
        columns=("planned_start", "status"),
        why="An appointment without a day is on no schedule.",
    ),
    OneOf(
        table="dim_appointments_staging",
        name="InvalidStatus",
        column="status",
        known=APPOINTMENT_STATUSES,
        why="Who came and who did not is told by it.",
    ),
    RowCheck(
        table="dim_appointments_staging",
        name="EndsBeforeItBegins",
        exception_type="InvalidSequence",
        column="planned_end",
        field="plannedEnd",
        holds="planned_end > planned_start",
        message="ends at {planned_end} and begins at {planned_start}",
        why="An appointment that takes no time, or less, is in no room's hours.",
    ),
    _unknown("Study", "appointments", "study_id", field="study.id", why="Its study is in no list."),
    _unknown("Site", "appointments", "site_id", field="site.id", why="Its day is not that of its site."),
    _unknown("Patient", "appointments", "patient_id", field="patient.id", why="Nobody knows who is to come."),
    Required(
        table="dim_elements_staging",
        name="MissingRequiredFields",
        columns=("name",),
        why="What kind of thing an element is, its name says.",
    ),
    _unknown("Study", "elements", "study_id", field="study.id", why="The element belongs to no study."),
    DateWithin(
        table="dim_patient_visit_elements_staging",
        name="DoneAhead",
        column="completed_on",
        field="completedOn",
        first="1990-01-01",
        ahead=AHEAD,
        why="What lies ahead has not been done.",
    ),
    _unknown(
        "PatientVisit", "patient_visit_elements", "patient_visit_id", field="patient visit",
        why="It was done at a visit that no list has, of nobody knows which subject.",
    ),
    _unknown(
        "Element", "patient_visit_elements", "element_id", field="elementId",
        why="How long it takes as a rule, and its code, are not known.",
    ),
)  # fmt: skip
