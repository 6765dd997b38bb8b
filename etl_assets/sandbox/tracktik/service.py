"""The service: answers as the workforce API does, bad manners included, for an invented company."""

import json
import shlex
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from etl_assets.sandbox.faults import Fault, Faults
from etl_assets.sandbox.pace import Pace
from etl_assets.sandbox.tracktik.answers import problem, single
from etl_assets.sandbox.tracktik.company import Company
from etl_assets.sandbox.tracktik.faults import KINDS, TOKEN
from etl_assets.sandbox.tracktik.gate import CREDENTIALS, Gate
from etl_assets.sandbox.tracktik.lists import Lists
from etl_assets.sandbox.tracktik.query import Query, Refused, read_one, read_query, read_regions
from etl_assets.sandbox.tracktik.resources import RESOURCES
from etl_assets.sandbox.tracktik.selection import select_one
from etl_assets.sandbox.transport import Answer, Request, RunningService

BASE, PORT = "/rest/v1", 8089
_TOKEN_ADDRESSES = (f"{BASE}/{TOKEN}", f"/rest/{TOKEN}")
"""Tokens are given out above the base, and callers look for them below it."""


@dataclass(frozen=True)
class Asked:
    """A request that came, and the status it was answered with; 0 where the connection was dropped."""

    method: str
    path: str
    """Below the base: `shifts`, `shifts/5`, `oauth2/access_token`."""
    query: Mapping[str, str]
    status: int
    when: datetime


class Service(RunningService):
    """The service, for a company."""

    def __init__(
        self, company: Company, *, port: int, latency: float, gate: Gate, pace: Pace, most_per_page: int
    ) -> None:
        self.company, self.faults = company, Faults(KINDS, spared=TOKEN)
        self.requests: list[Asked] = []
        """What was asked, in the order of the answers."""
        self._latency, self._gate, self._pace, self._most = latency, gate, pace, most_per_page
        self._lists = Lists(company)
        super().__init__(port)

    @property
    def url(self) -> str:
        """The base of every address, such as http://127.0.0.1:8765/rest/v1."""
        return f"{self.address}{BASE}"

    @property
    def credentials(self) -> dict[str, str]:
        """The environment in which a loader finds the service and is let in."""
        return {
            "ETL_TRACKTIK_URL": self.url,
            **{f"ETL_TRACKTIK_{name.upper()}": word for name, word in CREDENTIALS.items()},
        }

    def prepare(self, path: str, parameters: Mapping[str, str] | None = None, *, regions: str = "") -> int:
        """Make every page of a list now, so that none is waited for; gives the number of documents.

        Args:
            path: Such as `shifts`.
            parameters: As they will be sent, `limit` among them; `offset` does not matter.
            regions: What the header TTC-Region-Filter will say.

        Raises:
            Refused: The service will refuse it, too.
        """
        query = self._query(path, (parameters or {}).items(), regions)
        documents = self._lists.listed(query).documents
        for offset in range(0, len(documents), query.limit):
            self._lists.page(replace(query, offset=offset), _about(path), gzip=True)
        return len(documents)

    def documents(self, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Every document of a list as it would be sent, for whoever compares what a loader took of it.

        Args:
            path: Such as `shifts`.
            parameters: As a caller sends them, but for `limit` and `offset`.

        Raises:
            Refused: The service would refuse it, too.
        """
        return [json.loads(each) for each in self._lists.listed(self._query(path, parameters.items(), "")).documents]

    def _answer(self, request: Request) -> tuple[Answer, Collection[str]]:
        path = _below_base(request.path)
        faults = self.faults.striking(path)
        self._closed.wait(self._latency + (faults["hangs"].seconds if "hangs" in faults else 0))
        answer = self._spoilt(request, faults) or self._sound(path, request, faults)
        status = 0 if "dropped" in faults else answer.status
        self.requests.append(Asked(request.method, path, dict(request.parameters), status, datetime.now(UTC)))
        return answer, faults.keys()

    def _spoilt(self, request: Request, faults: Mapping[str, Fault]) -> Answer | None:
        """What is answered instead of what was asked for."""
        if "status" in faults:
            return problem(faults["status"].status, "Something went wrong")
        if "too_many" in faults:
            return problem(429, "Too many requests", headers={"Retry-After": str(faults["too_many"].retry_after)})
        if "token_expired" in faults:
            self._gate.expire(request.headers.get("Authorization"))
            return problem(401, "The access token is invalid or has expired")
        return None

    def _sound(self, path: str, request: Request, faults: Mapping[str, Fault]) -> Answer:
        if path == TOKEN:
            return self._gate.give(request.form) if request.method == "POST" else problem(405, "Only POST is allowed")
        refused = self._gate.refuses(request.headers.get("Authorization"))
        if refused:
            return refused
        told, wait = self._pace.take()
        too_many = problem(429, "Too many requests", headers={"Retry-After": str(wait)}) if wait else None
        try:
            answer = too_many or self._find(path, request, faults)
        except Refused as refusal:
            answer = problem(refusal.status, refusal.message, refusal.field)
        return replace(answer, headers={**told, **answer.headers})

    def _find(self, path: str, request: Request, faults: Mapping[str, Fault]) -> Answer:
        if request.method != "GET":
            raise Refused(405, f"{request.method} is not allowed here")
        name, _, number = path.partition("/")
        if name not in RESOURCES or (number and not (number.isascii() and number.isdigit())):
            raise Refused(404, f"There is no /{path}")
        if number:
            document = select_one(self.company, read_one(RESOURCES[name], request.parameters), int(number))
            if document is None:
                raise Refused(404, f"There is no /{path}")
            return Answer(200, single(document, request=_about(path), resource=name))
        return self._lists.page(
            self._query(path, request.parameters, request.headers.get("TTC-Region-Filter")),
            _about(path),
            gzip=request.takes_gzip,
            shift=faults["list_shifts"].by if "list_shifts" in faults else 0,
            lie=faults["count_lies"].by if "count_lies" in faults else 0,
        )

    def _query(self, path: str, parameters: Iterable[tuple[str, str]], regions: str | None) -> Query:
        query = read_query(RESOURCES[path], parameters, most=self._most)
        return replace(query, regions=read_regions(regions, self.company.documents("regions")))


def serve(
    company: Company,
    *,
    port: int = 0,
    latency: float = 0.0,
    token_seconds: float = 3600,
    calls_per_minute: int | None = None,
    most_per_page: int = 1000,
    minute_seconds: float = 60.0,
) -> Service:
    """Start a service for a company.

    Args:
        company: May be changed while it is served.
        port: Of 127.0.0.1; 0 takes a free one.
        latency: Seconds that every answer takes longer.
        token_seconds: How long an access token lasts.
        calls_per_minute: More are answered with 429; without it they are not counted, and no header tells of them.
        most_per_page: The highest `limit`; a higher one is cut to it.
        minute_seconds: The length of that minute, for tests that cannot wait.

    Raises:
        OSError: The port is taken.
    """
    gate, pace = Gate(token_seconds), Pace(calls_per_minute, minute_seconds)
    return Service(company, port=port, latency=latency, gate=gate, pace=pace, most_per_page=most_per_page)


def run_service(
    port: int = PORT,
    *,
    seed: int = 1,
    periods: int = 5,
    shifts_a_day: int = 143,
    latency: float = 0.0,
    calls_per_minute: int | None = None,
    say: Callable[[str], None] = print,
    until: threading.Event | None = None,
) -> None:
    """Serve an invented company until Ctrl-C; says the lines that give a shell what a loader needs.

    Args:
        port: Of 127.0.0.1; 0 takes a free one.
        seed: Another one is another company.
        periods: Billing periods, from 2026_01 on.
        shifts_a_day: About 2,000 a period by default.
        latency: Seconds that every answer takes longer.
        calls_per_minute: More are answered with 429; without it there is no limit.
        say: Takes one line.
        until: Ends it, when it is set.

    Raises:
        OSError: The port is taken.
    """
    company = Company(seed, periods=periods, shifts_a_day=shifts_a_day)
    with serve(company, port=port, latency=latency, calls_per_minute=calls_per_minute) as service:
        for name, word in service.credentials.items():
            say(f"export {name}={shlex.quote(word)}")
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            return


def _below_base(path: str) -> str:
    if path in _TOKEN_ADDRESSES:
        return TOKEN
    return path.removeprefix(f"{BASE}/").strip("/") if path.startswith(f"{BASE}/") else path


def _about(path: str) -> dict[str, object]:
    return {"method": "GET", "path": f"{BASE}/{path}"}
