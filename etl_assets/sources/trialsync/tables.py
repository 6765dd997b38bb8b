"""TrialSync tables: the configured jobs of `jobs.csv`, and what identifies the records of each table.

A record is known by its own `id`, behind the ids of its parents where it is asked for by parent: a role or an arm may
be the same for several studies. What has no `id` is named here, with what is unique about it instead.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from etl_assets.declare.endpoints import (
    Bare,
    ChangedSince,
    Job,
    OData,
    ODataList,
    OnePage,
    Single,
    Values,
)
from etl_assets.declare.job_list import OWN_ID, Shapes, column_of, read_jobs
from etl_assets.declare.rest import RestTable, fields
from etl_assets.declare.tables import Field, Full

SHAPES: Shapes = {
    "odata": (ODataList(), OData()),
    "array": (Bare(), OnePage()),
    "object": (Single(), OnePage()),
    "strings": (Values(field="name"), OnePage()),
    # Of a path that the vendor does not have, nobody knows.
    "": (Bare(), OnePage()),
}
JOBS = read_jobs(Path(__file__).with_name("jobs.csv"), SHAPES)
MAX_LOST = 0.5
"""Lists of this vendor grow; one that loses half of its records is not believed."""

_ID = Field(name=OWN_ID, type="bigint", path="id")
_PASCAL_ID = Field(name=OWN_ID, type="bigint", path="Id")
_STUDY = Field(name="study_id", type="bigint", path="study.id")
_CONTENT = Field(name="content", type="uuid", path="")
"""All of the record: nothing else tells one from another."""

UNLIKE_THE_OTHERS: dict[str, tuple[Field, ...]] = {
    # The list of all and the lists by subject give the same visits, which know whose they are.
    "dim_patient_visits_staging": (_ID,),
    "dim_study_arms_staging": (_STUDY, _PASCAL_ID),
    "dim_study_visit_arms_staging": (_STUDY, _PASCAL_ID),
    "dim_system_organizations_staging": (_PASCAL_ID,),
    "dim_study_personnel_staging": (_STUDY, Field(name="role_id", type="bigint", path="Role.Id")),
    "dim_study_warnings_staging": (_STUDY, _CONTENT),
    "dim_study_integration_info_staging": (_STUDY,),
    "dim_subject_statuses_staging": (
        _STUDY,
        Field(name="subject_id", type="bigint", path="subject.Id"),
        Field(name="status", type="text", path="status"),
        Field(name="event_date", type="text", path="eventDate"),
    ),
    "dim_visit_element_relationships_staging": (
        _STUDY,
        Field(name="visit_id", type="bigint", path="visit.id"),
        Field(name="element_id", type="bigint", path="element.id"),
    ),
    "dim_system_lookup_lists_staging": (Field(name="name", type="text", path="name"),),
    "dim_instance_details_staging": (Field(name="instance_uid", type="text", path="instanceUID"),),
    "dim_instance_topology_staging": (Field(name="record", type="text", path="record"),),
}
"""The keys of tables whose records are not known by `id` and the parents in the path."""

NEVER_LOAD: dict[str, tuple[str, ...]] = {
    "dim_patients_staging": ("ssn", "primaryInsurance.account", "secondaryInsurance.account"),
}
"""What must not reach the warehouse: numbers that open somebody's accounts, and that no report asks for."""
PERSONAL = {
    "dim_patients_staging": "names, addresses, phones, birth dates, guardians, and custom fields with anything in them",
    "dim_subjects_staging": "names and birth dates of the patients, and what is told of them",
    "dim_appointments_staging": "names of the patients",
    "dim_subject_statuses_staging": "names of the subjects",
    "dim_patient_visits_staging": "names of the subjects",
    "dim_patient_visit_stipends_staging": "what a patient was paid, with the numbers of cheques and transactions",
    "dim_queries_staging": "questions about what was written down of subjects, in free text",
    "dim_monitor_queries_staging": "the same",
    "fact_study_documents_staging": "notes on a study, in free text",
    "dim_staff_staging": "names, logins and addresses of those who work there",
    "dim_monitors_staging": "names",
    "dim_providers_staging": "names, addresses and phones of physicians",
    "dim_study_personnel_staging": "names and logins",
    "dim_study_roles_staging": "names and logins",
}
"""Tables whose documents tell of people, or may. So do those that are asked for by patient, and those of which nobody
knows what would be in them. A study, an action or a document may name in passing who is in charge of it."""

RULE_FIELDS: dict[str, tuple[Field, ...]] = {
    "dim_studies_staging": fields(
        text="name status", bigint="sponsor.id managingSite.id", timestamptz="createdOn lastUpdatedOn"
    ),
    "dim_sites_staging": fields(text="name timeZone"),
    "dim_patients_staging": fields(
        text="status displayName mrn", bigint="primarySite.id", date="dateOfBirth dateOfDeath"
    ),
    "dim_subjects_staging": fields(
        text="status screeningNumber", bigint="site.id patient.id", date="enrollmentDate patient.dateOfBirth"
    ),
    "dim_subject_statuses_staging": (Field(name="event_day", type="date", path="eventDate"),),
    "dim_visits_staging": fields(text="name"),
    "dim_patient_visits_staging": fields(
        text="status", bigint="study.id subject.Id visitId", date="targetDueDate minDueDate maxDueDate"
    ),
    "dim_appointments_staging": fields(
        text="status", bigint="study.id site.id patient.id", timestamptz="plannedStart plannedEnd"
    ),
    "dim_elements_staging": fields(text="name", bigint="study.id"),
    "dim_patient_visit_elements_staging": fields(bigint="elementId", date="completedOn"),
}
"""What rules read out of records."""
PERSONAL_FIELDS: dict[str, tuple[str, ...]] = {
    "dim_patients_staging": ("display_name", "mrn", "date_of_birth", "date_of_death"),
    "dim_subjects_staging": ("patient_date_of_birth",),
}
"""Of these, what no finding may show."""


def _key(jobs: list[Job]) -> tuple[Field, ...]:
    """The key of a table: of the job that the vendor answers, where one of them is made up."""
    table = jobs[0].table
    if table in UNLIKE_THE_OTHERS:
        return UNLIKE_THE_OTHERS[table]
    job = next((job for job in jobs if job.record), jobs[0])
    parents = [Field(name=name, type="bigint", path=name) for name in (column_of(each.name) for each in job.parameters)]
    return (*parents, _ID)


CHANGES = {
    "dim_studies_staging": ChangedSince(stamp="lastUpdatedOn", whole_every=timedelta(hours=20)),
}
"""Lists whose records say when they were changed, which are those of studies alone. What is read in a night is read
whole, and what is read in between only as it has changed."""
CONSTANTS = {"dim_instance_topology_staging": {"record": "topology"}}
"""Keys of tables with one record, which has nothing of its own that tells it."""


def _tells_of_people(jobs: list[Job]) -> bool:
    answered = [job for job in jobs if job.record]
    of_patients = any(each.table == "dim_patients_staging" for job in answered for each in job.parameters)
    return jobs[0].table in PERSONAL or of_patients or not answered


def _why_empty(jobs: list[Job]) -> str:
    """Of a table that no job fills as it is declared."""
    if not any(job.record for job in jobs):
        return "Clinical Conductor does not offer it."
    if any(job.is_active for job in jobs):
        return ""
    return " ".join(f"Job {job.id} is off: {job.why_off}." for job in jobs)


def _keyed(job: Job, key: tuple[Field, ...]) -> Job:
    """The job, its pages asked for in the order of the key: in no order, a page may give again what another gave."""
    if constants := CONSTANTS.get(job.table):
        return replace(job, endpoint=replace(job.endpoint, constants=constants))
    if not isinstance(job.endpoint.paging, OData):
        return job
    given = {column_of(each.name) for each in job.parameters}
    order = tuple(each.path.replace(".", "/") for each in key if each.path and each.name not in given)
    paging = replace(job.endpoint.paging, order_by=order)
    return replace(job, endpoint=replace(job.endpoint, paging=paging, changes=CHANGES.get(job.table)))


def _table(jobs: list[Job]) -> RestTable:
    key, name = _key(jobs), jobs[0].table
    jobs = [_keyed(job, key) for job in jobs]
    return RestTable(
        name=name,
        description=f"{', '.join(dict.fromkeys(job.name for job in jobs))}, as Clinical Conductor has them.",
        key=tuple(each.name for each in key),
        load=Full(shrink_floor=1 - MAX_LOST),
        endpoint=jobs[0].endpoint,
        fields=(*key, *RULE_FIELDS.get(name, ())),
        jobs=jobs,
        never_load=NEVER_LOAD.get(name, ()),
        personal=PERSONAL_FIELDS.get(name, ()),
        personal_document=_tells_of_people(jobs),
        unoffered=_why_empty(jobs),
    )


def _tables() -> tuple[RestTable, ...]:
    by_table: dict[str, list[Job]] = defaultdict(list)
    for job in sorted(JOBS, key=lambda job: (job.phase, job.id)):
        by_table[job.table].append(job)
    return tuple(_table(jobs) for jobs in by_table.values())


TABLES = _tables()
