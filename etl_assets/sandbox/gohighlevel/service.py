"""The service: answers for one location as GoHighLevel does, bad manners included."""

import json
import shlex
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from typing import Any

from etl_assets.sandbox.faults import COMMON_KINDS, Fault, Faults
from etl_assets.sandbox.gohighlevel.contacts import Location
from etl_assets.sandbox.pace import Pace
from etl_assets.sandbox.transport import Answer, Request, RunningService

PORT = 8092
VERSION = "2021-07-28"
MOST = 500
"""Contacts of a page."""
BURST_CALLS, BURST_SECONDS, DAILY_CALLS = 100, 10.0, 200_000
KINDS: Mapping[str, str] = {
    **COMMON_KINDS,
    "too_many": "answers 429, with all headers of the rate but none that says when to come again",
    "day_is_spent": "answers 429, and says that no call of the day is left",
    "caps": "gives `by` contacts a page at most",
    "ignores_place": "begins at the first contact, whatever searchAfter says",
    "misorders": "gives the contacts of a page from the last to the first",
    "stays_behind": "begins `by` contacts before the place that was asked for",
    "places_missing": "leaves searchAfter out of its contacts",
    "count_lies": "tells a total that is higher by `by`, or lower where `by` is under nought",
}


class Service(RunningService):
    """The service, for a location."""

    def __init__(
        self,
        location: Location | None = None,
        *,
        port: int = 0,
        burst_calls: int = BURST_CALLS,
        burst_seconds: float = BURST_SECONDS,
        daily_calls: int = DAILY_CALLS,
        latency: float = 0.0,
    ) -> None:
        """Start to serve.

        Args:
            location: May be changed while it is served; a small one where left out.
            port: Of 127.0.0.1; 0 takes a free one.
            burst_calls: More in `burst_seconds` are answered with 429.
            burst_seconds: For tests that cannot wait.
            daily_calls: More are answered with 429, for as long as it runs.
            latency: Seconds that every answer takes longer.

        Raises:
            OSError: The port is taken.
        """
        self.location, self.faults = location or Location(), Faults(KINDS)
        self.requests: Counter[str] = Counter()
        """How often each path was asked for."""
        self.bodies: list[Mapping[str, Any]] = []
        """What was searched for, in the order of the answers."""
        self.statuses: Counter[int] = Counter()
        """How often each status was answered."""
        self._pace, self._burst, self._daily = Pace(burst_calls, burst_seconds), burst_seconds, daily_calls
        self._calls, self._latency = burst_calls, latency
        self._lock = threading.Lock()
        super().__init__(port)

    @property
    def token(self) -> str:
        """What lets a caller in; made up."""
        return f"pit-not-a-secret-{self.location.seed}"

    def settings(self, instance: str = "main") -> dict[str, str]:
        """The environment in which a loader finds the service as the instance of that name."""
        given = {"URL": self.address, "LOCATION_ID": self.location.id, "TOKEN": self.token}
        own = {f"ETL_GOHIGHLEVEL_{instance.upper()}_{name}": word for name, word in given.items()}
        return {"ETL_GOHIGHLEVEL_INSTANCES": instance, **own}

    def _answer(self, request: Request) -> tuple[Answer, Collection[str]]:
        path = request.path.strip("/")
        faults = self.faults.striking(path)
        with self._lock:
            self.requests[path] += 1
        self._closed.wait(self._latency + (faults["hangs"].seconds if "hangs" in faults else 0))
        with self._lock:
            spent = "day_is_spent" in faults or self.requests.total() > self._daily
            taken, wait = self._pace.take()
            told = {
                "X-RateLimit-Limit-Daily": str(self._daily),
                "X-RateLimit-Daily-Remaining": "0" if spent else str(self._daily - self.requests.total()),
                "X-RateLimit-Interval-Milliseconds": str(int(self._burst * 1000)),
                "X-RateLimit-Max": str(self._calls),
                "X-RateLimit-Remaining": "0" if "too_many" in faults else taken["X-RateLimit-Remaining"],
            }
        if "status" in faults:
            answer = _problem(faults["status"].status, "Something went wrong")
        elif wait or spent or "too_many" in faults:
            answer = _problem(429, "Too Many Requests")
        else:
            with self.location.lock:
                answer = self._refused(request) or self._sound(request, path, faults)
        with self._lock:
            self.statuses[answer.status] += 1
        return Answer(answer.status, answer.body, told), faults.keys()

    def _refused(self, request: Request) -> Answer | None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _problem(401, "Invalid JWT")
        if request.headers.get("Version") != VERSION:
            return _problem(401, "version header was not found.")
        return None

    def _sound(self, request: Request, path: str, faults: Mapping[str, Fault]) -> Answer:
        match request.method, path.split("/"):
            case "POST", ["contacts", "search"]:
                return self._search(request, faults)
            case "GET", ["locations", location, "customFields"]:
                return self._of_location(location) or _json({"customFields": self.location.custom_fields()})
        return _problem(404, f"Cannot {request.method} /{path}")

    def _of_location(self, location: object) -> Answer | None:
        return (
            None if location == self.location.id else _problem(403, "The token does not have access to this location.")
        )

    def _search(self, request: Request, faults: Mapping[str, Fault]) -> Answer:
        try:
            body = json.loads(request.body)
        except ValueError:
            body = {}
        self.bodies.append(body)
        size, place = body.get("pageLimit"), body.get("searchAfter")
        if not isinstance(size, int) or not 0 < size <= MOST or not body.get("locationId"):
            return _problem(422, f"locationId must be a string, and pageLimit a number up to {MOST}")
        if body.get("sort") != [{"field": "dateAdded", "direction": "asc"}]:
            return _problem(422, "the stand-in sorts by dateAdded alone")
        if refused := self._of_location(body["locationId"]):
            return refused
        if not place or "ignores_place" in faults:
            found = self.location.after(None)
        else:
            found = self.location.after(tuple(place), back=faults["stays_behind"].by if "stays_behind" in faults else 0)
        contacts = list(islice(found, min(size, faults["caps"].by) if "caps" in faults else size))
        if "misorders" in faults:
            contacts.reverse()
        if "places_missing" in faults:
            contacts = [{name: value for name, value in each.items() if name != "searchAfter"} for each in contacts]
        total = self.location.total + (faults["count_lies"].by if "count_lies" in faults else 0)
        return _json({"contacts": contacts, "total": total, "traceId": "00000000-0000-0000-0000-000000000000"})


def run_location(
    port: int = PORT,
    *,
    contacts: int = Location.contacts,
    say: Callable[[str], None] = print,
    until: threading.Event | None = None,
) -> None:
    """Serve a location until Ctrl-C, or until `until` is set; says the lines that give a shell what a loader needs.

    Raises:
        OSError: The port is taken.
    """
    with Service(Location(contacts=contacts), port=port) as service:
        for name, word in service.settings().items():
            say(f"export {name}={shlex.quote(word)}")
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            return


def _json(content: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content).encode())


def _problem(status: int, message: str) -> Answer:
    return _json({"statusCode": status, "message": message}, status)
