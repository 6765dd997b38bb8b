"""Incremental reading of a job's list: only what has changed is asked for, where the service takes such a question."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus

from etl_assets.declare.document_reader import DocumentPage, DocumentReader
from etl_assets.declare.endpoints import ChangedSince
from etl_assets.declare.rest import RestTable
from etl_assets.loading.rest.job_progress import JobProgress
from etl_assets.readers.rest.client import RequestRejected
from etl_assets.readers.rest.retries import ServerError


def read_list(reader: DocumentReader, table: RestTable, progress: JobProgress) -> Iterator[DocumentPage]:
    """The pages of a job's list: since `progress.since`, or all of them.

    A service that refuses to be asked so (400), or fails of it each time (500), is asked for the whole list; the
    progress then says that it is whole, and a note that it was refused.

    Raises:
        As `DocumentReader.read`.
    """
    changes = table.endpoint.changes
    if progress.since and changes:
        came = False
        try:
            for page in reader.read(_only_changes(table, changes, progress.since)):
                came = True
                yield page
        except (RequestRejected, ServerError) as error:
            if came or (isinstance(error, RequestRejected) and error.status != HTTPStatus.BAD_REQUEST):
                raise
            progress.since = None
            progress.notes.append(f"job {progress.job.id} of {progress.instance} was read whole: {error}")
        else:
            return
    yield from reader.read(table)


def _only_changes(table: RestTable, changes: ChangedSince, since: datetime) -> RestTable:
    wanted = changes.form.format(stamp=changes.stamp.replace(".", "/"), since=_moment(since))
    parameters = {**table.endpoint.parameters, changes.parameter: wanted}
    return replace(table, endpoint=replace(table.endpoint, parameters=parameters, changes=None))


def _moment(since: datetime) -> str:
    return f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
