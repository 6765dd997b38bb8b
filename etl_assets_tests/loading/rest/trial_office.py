"""An invented trial office with two tenants behind HTTP, its list of jobs, and a desk that loads them."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from etl_assets.declare.dates import Span
from etl_assets.declare.endpoints import Bare, OnePage, Single
from etl_assets.declare.job_list import COLUMNS, OWN_ID, read_jobs
from etl_assets.declare.rest import RestTable
from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Field, Full
from etl_assets.loading.report import LoadReport
from etl_assets.loading.rest.load import RestStrategy
from etl_assets.readers.rest.auth import ApiKey
from etl_assets.readers.rest.client import HttpClient, RetryPolicy
from etl_assets.readers.rest.reader import RestReader
from etl_assets.settings import Settings
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.ledger import open_batch
from etl_assets_tests.loading.runs import load_by
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, Script, json_answer, stand_in

TENANTS = {"key-of-the-north": "north", "key-of-the-south": "south"}
TODAY = Span(date(2026, 3, 1), date(2026, 3, 1))
IMPATIENT = RetryPolicy(max_attempts=2, initial_backoff=timedelta(0), max_backoff=timedelta(0))
SHAPES = {"array": (Bare(), OnePage()), "object": (Single(), OnePage()), "": (Bare(), OnePage())}
HEADER = "|".join(COLUMNS)
STUDY = "studyId=studies_staging.data->>'id'"
OF_SUBJECT = "/studies/{studyId}/subjects/{subjectId}"
SUBJECT = "subjectId=subjects_staging.data->>'id' studyId=subjects_staging.data->'study'->>'id'"
LIST = f"""{HEADER}
1|Studies|/studies|studies_staging|yes|no||dimension|0|array|Study||||
2|Subjects|/studies/{{studyId}}/subjects|subjects_staging|yes|yes|{STUDY}|dimension|1|array|Subject||||
3|Visits|{OF_SUBJECT}/visits|visits_staging|yes|yes|{SUBJECT}|fact|2|array|Visit||||
4|All visits|/visits|visits_staging|yes|no||fact|1|array|Visit||||
5|Forms|/forms|forms_staging|yes|no||dimension|1||||||
6|Payments|/payments|payments_staging|yes|no||fact|1|array|Payment||||
7|Users|/users|users_staging|no|no||dimension|1||||||Invalid endpoint (404)
8|Screenings|/studies/{{studyId}}/screenings|screenings_staging|yes|yes|{STUDY}|fact|1||||||
"""
_ID = Field(name=OWN_ID, type="bigint", path="id")
_STUDY = Field(name="study_id", type="bigint", path="study.id")
KEYS = {
    "subjects_staging": (_STUDY, _ID),
    "screenings_staging": (_STUDY, _ID),
}


def connect_office(given):
    client = HttpClient(given["url"], auth=ApiKey("X-Api-Key", given["key"]), retry_policy=IMPATIENT)
    return RestReader(client, connections=3)


def source_of(folder: Path, text: str = LIST) -> Source:
    """The source that a list of jobs makes."""
    path = folder / "jobs.csv"
    path.write_text(text)
    jobs = read_jobs(path, SHAPES)
    return Source(
        name="office",
        title="Trial office",
        schema="office_raw",
        reader=Service(
            connect=connect_office, required_settings=("url", "key"), cron="15 * * * *", sweep_cron="0 3 * * 0",
            start=date(2026, 1, 1), instances=True, parallel_requests=4,
        ),
        tables=tuple(
            RestTable(
                name=name,
                key=tuple(each.name for each in KEYS.get(name, (_ID,))),
                fields=KEYS.get(name, (_ID,)),
                load=Full(shrink_floor=0.5),
                never_load=("ssn",),
                endpoint=next(job for job in jobs if job.table == name).endpoint,
                jobs=tuple(job for job in jobs if job.table == name),
            )
            for name in dict.fromkeys(job.table for job in jobs)
        ),
        rules=(),
        owner="team:trials",
        fresh_within=timedelta(hours=3),
    )  # fmt: skip


def lists_of(tenant: str, *, studies: int, subjects: int, visits: int) -> dict[str, list[Any]]:
    """What a tenant has; all have the same ids, and a subject's id repeats under each study."""
    lists: dict[str, list[Any]] = {"studies": [{"id": at, "name": f"{tenant} {at}"} for at in range(studies)]}
    lists["visits"] = []
    for study in range(studies):
        of_study = {"id": study}
        lists[f"studies/{study}/subjects"] = [
            {"id": at, "study": of_study, "name": f"{tenant} {study}/{at}"} for at in range(subjects)
        ]
        for subject in range(subjects):
            number = (study * subjects + subject) * visits
            seen = [{"id": number + at, "name": f"{tenant} visit {at}"} for at in range(visits)]
            lists[f"studies/{study}/subjects/{subject}/visits"] = seen
            lists["visits"] += seen
    return lists


@dataclass
class Office:
    """The service, and the loader that asks it."""

    settings: Settings
    source: Source
    lists: dict[str, dict[str, list[Any]]]
    statuses: dict[str, int] = field(default_factory=dict)
    """What is said to requests for a path instead of an answer."""
    broken: dict[str, bytes] = field(default_factory=dict)
    """Bodies that are no JSON, by path."""
    down: set[str] = field(default_factory=set)
    kill_after: int | None = None
    """Requests after which the child that loads is killed."""
    child: int = 0
    requests: Counter[str] = field(default_factory=Counter)
    """Requests so far, by path."""
    script: Script | None = None
    """Who answers in its place."""

    def __call__(self, asked: Asked) -> Answer:
        return self.script(asked) if self.script else self.answer(asked)

    def answer(self, asked: Asked) -> Answer:
        """What the office itself says."""
        tenant, path = TENANTS[asked.headers["X-Api-Key"]], asked.path.lstrip("/")
        self.requests[path] += 1
        if self.child and self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after == 0:
                os.kill(self.child, signal.SIGKILL)
        if tenant in self.down:
            return Answer(hang_up=True)
        if path in self.broken:
            return Answer(body=self.broken[path])
        if path in self.statuses:
            return Answer(status=self.statuses[path], body=b"{}", headers={"Content-Type": "application/json"})
        if path not in self.lists[tenant]:
            return Answer(status=404, body=json.dumps({"Message": "No HTTP resource was found"}).encode())
        return json_answer(self.lists[tenant][path])

    def load(self, *tables: str, **options: Any) -> dict[str, LoadReport]:
        names = tables or [table.name for table in self.source.tables]
        with open_batch(self.settings, self.source.name, "load") as batch:
            return load_by(RestStrategy, self.settings, self.source, names, span=TODAY, batch=batch, **options)

    def load_in_a_child(self) -> int:
        """Load all in a process of its own; returns how that ended, as `waitpid` has it."""
        self.child = os.fork()
        if self.child == 0:
            try:
                self.load()
            finally:
                os._exit(0)
        _, status = os.waitpid(self.child, 0)
        self.child = 0
        return status

    def query(self, question: str) -> list[tuple]:
        with connect(self.settings, role=None) as connection:
            return connection.execute(question).fetchall()

    def execute(self, statement: str) -> None:
        with connect(self.settings, role=None, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def given(self) -> dict[str, str]:
        """The environment; it may be changed."""
        return self.settings.given  # type: ignore[return-value]

    def held(self, table: str) -> list[tuple[str, str]]:
        """Instance and document of each record that is there."""
        return self.query(
            "select instance.name, data ->> 'name' from office_raw." + table + " join etl.source_instance as instance"
            " on instance_id = source_instance_id where vanished_at is null order by 1, 2"
        )


@contextmanager
def open_office(
    settings: Settings, folder: Path, *, studies: int = 4, subjects: int = 3, visits: int = 2
) -> Iterator[Office]:
    """The office on a free port, with two tenants."""
    lists = {tenant: lists_of(tenant, studies=studies, subjects=subjects, visits=visits) for tenant in TENANTS.values()}
    office = Office(settings, source_of(folder), lists)
    with stand_in(office) as server, connect(settings, role=None) as connection:
        connection.execute("create schema office_raw authorization etl_loader")
        connection.commit()
        given = {"ETL_OFFICE_INSTANCES": "north,south"}
        for name in ("north", "south"):
            given[f"ETL_OFFICE_{name.upper()}_URL"] = server.url
            given[f"ETL_OFFICE_{name.upper()}_KEY"] = f"key-of-the-{name}"
        office.settings = replace(settings, given=given)
        yield office
