"""Endpoints of a REST service: where records are asked for, how answers hold them and are paged; and jobs of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import quote

_PLACEHOLDER = re.compile(r"\{(\w+)\.(\w+)\}")
_SETTING = re.compile(r"\{(\w+)\}")
_SHORTEST_OVERLAP = timedelta(hours=2)


@dataclass(frozen=True, kw_only=True)
class Records:
    """Envelope: an object that holds the records in an array."""

    at: str
    """Where the array lies, such as `data` or `result.items`."""


@dataclass(frozen=True)
class Bare:
    """Envelope: the answer is the array of records itself."""


@dataclass(frozen=True, kw_only=True)
class Single:
    """Envelope: the answer is one record, or an object that holds one."""

    at: str = ""
    """Where the record lies; empty where the answer itself is the record."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """Envelope: an array of plain values; each becomes a record with one field."""

    field: str
    """What the record's only field is called."""
    at: str = ""
    """Where the array lies; empty where it is the answer itself."""


@dataclass(frozen=True)
class ODataList:
    """Envelope: a list in any of OData's forms, of which one endpoint may answer in several.

    `{"value": [..], "@odata.nextLink": .., "@odata.count": ..}`; or `{"Items": [..], "NextPageLink": .., "Count": ..}`
    as ASP.NET has it, with capitals or without; or the array of records itself. Link and count may be null or missing.
    """


Envelope = Records | Bare | Single | Values | ODataList


@dataclass(frozen=True, kw_only=True)
class Offset:
    """Offset pagination: each request says how many records to skip. With a total count pages are fetched in parallel.

    A page may be shorter than asked for, since servers cap it: the next one begins behind what came.
    """

    limit: str
    """The parameter that takes the page size."""
    offset: str
    """The parameter that takes how many records to skip."""
    size: int = 1000
    """Records asked for in one page."""
    count: str | None = None
    """Where the answer says how many records the whole list has; without it, an empty page ends the list."""
    echo: str | None = None
    """Where the answer repeats the offset that it understood."""


@dataclass(frozen=True, kw_only=True)
class NextLink:
    """Cursor pagination: each page names the address of the next one, absolute or relative; the last names none."""

    at: str
    """Where the answer names the next page."""
    count: str | None = None
    """Where the answer says how many records the whole list has."""


@dataclass(frozen=True)
class OnePage:
    """No pagination: one answer holds everything."""


@dataclass(frozen=True, kw_only=True)
class OData:
    """OData pagination: `$top` and `$skip`, and the links of servers that give less at a time.

    `$top` is a total: where a page is smaller, its link leads to the rest of what was asked for. With a count and an
    order, pages are fetched in parallel. An order or a count that the service rejects is done without.
    """

    size: int = 1000
    """Records asked for at once; the service may give fewer."""
    order_by: Sequence[str] = ("id",)
    """Fields that put the list in one order and no other, such as `id` or `study/id desc`: without them, a list that is
    paged by `$skip` may give a record twice and leave out another."""
    count: bool = True
    """Whether the service is asked how many records the whole list has; without, an empty page ends a list, or one that
    is shorter than others of the table were."""

    def __post_init__(self) -> None:
        if self.size < 1 or isinstance(self.order_by, str):
            raise ValueError("OData: a page has a record at least, and order_by is a tuple of fields")


@dataclass(frozen=True, kw_only=True)
class SearchAfter:
    """Cursor pagination by POST: a request repeats what the last record before it says of its place in the list."""

    limit: str
    """The member of the body that takes the page size."""
    after: str
    """The member of the body that takes the place; the first request is without it."""
    at: str
    """Where a record says its place: an array that begins with what the list is sorted by, the lowest first."""
    count: str
    """Where the answer says how many records the whole list has."""
    size: int = 500
    """Records asked for in one page; the service may give fewer."""


Paging = Offset | NextLink | OData | SearchAfter | OnePage
_ODATA_PARAMETERS = frozenset({"$top", "$skip", "$orderby", "$count"})


@dataclass(frozen=True)
class Each:
    """A nested resource: one request for each row of a parent table, which is loaded before.

    The path names columns of the parent in braces: `studies/{study.id}/visits`.
    """

    parent: str
    """The parent's table."""
    gives: Mapping[str, str] = field(default_factory=dict)
    """Columns of the key that the records do not have themselves: column -> key column of the parent."""


@dataclass(frozen=True, kw_only=True)
class ChangedSince:
    """Incremental reading: between whole reads a list is asked only for what its records' stamp says has changed.

    What was deleted, what has no stamp, and what a record repeats of others without being stamped for it, the next
    whole read brings.
    """

    stamp: str
    """Where a record says when it was changed."""
    whole_every: timedelta
    """How long after a whole read the next one is due."""
    overlap: timedelta = timedelta(days=1)
    """How far before the newest stamp that was read the next read begins: for what is stamped before it can be seen,
    and for clocks that differ or are put back."""
    parameter: str = "$filter"
    """The parameter that takes it."""
    form: str = "{stamp} ge {since}"
    """How it takes it."""

    def __post_init__(self) -> None:
        if self.overlap < _SHORTEST_OVERLAP:
            raise ValueError(f"ChangedSince: a clock is put back by an hour; an overlap of {self.overlap} is too short")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a service keeps the records of a table, and how it is asked for them."""

    path: str
    envelope: Envelope
    paging: Paging
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request for the list."""
    body: Mapping[str, object] | None = None
    """JSON that is sent with every request for the list, which is a POST then and no GET. Like the path, it may name a
    setting of the instance: `{"locationId": "{location_id}"}`."""
    constants: Mapping[str, int | str] = field(default_factory=dict)
    """Columns of the key that have one value for all of its records, such as of an answer that is the only record of an
    instance, and has no id."""
    per: Each | None = None
    lookup: Single | None = None
    """How `path/key` answers with one record: it tells a deleted record from one that the list leaves out. Without such
    an address, what is missing from a list is marked as vanished, and never as deleted."""
    window: str | None = None
    """The parameter that takes a span of dates."""
    window_format: str = "{first}|{last}"
    """How it takes them: `first` and `last`, both included, and `end`, the day after, as ISO dates."""
    longest: timedelta = timedelta(days=31)
    """The longest window that the service allows, both ends included; longer ones are cut."""
    changes: ChangedSince | None = None
    """How a job's list is read incrementally; whole every time where None."""
    timeout: timedelta | None = None
    """How long the service may take to answer, and be silent in between; what the connection has for all where None."""

    @property
    def placeholders(self) -> tuple[tuple[str, str], ...]:
        """The tables and columns that the path names in braces."""
        return tuple(_PLACEHOLDER.findall(self.path))

    def address(self, parent: Mapping[str, object], settings: Mapping[str, str] = MappingProxyType({})) -> str:
        """The path for one row of the parent table, given by its columns, at an instance with these settings.

        Raises:
            KeyError: It names a column or a setting that is not given.
        """
        path = _SETTING.sub(lambda found: quote(settings[found[1]], safe=""), self.path)
        return _PLACEHOLDER.sub(lambda found: str(parent[found[2]]), path)

    def body_for(self, settings: Mapping[str, str]) -> Mapping[str, object] | None:
        """The body at an instance with these settings; raises as `address`."""
        if self.body is None:
            return None
        named = {name: _SETTING.fullmatch(value) for name, value in self.body.items() if isinstance(value, str)}
        return {**self.body, **{name: settings[found[1]] for name, found in named.items() if found}}

    def __post_init__(self) -> None:
        owner = self.per.parent if self.per else None
        strangers = sorted({table for table, _ in self.placeholders} - {owner})
        if strangers or (self.per and not self.placeholders):
            raise ValueError(f"{self.path}: the path must name columns of its parent {owner}, and of no other table")
        is_array = isinstance(self.envelope, Bare) or (isinstance(self.envelope, Values) and not self.envelope.at)
        asks_more = isinstance(self.paging, NextLink) or (
            isinstance(self.paging, Offset) and (self.paging.count or self.paging.echo)
        )
        if is_array and asks_more:
            raise ValueError(f"{self.path}: an answer that is an array says no count, no offset and no next link")
        if isinstance(self.paging, SearchAfter) and (self.body is None or not isinstance(self.envelope, Records)):
            raise ValueError(f"{self.path}: paging by SearchAfter() takes a body, and records beside their count")
        if self.body is not None and not isinstance(self.paging, SearchAfter | OnePage):
            raise ValueError(f"{self.path}: what is asked by a body is paged by SearchAfter(), or not at all")
        if self.changes and (self.per or self.changes.parameter in self.parameters):
            raise ValueError(f"{self.path}: changes are asked for of one list, by a parameter that is not sent already")
        self._check_odata()

    def _check_odata(self) -> None:
        is_paged, is_list = isinstance(self.paging, OData), isinstance(self.envelope, ODataList)
        if is_paged != is_list and not (is_list and isinstance(self.paging, OnePage)):
            raise ValueError(f"{self.path}: paging by OData() goes with ODataList(), which may also be OnePage()")
        if is_paged and (twice := sorted(_ODATA_PARAMETERS & set(self.parameters))):
            raise ValueError(f"{self.path}: {', '.join(twice)} is said by OData(), and not among the parameters")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a job's path: which rows give its values, one request each."""

    name: str
    """What the path has in braces."""
    table: str
    """The parent table."""
    column: str
    """Where the parent's rows have the value, as the list of jobs writes it: `data->>'id'`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A configured request: one endpoint whose records go into one table. `job_list.py` reads them from a file."""

    id: int
    name: str
    path: str
    """The endpoint as it is configured, such as `/api/v1/studies/{studyId}/arms`."""
    table: str
    is_active: bool = True
    """Whether it is asked, unless somebody has decided otherwise (`etl jobs enable`, `etl jobs disable`)."""
    has_parameters: bool = False
    """Whether the list of jobs says so; the one that it forgot has `parameters` all the same."""
    parameters: Sequence[Parameter] = ()
    category: str
    phase: int = 0
    """Jobs of a phase follow those of the phase before."""
    shape: str = ""
    """How a list of jobs calls the form of its answers."""
    record: str
    """What the vendor calls its records; empty where the vendor does not have the endpoint."""
    why_off: str = ""
    replaced_by: int | None = None
    """The job that fills the table from the path that the vendor really has."""
    endpoint: Endpoint
    """How it is asked."""
