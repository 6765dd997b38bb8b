"""What is declared of a service's jobs, held against the vendor's specification: endpoints, records, fields."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.endpoints import Job
from etl_assets.readers.rest.specification import Model, Operation, Specification

_LISTS = {"odata": ("page", "array"), "array": ("array",), "strings": ("strings",), "object": ("object",)}
"""How the answers of a job's shape are called in the specification; some OData lists are declared as plain arrays."""


def job_drift(jobs: Sequence[Job], specification: Specification) -> Iterator[str]:
    """Say where the list of jobs and the specification part, a line each.

    Args:
        jobs: With their paths, shapes and records.
        specification: The vendor's, or what was written down of it.
    """
    for job in jobs:
        found = specification.find(job.path)
        if found is None or not found.shape:
            if job.record:
                yield f"job {job.id} ({job.name}): the vendor no longer has {job.path}"
        elif not job.record:
            if not job.replaced_by:
                yield f"job {job.id} ({job.name}): the vendor has {job.path} now, with {found.model or found.shape}"
        else:
            yield from _answer_drift(job, found)


def _answer_drift(job: Job, found: Operation) -> Iterator[str]:
    if found.shape not in _LISTS.get(job.shape, ()):
        yield f"job {job.id} ({job.name}): the answer is of shape {found.shape}, and the list of jobs says {job.shape}"
    if found.model and found.model != job.record:
        yield f"job {job.id} ({job.name}): the records are {found.model}, and the list of jobs says {job.record}"


def shape_drift(declared: Specification, vendors: Specification) -> Iterator[str]:
    """Say where what was written down of a specification and the specification itself part, a line each.

    Args:
        declared: What was written down.
        vendors: The same paths of the vendor's own.
    """
    for operation in declared.operations:
        found = vendors.find(operation.path)
        if found is None:
            yield f"{operation.path} is gone"
        elif found != operation:
            yield f"{operation.path} answers with {found.shape} of {found.model} ({', '.join(found.codes)})"
    known = {operation.path for operation in declared.operations}
    yield from (f"{operation.path} is new" for operation in vendors.operations if operation.path not in known)
    for name in sorted({*declared.models, *vendors.models}):
        yield from _field_drift(name, declared.models.get(name, {}), vendors.models.get(name, {}))


def _field_drift(model: str, declared: Model, found: Model) -> Iterator[str]:
    for field in dict.fromkeys([*declared, *found]):
        before, now = declared.get(field), found.get(field)
        if before == now:
            continue
        if now is None:
            yield f"{model}.{field} is gone; it was {before}"
        elif before is None:
            yield f"{model}.{field} is new: {now}"
        elif before.values and now.values:
            more, less = set(now.values) - set(before.values), set(before.values) - set(now.values)
            changes = [f"may be {value}" for value in sorted(more)] + [
                f"is no longer {value}" for value in sorted(less)
            ]
            yield f"{model}.{field} {' and '.join(changes)}"
        else:
            yield f"{model}.{field} is {now}, and was {before}"
