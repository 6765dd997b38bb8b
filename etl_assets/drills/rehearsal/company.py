"""A guard company whose people change things in the billing periods that are open, behind a service."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from etl_assets.declare.dates import Span
from etl_assets.declare.rest import RestTable
from etl_assets.drills.rehearsal.comparison import TableTruth
from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.service import Service, serve
from etl_assets.sources.tracktik import SOURCE
from etl_assets.sources.tracktik.tables import CALENDAR
from etl_assets.warehouse.relation import Relation

PAGE = 25
"""Records of a page: lists have several."""
FORTNIGHT = timedelta(days=14)


class GuardCompany:
    """A company, and the service that tells of it. It ends with `close`."""

    source = SOURCE
    run_words: Sequence[str] = ()
    whole_words: Sequence[str] = ()

    def __init__(self, seed: int) -> None:
        today = CALENDAR.period_of(datetime.now(UTC).date())
        self._first, self._last = today.first - FORTNIGHT, today.last
        self.company = Company(seed, first=self._first, periods=2, clients=12, positions=14, shifts_a_day=4)
        self._random, self._edits = SeededRandom(seed, "rehearsal"), 0
        self.open()

    def open(self, port: int = 0) -> None:
        """Serve, at the same address as before where that is said."""
        self.service: Service = serve(self.company, port=port, most_per_page=PAGE)
        self.environment: Mapping[str, str] = {
            **self.service.credentials,
            "ETL_TRACKTIK_CALLS_PER_MINUTE": "60000",
        }

    def close(self) -> None:
        """Serve no longer."""
        self.service.close()

    def change(self) -> None:
        """Shifts are added, assigned, approved, moved and deleted, and members of every kind are renamed."""
        self._edits += 1
        company, at, word = self.company, datetime.now(UTC), f"changed {self._edits}"
        shifts = [shift.id for shift in company.shifts()]
        company.add_shift(self._one("positions"), self._one("employees"), self._moment(), 8, at=at)
        company.approve_hours(self._random.choice(shifts), 7, at=at)
        company.assign_shift(self._random.choice(shifts), None, at=at)
        company.move_shift(self._random.choice(company.shifts(self._first, self._first + FORTNIGHT)).id, 3, at=at)
        company.delete_shift(shifts[self._edits % len(shifts)], at=at)
        company.change_employee(self._one("employees"), at=at, firstName=word)
        company.change_client(self._one("clients"), at=at, name=word)
        company.rename_region(self._one("regions"), word, at=at)

    def _moment(self) -> datetime:
        start = datetime.combine(self._first, datetime.min.time(), UTC)
        return start + timedelta(days=self._random.randint(1, 12), hours=self._random.randint(6, 18))

    def _one(self, path: str) -> int:
        return self._random.choice(sorted(self.company.documents(path)))

    def truths(self) -> Iterator[TableTruth]:
        """Every record of every list, as the service gives it."""
        for table in SOURCE.tables:
            documents = self._documents(SOURCE.rest_table(table.name))
            yield TableTruth(
                relation=Relation(SOURCE.schema, table.name),
                columns=["id", "raw_data"],
                keys=["id"],
                rows=([str(number), json.dumps(document)] for number, document in documents.items()),
                current_rows=table.current_rows + " and vanished_at is null",
            )

    def _documents(self, table: RestTable) -> dict[int, dict[str, Any]]:
        endpoint, found = table.endpoint, {}
        for span in self._spans(table):
            window = {endpoint.window: f"{span.first}|{span.last}"} if span and endpoint.window else {}
            for document in self.service.documents(endpoint.path, {**endpoint.parameters, **window}):
                found[int(document["id"])] = document
        return found

    def _spans(self, table: RestTable) -> Iterator[Span | None]:
        """The service gives a month at the most; a sum may lie a week before the first shift."""
        if table.window is None:
            yield None
            return
        first = self._first - FORTNIGHT
        while first <= self._last + FORTNIGHT:
            yield Span(first, first + FORTNIGHT - timedelta(days=1))
            first += FORTNIGHT
