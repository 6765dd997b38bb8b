"""REST tables: which records of a service are kept, and how; `endpoints.py` says where they are asked for.

A table of a service is declared in these words, and nothing about it is programmed:

    RestTable(
        name="visits",
        key=("study_id", "id"),
        load=Full(),
        endpoint=Endpoint(
            path="studies/{study.id}/visits",
            per=Each("study", gives={"study_id": "id"}),
            envelope=Records(at="value"),
            paging=NextLink(at="@odata.nextLink", count="@odata.count"),
        ),
        fields=fields(text="id"),
    )
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from etl_assets.declare.endpoints import Each, Endpoint, Job, Single
from etl_assets.declare.tables import Column, Field, Full, Table

KEY_TYPES = ("bigint", "text", "uuid", "date")
"""What the columns of a key may be."""
INSTANCE = "instance"
"""The first key column of a service with several instances: tenants whose ids have nothing to do with each other."""
INSTANCE_ID = "source_instance_id"
"""The same, by its number, in a table that configured jobs fill."""
_CONSTANT_TYPES = {"bigint": int, "text": str}


def fields(**paths_by_type: str) -> tuple[Field, ...]:
    """Fields from a line of paths per type: `fields(text="status customId Id")` gives status, custom_id and id."""
    return tuple(
        Field(name=re.sub(r"(?<![.])(?<!^)([A-Z])", r"_\1", path).lower().replace(".", "_"), type=kind, path=path)
        for kind, paths in paths_by_type.items()
        for path in paths.split()
    )


@dataclass(frozen=True, kw_only=True)
class Window:
    """Windowed load: one span of dates is read at a time, and its records are brought up to date."""

    slice_by: str
    """The field that says when a record happened; its first ten characters are the site's own date."""
    allows_unix_time: bool = False
    """Whether the field may also be a Unix time in seconds, of which only the date in UTC is known. Not for records
    that are counted by the site's own date."""
    pad: timedelta = timedelta(days=1)
    """How far beyond the span is asked: what happens at midnight belongs to one day here and to another there."""
    keeps_pad: bool = False
    """Whether records of the pad are kept that are not held yet. Where they count by themselves, a day of a period
    would look like all of it; where they belong to what lies in the span, they are wanted."""
    shrink_floor: float = 0.5
    """Least share of the records held of the span that must arrive; under it the list is not believed."""
    max_rejected: float = 0.10
    """The share of records that cannot be kept over which nothing of the period is loaded."""


@dataclass(frozen=True, kw_only=True)
class RestTable(Table):
    """A staging table of JSON documents, as a service gives them.

    A column of the key is a bigint at the path of its own name, unless `fields` say another type or path. Records that
    nothing identifies have their whole content for a key, `Field(name="content", type="uuid", path="")`: the MD5 of the
    bytes as they came. A record that changes is another one then.
    """

    load: Full | Window
    endpoint: Endpoint
    fields: tuple[Field, ...] = ()
    """The fields of the documents that the key or rules need."""
    jobs: Sequence[Job] = ()
    """The configured jobs that fill it, each by an endpoint of its own. It holds each record once, as it is now."""
    codes: Sequence[str] = ()
    """The paths of fields with short codes of which there are few, such as `status`: their values are remembered, and a
    new one is told. Enumerations of the vendor's specification are so without being named."""
    unoffered: str = ""
    """Why it is empty, of a table that nothing at the source fills, or nothing before the source is set up."""

    def of_job(self, job: Job) -> "RestTable":
        """The table as one of its jobs reads it."""
        per = job.endpoint.per
        given = {column: source for column, source in per.gives.items() if column in self.keys} if per else {}
        endpoint = replace(job.endpoint, per=replace(per, gives=given)) if per else job.endpoint
        return replace(self, endpoint=endpoint)

    @property
    def instance_column(self) -> str:
        """The column that says of which tenant a record is, of a service that has several."""
        return INSTANCE_ID if self.jobs else INSTANCE

    @property
    def document_column(self) -> str:
        """The column with the record as it came."""
        return "data" if self.jobs else "raw_data"

    @property
    def key_fields(self) -> tuple[Field, ...]:
        """The columns of the key: their types, and where they lie in a record (unless the parent gives them)."""
        declared = {each.name: each for each in self.fields}
        return tuple(declared.get(name) or Field(name=name, type="bigint", path=name) for name in self.keys)

    @property
    def columns_known(self) -> Sequence[Column]:
        """The key, and the fields that rules look at."""
        return (*self.key_fields, *self.parsed_fields)

    @property
    def parsed_fields(self) -> Sequence[Field]:
        """The fields that are no columns of staging."""
        return tuple(each for each in self.fields if each.name not in self.keys)

    @property
    def loader_columns(self) -> Sequence[str]:
        """Whose a document is, when it came, and what became of its record."""
        if self.jobs:
            return (INSTANCE_ID, "loaded_at", "created_at", "updated_at", "etl_job_id", "vanished_at")
        return ("loaded_at", "vanished_at", "deleted_at")

    @property
    def window(self) -> Window | None:
        """How it is read by dates; None where it is read whole, and every version of a record is kept."""
        return self.load if isinstance(self.load, Window) else None

    @property
    def is_windowed(self) -> bool:
        """Whether it is read by dates."""
        return self.window is not None

    @property
    def per(self) -> Each | None:
        """The parent table of whose rows each has a list of its own."""
        return self.endpoint.per

    @property
    def lookup(self) -> Single | None:
        """How one record's own address answers."""
        return self.endpoint.lookup

    @property
    def partition_column(self) -> str | None:
        """The site's own date, of a table that is read by dates."""
        return "slice" if self.is_windowed else None

    @property
    def has_versions(self) -> bool:
        """Whether every version of a record is kept."""
        return not self.is_windowed and not self.jobs

    @property
    def grain(self) -> str:
        """A record, or a version of one."""
        keys = " and ".join(self.keys)
        return f"One row per {keys} and version of its document." if self.has_versions else f"One row per {keys}."

    @property
    def current_rows(self) -> str:
        """The latest version of each record that the source has not deleted."""
        if self.jobs:
            return "vanished_at is null"
        return "is_latest and deleted_at is null" if self.has_versions else "deleted_at is null"

    def _check_columns(self) -> None:
        super()._check_columns()
        given = set(self.endpoint.per.gives) if self.endpoint.per else set()
        if not given <= set(self.keys) and not self.jobs:
            raise ValueError(f"{self.name}: {sorted(given - set(self.keys))} is given by the parent and not in the key")
        if not self.keys:
            raise ValueError(
                f"{self.name}: it has no key; a single record has a constant, others may have their content"
            )
        self._check_columns_without_path()
        wrong = [
            each.name for each in self.key_fields if each.type not in KEY_TYPES or each.name in {INSTANCE, INSTANCE_ID}
        ]
        if wrong:
            raise ValueError(f"{self.name}: {wrong} cannot be in a key: types are {', '.join(KEY_TYPES)}")
        if self.is_windowed and self.jobs:
            raise ValueError(f"{self.name}: configured jobs read everything, and not by dates")
        if self.endpoint.changes and not self.jobs:
            raise ValueError(f"{self.name}: the list of a configured job alone is read incrementally")
        if self.is_windowed and self.endpoint.per:
            raise ValueError(f"{self.name}: a table with a request a parent is read whole, and not by dates")

    def _check_columns_without_path(self) -> None:
        """Refuse constants, and whole records, that no key column takes."""
        constants, types = self.endpoint.constants, {each.name: each.type for each in self.key_fields}
        given = set(self.endpoint.per.gives) if self.endpoint.per else set()
        for name, value in constants.items():
            if name in given or _CONSTANT_TYPES.get(types.get(name, "")) is not type(value) or value == "":
                raise ValueError(f"{self.name}: constant {name}={value!r} is no bigint or text of the key")
        for each in self.fields:
            if not each.path and types.get(each.name) != "uuid":
                raise ValueError(f"{self.name}: {each.name} has no path: a record's content is a uuid of the key")
        if self.lookup and (not self.key_fields[-1].path or self.keys[-1] in constants):
            raise ValueError(f"{self.name}: what the key ends with is no address of a record")
