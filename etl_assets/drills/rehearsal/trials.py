"""Services with several tenants: two instances of a trial system, and a location with contacts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from etl_assets.declare.endpoints import Job
from etl_assets.declare.rest import RestTable
from etl_assets.drills.rehearsal.comparison import TableTruth
from etl_assets.sandbox.gohighlevel.contacts import Location
from etl_assets.sandbox.gohighlevel.service import Service as ContactService
from etl_assets.sandbox.trialsync.books import STUDY, Scale
from etl_assets.sandbox.trialsync.service import Instances
from etl_assets.sources.gohighlevel import SOURCE as GOHIGHLEVEL
from etl_assets.sources.trialsync import SOURCE as TRIALSYNC
from etl_assets.warehouse.relation import Relation

SCALE = Scale(patients=12, studies=3, subjects=15, visits=3)
CONTACTS = 700
"""More than a page of them."""
DOCUMENT = "data"


class TrialOffice:
    """Two instances with the same ids and other contents. They end with `close`."""

    source = TRIALSYNC
    run_words: Sequence[str] = ()
    whole_words: Sequence[str] = ()

    def __init__(self) -> None:
        self.instances = Instances(SCALE)
        rates = {f"ETL_TRIALSYNC_{name.upper()}_REQUESTS_PER_SECOND": "100000" for name in self.instances.services}
        self.environment: Mapping[str, str] = {**self.instances.settings, **rates}
        self._changes = 0

    def change(self) -> None:
        """Days go by at both; a study is changed."""
        self._changes += 1
        for service in self.instances.services.values():
            service.books.advance(7)
            service.books.change("studies", STUDY + self._changes % SCALE.studies)

    def close(self) -> None:
        """Serve no longer."""
        self.instances.__exit__()

    def truths(self) -> Iterator[TableTruth]:
        """The records of the lists that are asked for as such, of both instances together."""
        for table in TRIALSYNC.tables:
            rest = TRIALSYNC.rest_table(table.name)
            if len(rest.jobs) == 1 and _is_taken_whole(rest, rest.jobs[0]):
                path = rest.jobs[0].endpoint.path.removeprefix("api/v1/").strip("/")
                found = [
                    document if isinstance(document, dict) else {"name": document}
                    for service in self.instances.services.values()
                    for document in service.documents(path)
                ]
                yield _records(rest, TRIALSYNC.schema, found)


class ContactBook:
    """A location's contacts. It ends with `close`."""

    source = GOHIGHLEVEL
    run_words: Sequence[str] = ()
    whole_words: Sequence[str] = ()

    def __init__(self, seed: int) -> None:
        self.location = Location(seed, contacts=CONTACTS)
        self.service = ContactService(self.location, burst_calls=100_000)
        self.environment: Mapping[str, str] = self.service.settings()

    def change(self) -> None:
        """Contacts are added, edited and removed."""
        with self.location.lock:
            self.location.contacts += 5
            self.location.revised.add(self.location.contacts // 3)
            self.location.removed.add(self.location.contacts // 2)

    def close(self) -> None:
        """Serve no longer."""
        self.service.close()

    def truths(self) -> Iterator[TableTruth]:
        """Every contact, and every custom field."""
        with self.location.lock:
            contacts = list(self.location.after(None))
            fields = self.location.custom_fields()
        for table, found in zip(GOHIGHLEVEL.tables, (contacts, fields), strict=True):
            yield _records(GOHIGHLEVEL.rest_table(table.name), GOHIGHLEVEL.schema, found)


def _is_taken_whole(table: RestTable, job: Job) -> bool:
    """Whether a table has all that one list gives, as it gives it."""
    return job.is_active and not job.endpoint.per and not table.never_load


def _records(table: RestTable, schema: str, found: list[dict[str, Any]]) -> TableTruth:
    return TableTruth(
        relation=Relation(schema, table.name),
        columns=[table.document_column],
        keys=[],
        rows=([json.dumps(document)] for document in found),
        current_rows=table.current_rows,
    )
