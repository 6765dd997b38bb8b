"""OData servers by chance: whatever they keep of the standard, what comes is exactly the list, or an error."""

import random
from collections import Counter
from dataclasses import dataclass, field

import pytest

from etl_assets.errors import EtlError
from etl_assets_tests.readers.rest.odata_service import ODataService, odata_table
from etl_assets_tests.readers.rest.shapes import one_to, reading
from etl_assets_tests.readers.rest.stand_in import Answer, Asked

SERVERS = 40
"""Of each kind."""


@dataclass
class Honest(ODataService):
    """Its pages are capped, linked and counted as chance has it, and no record is missing."""

    chance: random.Random = field(default_factory=random.Random)
    caps_by_bytes: bool = False
    links_always: bool = True

    def cap_at(self, offset: int) -> int:
        return max(super().cap_at(offset) // self.chance.randint(1, 4), 1) if self.caps_by_bytes else self.cap

    def link(self, asked: Asked, query: dict[str, str], end: int, rest: int) -> str | None:
        is_linked = self.links_always or self.chance.random() < 0.5
        return super().link(asked, query, end, rest) if is_linked else None


@dataclass
class Faulty(Honest):
    """Now and then it gives another page than was asked for, or counts wrong.

    Without a count it goes back alone: that nothing comes behind what it leaves out, nobody could tell.
    """

    def __call__(self, asked: Asked) -> Answer:
        fault, skip = self.chance.random(), int(asked.query.get("$skip", 0))
        if fault < 0.1:
            forwards = 20 if self.counts and not self.rejects else 0
            asked.query["$skip"] = str(max(skip + self.chance.randint(-20, forwards), 0))
        elif fault < 0.2:
            asked.query["$top"] = str(self.chance.randint(1, 40))
        return super().__call__(asked)

    def page(self, records: list[dict], link: str | None, is_counted: bool) -> Answer:
        total = self.total
        if is_counted and self.chance.random() < 0.1:
            self.total = max(total + self.chance.randint(-3, 3), 0)
        answer = super().page(records, link, is_counted)
        self.total = total
        return answer


def server_of(seed: int, kind: type[Honest]) -> tuple[Honest, dict]:
    """A server, and how its list is declared."""
    chance = random.Random(seed)  # noqa: S311 (a history can be had again)
    size = chance.choice([20, 100, 1000])
    rejects, forms = [[], [], ["$orderby"], ["$count"]], ["value", "Items", "items", "array"]
    server = kind(
        total=chance.choice([0, 1, size - 1, size, size + 1, 3 * size, chance.randint(0, 3000)]) % 3001,
        cap=chance.choice([size // 10, size // 2, size, 10_000, chance.randint(size // 20, size)]),
        links=chance.choice(["", "skip", "skiptoken"]),
        counts=chance.random() < 0.5,
        form=chance.choice(forms),
        rejects=chance.choice(rejects),
        chance=chance,
        caps_by_bytes=chance.random() < 0.3,
        links_always=chance.random() < 0.7,
    )
    if server.form == "array":
        server.links, server.counts = "", False
    return server, {"size": size, "order_by": chance.choice([("id",), ()])}


def read_once(server: ODataService, declared: dict) -> tuple[list, int]:
    """The keys that came, and how many requests it took."""
    with reading(server) as (reader, stand_in):
        pages = list(reader.read(odata_table(**declared)))
        return [document.key for page in pages for document in page.documents], len(stand_in.asked)


@pytest.mark.parametrize("seed", range(SERVERS))
def test_a_server_that_leaves_nothing_out_is_read_whole(seed) -> None:
    server, declared = server_of(seed, Honest)
    found, _ = read_once(server, declared)
    assert found == one_to(server.total)


def test_a_server_that_goes_wrong_gives_the_list_or_an_error() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(SERVERS):
        server, declared = server_of(seed, Faulty)
        try:
            found, _ = read_once(server, declared)
        except EtlError:
            outcomes["error"] += 1
        else:
            outcomes["list"] += 1
            assert found == one_to(server.total), seed
    assert min(outcomes["error"], outcomes["list"]) > SERVERS // 10
