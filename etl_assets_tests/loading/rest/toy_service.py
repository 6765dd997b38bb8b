"""An invented register of clinical trials with two tenants, over HTTP: every envelope and every way of paging."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from etl_assets_tests.readers.rest.stand_in import Answer, Asked, StandIn, json_answer, stand_in

CAP = 2
"""Records of a page at most, whatever is asked for."""
TENANTS = {"key-of-the-north": "north", "key-of-the-south": "south"}


def register(tenant: str) -> dict[str, list[Any]]:
    """What a tenant has; both have the same ids."""
    studies = [{"id": f"000{number}e5", "name": f"{tenant} {number}"} for number in range(5)]
    return {
        "studies": studies,
        "sites": [{"id": number, "name": f"{tenant} {number}"} for number in range(3)],
        "details": [{"uid": f"the {tenant}", "version": "8.5"}],
        "lookups": ["Phase I", "Phase II", "a/b"],
        "visits": [
            {"id": f"00000000-0000-4000-8000-00000000000{number}", "at": f"2026-03-0{1 + number % 3}T08:00:00"}
            for number in range(6)
        ],
        "staff": [{"Id": number, "name": f"{tenant} {number}"} for number in range(7)],
        "elements": [{"Id": number, "name": f"{tenant} {number}"} for number in range(5)],
        "topology": [{"ccs": [tenant]}],
        **{f"studies/{study['id']}/arms": [{"code": code} for code in ("A", "B")] for study in studies},
        **{f"studies/{study['id']}/warnings": [{"type": "Visit"}, {"type": "Element"}] for study in studies},
    }


@dataclass
class Register:
    """The service: what its tenants have, and which of them are down."""

    tenants: dict[str, dict[str, list[Any]]] = field(
        default_factory=lambda: {tenant: register(tenant) for tenant in TENANTS.values()}
    )
    down: set[str] = field(default_factory=set)
    looked_up: dict[str, list[Any]] = field(default_factory=dict)
    """Records of a tenant that are in no list and have an address all the same."""
    behind_gateway: bool = False
    """Whether a gateway says what is not there, in HTML."""
    break_after: int | None = None
    """Requests after which it breaks off every answer, until this is None again."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    url: str = ""

    def __call__(self, asked: Asked) -> Answer:
        tenant = TENANTS[asked.headers["X-Api-Key"]]
        with self.lock:
            if self.break_after is not None:
                self.break_after -= 1
            broken = self.break_after is not None and self.break_after < 0
        if tenant in self.down or broken:
            return Answer(hang_up=True)
        path = unquote(asked.path).lstrip("/")
        held = self.tenants[tenant]
        if path in held:
            return json_answer(self.page(path, held[path], asked.query))
        parent, _, key = path.rpartition("/")
        records = [*held.get(parent, ()), *self.looked_up.get(tenant, ())]
        found = [each for each in records if str(each.get("id", each.get("Id"))) == key]
        if self.behind_gateway and not found:
            return Answer(status=404, body=b"<html>Not Found</html>", headers={"Content-Type": "text/html"})
        return json_answer(found[0]) if found else Answer(status=404)

    def page(self, path: str, records: list[Any], query: dict[str, str]) -> object:
        """One page in the manner of its path."""
        start = int(query.get("$skiptoken", query.get("$skip", query.get("skip", query.get("page", "0")))))
        part, more = records[start : start + CAP], start + CAP < len(records)
        if path == "studies":
            link = f"{self.url}/studies?page={start + CAP}" if more else None
            return {"Items": part, "NextPageLink": link, "Count": len(records)}
        if path == "visits":
            day = query["on"]
            of_day = [each for each in records if each["at"][:10] == day]
            part, more = of_day[start : start + CAP], start + CAP < len(of_day)
            link = {"@odata.nextLink": f"visits?on={day}&$skiptoken={start + CAP}"} if more else {}
            return {"value": part, "@odata.count": len(of_day), **link}
        if path == "elements":
            return {"Items": part, "Count": len(records)}
        if path == "staff":
            return {"meta": {"count": len(records)}, "data": part}
        return records[0] if path in {"details", "topology"} else records


@contextmanager
def serving(service: Register) -> Iterator[StandIn]:
    """Serve it on a free port."""
    with stand_in(service) as server:
        service.url = server.url
        yield server


def content(document: object) -> str:
    """A document as it is compared."""
    return json.dumps(document, sort_keys=True)
