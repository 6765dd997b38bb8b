"""The service: answers for one instance as Clinical Conductor does, bad manners included."""

import json
import shlex
import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from etl_assets.readers.rest.specification import Operation, read_shapes, without_names
from etl_assets.sandbox.faults import COMMON_KINDS, Fault, Faults
from etl_assets.sandbox.pace import Pace
from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.transport import Answer, Request, RunningService
from etl_assets.sandbox.trialsync.books import Books, Scale
from etl_assets.sandbox.trialsync.lists import API, Found, Listing, Lists
from etl_assets.sandbox.trialsync.query import DEFAULT_TOP, BadQuery, Query, read_query, select
from etl_assets.settings import PROJECT

PORT = 8090
BASE_PATHS = {"CC": "/CCSWEB", "CCE": "/CCEWEB", "CCS": "/CCSWEB"}
"""Where the API lies below the address, by the type of an instance."""
KINDS: Mapping[str, str] = {
    **COMMON_KINDS,
    "caps": "gives `by` records a page at most, and no link to the others",
    "ignores_skip": "begins at the first record, whatever $skip says",
    "repeats": "gives the page before this one once more",
    "misorders": "begins anywhere in the list, where no $orderby is asked for",
    "duplicates": "gives the first `by` records of a page twice",
    "count_lies": "tells a Count that is higher by `by`, or lower where `by` is under nought",
}
_SHAPES = PROJECT / "etl_assets" / "sources" / "trialsync" / "shapes.yaml"
_UNDECLARED = {"monitor-queries/odata", "engagements/odata"}
"""Not licensed without CCE, as callers have found; the specification does not say so."""
_REMEMBERED = 20_000


@dataclass(frozen=True)
class Asked:
    """A request that came, and the status it was answered with; 0 where the connection was dropped."""

    path: str
    """Below the API: `patients/20001/allergies`."""
    query: Mapping[str, str]
    status: int


class Cache:
    """Texts that were computed, the newest up to so many bytes; all is forgotten when the books have changed."""

    def __init__(self, room: int) -> None:
        self._room, self._left, self._revision = room, room, -1
        self._texts: dict[object, list[str]] = {}

    def get(self, key: object, revision: int, make: Callable[[], Iterable[str]]) -> list[str]:
        """The records under a key, made where they are not there."""
        if revision != self._revision:
            self._texts, self._left, self._revision = {}, self._room, revision
        if key not in self._texts:
            made = list(make())
            self._texts[key], self._left = made, self._left - sum(map(len, made))
            while self._left < 0:
                self._left += sum(map(len, self._texts.pop(next(iter(self._texts)))))
            return made
        return self._texts[key]


class Service(RunningService):
    """The service, for one instance."""

    def __init__(
        self,
        books: Books | None = None,
        *,
        port: int = 0,
        latency: float = 0.0,
        calls_per_minute: int | None = None,
        minute_seconds: float = 60.0,
        instance_type: str = "CCS",
        page_size: int = 1000,
        shows_topology: bool = True,
        cache_bytes: int = 32 << 20,
    ) -> None:
        """Start to serve.

        Args:
            books: May be changed while they are served; small ones where left out.
            port: Of 127.0.0.1; 0 takes a free one.
            latency: Seconds that every answer takes longer.
            calls_per_minute: More are answered with 429; without it they are not counted.
            minute_seconds: The length of that minute, for tests that cannot wait.
            instance_type: `CC`, `CCE` or `CCS`: where its API lies, and what is licensed.
            page_size: The most records of a page; with fewer than `$top` asks for, a link leads to the rest.
            shows_topology: Else that is answered with 403.
            cache_bytes: How much of what was computed is kept, to be given again: for benchmarks, all.

        Raises:
            OSError: The port is taken.
            KeyError: There is no such type.
        """
        self.books, self.faults, self.type = books or Books(), Faults(KINDS), instance_type
        self.base_path = BASE_PATHS[instance_type]
        """What follows the address before `/api/v1/`."""
        self.requests: Counter[str] = Counter()
        """How often each path was asked for, with {} for each id: `patients/{}/allergies`."""
        self.latest: deque[Asked] = deque(maxlen=_REMEMBERED)
        """What was asked last, in the order of the answers."""
        self._shapes = read_shapes(_SHAPES.read_text())
        self._operations = {without_names(each.path).removeprefix(API): each for each in self._shapes.operations}
        self._lists = Lists(self.books, self._shapes, instance_type)
        self.paths = self._lists.paths
        """All that are served, with {} for each id."""
        self._latency, self._pace, self._page_size = latency, Pace(calls_per_minute, minute_seconds), page_size
        self._shows_topology, self._rng = shows_topology, SeededRandom(self.books.seed, "misorders")
        self._cache = Cache(cache_bytes)
        self._lock = threading.Lock()
        super().__init__(port, gzip=False)

    @property
    def url(self) -> str:
        """The base of every address, such as http://127.0.0.1:8090/CCSWEB."""
        return f"{self.address}{self.base_path}"

    @property
    def api_key(self) -> str:
        """What the header CCAPIKey must say; made up."""
        return f"not-a-secret-{self.books.seed}"

    def settings(self, instance: str) -> dict[str, str]:
        """The environment in which a loader finds the service as an instance of that name."""
        given = {"URL": self.address, "API_KEY": self.api_key, "TYPE": self.type}
        return {f"ETL_TRIALSYNC_{instance.upper()}_{name}": word for name, word in given.items()}

    def _answer(self, request: Request) -> tuple[Answer, Collection[str]]:
        path = request.path.removeprefix(self.base_path).removeprefix(API)
        pattern, numbers = Lists.generalise(path)
        faults = self.faults.striking(path)
        self._closed.wait(self._latency + (faults["hangs"].seconds if "hangs" in faults else 0))
        told, wait = self._pace.take()
        if "status" in faults:
            answer = _problem(faults["status"].status, "Something went wrong")
        elif "too_many" in faults or wait:
            wait = faults["too_many"].retry_after if "too_many" in faults else wait
            answer = _problem(429, "Too many requests", {**told, "Retry-After": str(wait)})
        else:
            with self.books.lock:
                answer = self._sound(request, pattern, numbers, faults)
        with self._lock:
            self.requests[pattern] += 1
            self.latest.append(Asked(path, dict(request.parameters), 0 if "dropped" in faults else answer.status))
        return answer, faults.keys()

    def _sound(self, request: Request, pattern: str, numbers: tuple[int, ...], faults: Mapping[str, Fault]) -> Answer:
        refused = self._refused(request, pattern)
        if refused:
            return refused
        try:
            found = self._lists.find(pattern, numbers)
            if found is None:
                return _refusal(404, "NotFound", f"There is no {pattern.replace('{}', '...')} of that id")
            return Answer(200, self._body(found, self._operations[pattern], request, faults).encode())
        except BadQuery as error:
            return _refusal(400, "BadRequest", str(error))

    def documents(self, path: str) -> list[dict[str, Any]]:
        """Every record of a list as it would be sent, for whoever compares what a loader took of it.

        Args:
            path: Such as `studies/odata`; of a list that this type of instance is not licensed for, there are none.
        """
        if path not in self.paths or (self.type != "CCE" and self._is_for_enterprises(path)):
            return []
        with self.books.lock:
            found = self._lists.find(path, ())
            texts = [found] if isinstance(found, str) else found.render(0, found.size) if found else []
            return [json.loads(each) for each in texts]

    def _is_for_enterprises(self, pattern: str) -> bool:
        return self._operations[pattern].may_be_unlicensed or pattern in _UNDECLARED

    def _refused(self, request: Request, pattern: str) -> Answer | None:
        if request.headers.get("CCAPIKey") != self.api_key:
            return _problem(401, "Authorization has been denied for this request.")
        if not request.path.startswith(f"{self.base_path}{API}") or pattern not in self.paths:
            where = f"{self.address}{request.path}"
            return _problem(404, f"No HTTP resource was found that matches the request URI '{where}'.")
        if request.method != "GET":
            return _problem(405, f"The requested resource does not support http method '{request.method}'.")
        if self.type != "CCE" and self._is_for_enterprises(pattern):
            return _problem(501, "This is only available for CCE instances")
        if pattern == "instance/topology" and not self._shows_topology:
            return _problem(403, "Forbidden")
        return None

    def _body(self, found: Found, operation: Operation, request: Request, faults: Mapping[str, Fault]) -> str:
        if isinstance(found, str):
            return found
        if not operation.path.endswith("/odata"):
            return _array(found.render(0, found.size))
        models = self._shapes.models
        query = read_query(dict(request.parameters), models[operation.model], models)
        listing = select(found, query)
        texts = self._page(listing, query, request, faults)
        items = _array(texts + (texts[: faults["duplicates"].by] if "duplicates" in faults else []))
        if operation.shape == "array":
            return items
        rest = None if "caps" in faults else _rest(query, len(texts), listing.size)
        parameters = urlencode({**dict(request.parameters), **(rest or {})}, safe="$")
        link = f"{self.address}{request.path}?{parameters}" if rest else None
        count = listing.size + (faults["count_lies"].by if "count_lies" in faults else 0)
        told = f'"NextPageLink":{json.dumps(link)},"Count":{count if query.count else "null"}'
        return f'{{"Items":{items},{told}}}'

    def _page(self, listing: Listing, query: Query, request: Request, faults: Mapping[str, Fault]) -> list[str]:
        size = min(DEFAULT_TOP if query.top is None else query.top, self._page_size)
        if "caps" in faults:
            size = min(size, faults["caps"].by)
        first = 0 if "ignores_skip" in faults else query.skip
        if "repeats" in faults:
            first = max(0, first - size)
        end = min(first + size, listing.size)
        if "misorders" in faults and not query.order:
            turn = self._rng.randint(0, listing.size)
            texts = [text for at in range(first + turn, end + turn) for text in _one(listing, at % listing.size)]
        else:
            key = (request.path, first, end, query.order, query.conditions)
            texts = self._cache.get(key, self.books.revision, lambda: listing.render(first, end))
        return texts


class Instances:
    """Two running instances with the same ids and other contents. They end with the block they were opened for."""

    def __init__(self, scale: Scale | None = None, *, port: int = 0, latency: float = 0.0) -> None:
        """Start both.

        Args:
            scale: How much each has.
            port: Of the first, the second has the next one; 0 takes free ones.
            latency: Seconds that every answer takes longer.

        Raises:
            OSError: A port is taken.
        """
        self.services: dict[str, Service] = {}
        with ExitStack() as opened:
            for place, (name, kind) in enumerate((("north", "CCS"), ("south", "CCE"))):
                books, at = Books(place + 1, scale or Scale()), port and port + place
                service = Service(books, port=at, latency=latency, instance_type=kind)
                self.services[name] = opened.enter_context(service)
            self._opened = opened.pop_all()

    @property
    def settings(self) -> dict[str, str]:
        """The environment in which a loader finds them."""
        found = {"ETL_TRIALSYNC_INSTANCES": ",".join(self.services)}
        for name, service in self.services.items():
            found |= service.settings(name)
        return found

    def __enter__(self) -> "Instances":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def run_instances(
    port: int = PORT,
    *,
    scale: Scale | None = None,
    latency: float = 0.0,
    say: Callable[[str], None] = print,
    until: threading.Event | None = None,
) -> None:
    """Serve two instances until Ctrl-C, or until `until` is set; says the lines that give a shell what a loader needs.

    Else it is as `Instances`.
    """
    with Instances(scale, port=port, latency=latency) as instances:
        for name, word in instances.settings.items():
            say(f"export {name}={shlex.quote(word)}")
        try:
            (until or threading.Event()).wait()
        except KeyboardInterrupt:
            return


def _rest(query: Query, given: int, total: int) -> dict[str, str] | None:
    """What the link to the rest of the records that are wanted asks for; None where this page was all."""
    wanted = None if query.top is None else query.top - given
    if not given or query.skip + given >= total or (wanted is not None and wanted <= 0):
        return None
    return {"$skip": str(query.skip + given)} | ({} if wanted is None else {"$top": str(wanted)})


def _one(listing: Listing, position: int) -> Iterator[str]:
    return listing.render(position, position + 1)


def _array(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


def _problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """What ASP.NET itself says."""
    return Answer(status, json.dumps({"Message": message}).encode(), headers or {})


def _refusal(status: int, error: str, message: str) -> Answer:
    """What the application says."""
    return Answer(status, json.dumps([{"error": error, "message": message, "data": None}]).encode())
