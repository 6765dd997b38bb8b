"""A list as OData servers give it, with what they keep and do not keep of the standard."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from etl_assets.declare.endpoints import Each, OData, ODataList
from etl_assets.declare.rest import RestTable
from etl_assets_tests.readers.rest.shapes import table
from etl_assets_tests.readers.rest.stand_in import Answer, Asked, StandIn, json_answer

FORMS = {
    "value": ("value", "@odata.nextLink", "@odata.count"),
    "Items": ("Items", "NextPageLink", "Count"),
    "items": ("items", "nextPageLink", "count"),
}


def odata_table(size: int = 10, *, order_by: tuple[str, ...] = ("id",), count: bool = True, **options) -> RestTable:
    return table(ODataList(), OData(size=size, order_by=order_by, count=count), **options)


@dataclass
class ODataService:
    """A list of records with the ids 1 to `total`; `$top` is a total, as the standard has it."""

    total: int
    cap: int | Callable[[int], int] = 10**9
    """The most records of a page, or those of the page from an offset."""
    links: str = ""
    """How a page that is capped names the next one: by `skip`, by `skiptoken`, or not at all."""
    counts: bool = False
    form: str = "Items"
    """One of `FORMS`, or `array`."""
    rejects: Iterable[str] = ()
    """Parameters that it answers with 400."""
    ignores: Iterable[str] = ()
    """Parameters that it does not heed."""
    after: float = 0.0
    host: str = ""
    """Where links lead; relative ones where empty."""
    make: Callable[[int], dict] = field(default=lambda number: {"id": number})

    def __call__(self, asked: Asked) -> Answer:
        query = {name: value for name, value in asked.query.items() if name not in self.ignores}
        if any(name in asked.query for name in self.rejects):
            return json_answer([{"error": 3, "message": "not allowed"}], status=400)
        skip = int(query.get("$skip", 0)) + int(query.get("$skiptoken", 0))
        top = int(query.get("$top", 10**9))
        given = range(skip + 1, min(skip + min(top, self.cap_at(skip)), self.total) + 1)
        end, rest = skip + len(given), top - len(given)
        link = self.link(asked, query, end, rest) if self.links and rest and end < self.total else None
        return self.page([self.make(number) for number in given], link, "$count" in query and self.counts)

    def cap_at(self, offset: int) -> int:
        return self.cap(offset) if callable(self.cap) else self.cap

    def link(self, asked: Asked, query: dict[str, str], end: int, rest: int) -> str:
        others = {name: value for name, value in query.items() if name not in {"$skip", "$skiptoken", "$top"}}
        top = {"$top": rest} if "$top" in query else {}
        return f"{self.host}{asked.path}?{urlencode({**others, **top, f'${self.links}': end})}"

    def page(self, records: list[dict], link: str | None, is_counted: bool) -> Answer:
        if self.form == "array":
            return json_answer(records, after=self.after)
        at, link_at, count_at = FORMS[self.form]
        page = {at: records, link_at: link, count_at: self.total if is_counted else None}
        return json_answer(page, after=self.after)


def skips(server: StandIn) -> list[int]:
    """From where pages were asked for, in order."""
    return [int(asked.query.get("$skip", asked.query.get("$skiptoken", 0))) for asked in server.asked]


def nested_table(size: int = 100, **options) -> RestTable:
    """A table with a list for each study."""
    nested = {"path": "studies/{studies.id}/visits", "per": Each("studies", gives={"study": "id"})}
    return odata_table(size, key=("study", "id"), **nested, **options)
