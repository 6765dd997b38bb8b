"""Configured jobs of a REST service: a list of them, one line each, is read and checked.

A line says which endpoint fills which table, and which rows of which table give the values of the path's parameters:

    10|Subjects|/studies/{studyId}/subjects|subjects_staging|yes|yes|studyId=studies_staging.data->>'id'|...

`page_size` and `timeout` (seconds) are said where the defaults do not do.

A column of a parent is written as its SQL over the staging table: `data->>'id'`, `data->'study'->>'id'`. What it means
is the column of the parent's key that lies at that path of the record.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeVar

from etl_assets.declare.endpoints import Each, Endpoint, Envelope, Job, OData, Offset, Paging, Parameter

T = TypeVar("T")

COLUMNS = (
    "id", "name", "endpoint", "target_table", "active", "parameterized", "parameters", "category", "phase", "shape",
    "record", "page_size", "timeout", "replaced_by", "why_off",
)  # fmt: skip
CATEGORIES = ("dimension", "fact", "metadata")
OWN_ID = "entity_id"
"""The key column with the record's own id; the table's `id` is the row's."""
Shapes = Mapping[str, tuple[Envelope, Paging]]
"""How the endpoints of each shape answer; that of an endpoint which nobody has seen is under an empty name."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_PARAMETER = re.compile(r"(\w+)=(\w+)\.(id|data(?:->'\w+')*->>'\w+')", re.ASCII)
_STEP = re.compile(r"->>?'(\w+)'")
_FLAGS = {"yes": True, "no": False}


def read_jobs(path: Path, shapes: Shapes) -> tuple[Job, ...]:
    """Read a list of jobs, pipe-delimited with a header line of `COLUMNS`.

    Raises:
        ValueError: A line cannot be understood, or contradicts another; it says which.
    """
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    if tuple(head.split("|")) != COLUMNS:
        raise ValueError(f"{path.name}: its first line must be {'|'.join(COLUMNS)}")
    jobs = tuple(_read_line(f"{path.name}, line {number}", line, shapes) for number, line in enumerate(lines, 2))
    check_jobs(jobs)
    return jobs


def check_jobs(jobs: Sequence[Job]) -> None:
    """Refuse jobs that contradict each other.

    Raises:
        ValueError: Two have one id; a parent is filled by no job, or in no earlier phase; tables are each other's
            parents; two jobs bring records of different kinds into one table; one is replaced by none that there is.
    """
    by_table: dict[str, list[Job]] = defaultdict(list)
    by_id: dict[int, Job] = {}
    for job in jobs:
        if job.id in by_id:
            raise ValueError(f"job {job.id} is there twice: {by_id[job.id].name} and {job.name}")
        by_id[job.id] = job
        by_table[job.table].append(job)
    _check_cycles(jobs)
    for job in jobs:
        for parameter in job.parameters:
            parents = by_table.get(parameter.table)
            if not parents:
                raise ValueError(f"{_named(job)}: no job fills {parameter.table}, which gives {{{parameter.name}}}")
            if min(parent.phase for parent in parents) >= job.phase:
                raise ValueError(f"{_named(job)}: {parameter.table} is filled in no phase before {job.phase}")
        if job.replaced_by is not None and getattr(by_id.get(job.replaced_by), "table", None) != job.table:
            raise ValueError(f"{_named(job)}: it is replaced by {job.replaced_by}, which does not fill {job.table}")
    for table, filling in by_table.items():
        records = {job.record: job for job in filling if job.record}
        if len(records) > 1:
            shown = " and ".join(f"{_named(job)} brings {record}" for record, job in records.items())
            raise ValueError(f"{table}: two kinds of records would share it: {shown}")


def parent_column(parameter: Parameter) -> str:
    """The key column of the parent table that a parameter's column means.

    `id` is the record's own id as well: the number of the staging row, which it was taken for, names nothing at the
    source.
    """
    steps = _STEP.findall(parameter.column)
    return OWN_ID if parameter.column == "id" or steps == ["id"] else column_of(".".join(steps))


def column_of(path: str) -> str:
    """The name of a column for a path or a parameter: `study.id`, `studyId` -> `study_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.replace(".", "_")).lower()


def _read_line(where: str, line: str, shapes: Shapes) -> Job:
    """Make a job of a line of the list."""
    values = line.split("|")
    if len(values) != len(COLUMNS):
        raise ValueError(f"{where}: it has {len(values)} fields, and the first line {len(COLUMNS)}")
    text = dict(zip(COLUMNS, values, strict=True))
    if text["shape"] not in shapes:
        raise ValueError(f"{where}: shape {text['shape']!r} is none of {', '.join(filter(None, shapes))}")
    if text["category"] not in CATEGORIES:
        raise ValueError(f"{where}: category {text['category']!r} is none of {', '.join(CATEGORIES)}")
    parameters = tuple(_read_parameter(where, each) for each in text["parameters"].split())
    path = text["endpoint"]
    wanted, given = set(_PLACEHOLDER.findall(path)), [each.name for each in parameters]
    if missing := sorted(wanted - set(given)):
        raise ValueError(f"{where}: nothing gives {{{missing[0]}}} of {path}")
    if set(given) - wanted or len(set(given)) < len(given):
        raise ValueError(f"{where}: {path} does not have each of {', '.join(given)} in braces, once")
    if len({each.table for each in parameters}) > 1:
        raise ValueError(f"{where}: its parameters are of several tables; one row must give them all")
    envelope, paging = shapes[text["shape"]]
    if text["page_size"]:
        if not isinstance(paging, OData | Offset):
            raise ValueError(f"{where}: it has a page_size, and its answers are not paged")
        paging = replace(paging, size=_number(where, text, "page_size"))
    timeout = timedelta(seconds=_number(where, text, "timeout")) if text["timeout"] else None
    return Job(
        id=_number(where, text, "id"),
        name=text["name"],
        path=path,
        table=text["target_table"],
        is_active=_flag(where, text, "active"),
        has_parameters=_flag(where, text, "parameterized"),
        parameters=parameters,
        category=text["category"],
        phase=_number(where, text, "phase"),
        shape=text["shape"],
        record=text["record"],
        why_off=text["why_off"],
        replaced_by=_number(where, text, "replaced_by") if text["replaced_by"] else None,
        endpoint=replace(_endpoint(path, parameters, envelope, paging), timeout=timeout),
    )


def _endpoint(path: str, parameters: Sequence[Parameter], envelope: Envelope, paging: Paging) -> Endpoint:
    columns = {each.name: f"{{{each.table}.{parent_column(each)}}}" for each in parameters}
    gives = {column_of(each.name): parent_column(each) for each in parameters}
    return Endpoint(
        path=_PLACEHOLDER.sub(lambda found: columns[found[1]], path.lstrip("/")),
        envelope=envelope,
        paging=paging,
        per=Each(parameters[0].table, gives=gives) if parameters else None,
    )


def _read_parameter(where: str, text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if not found:
        raise ValueError(f"{where}: {text!r} is not of the form studyId=dim_studies_staging.data->>'id'")
    return Parameter(name=found[1], table=found[2], column=found[3])


def _check_cycles(jobs: Sequence[Job]) -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for job in jobs:
        graph[job.table] |= {each.table for each in job.parameters}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise ValueError(f"these tables are each other's parents: {' -> '.join(error.args[1])}") from None


def _number(where: str, line: Mapping[str, str], column: str) -> int:
    return _as(where, line, column, int, "a number")


def _flag(where: str, line: Mapping[str, str], column: str) -> bool:
    return _as(where, line, column, _FLAGS.__getitem__, "yes or no")


def _as(where: str, line: Mapping[str, str], column: str, read: Callable[[str], T], expected: str) -> T:
    try:
        return read(line[column])
    except (KeyError, ValueError):
        raise ValueError(f"{where}: {column} is {line[column]!r}, and {expected} was expected") from None


def _named(job: Job) -> str:
    return f"job {job.id} ({job.name})"
