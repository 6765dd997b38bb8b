"""An invented service of clinical trials: lists, windows, and arms for each study."""

from datetime import timedelta

import pytest

from etl_assets.declare.dates import Calendar
from etl_assets.declare.endpoints import Bare, Each, Endpoint, OnePage
from etl_assets.declare.rest import RestTable, Window, fields
from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Full


def endpoint(path: str, **words) -> Endpoint:
    return Endpoint(path=path, envelope=Bare(), paging=OnePage(), **words)


STUDIES = RestTable(name="studies", key="id", load=Full(), endpoint=endpoint("studies"))
VISITS = RestTable(name="visits", key="id", load=Window(slice_by="at"), endpoint=endpoint("visits", window="on"))
ARMS = RestTable(
    name="arms",
    key=("study_id", "code"),
    load=Full(),
    endpoint=endpoint("studies/{studies.id}/arms", per=Each("studies", gives={"study_id": "id"})),
    fields=fields(text="code"),
)


def source(*tables: RestTable, calendar: Calendar | None = None, name: str = "trials", **words) -> Source:
    service = Service(
        connect=lambda given: pytest.fail("nothing is connected by a declaration"),
        required_settings=("url", "key"),
        cron="0 * * * *",
        sweep_cron="0 3 * * 0",
        **words,
    )
    return Source(
        name=name,
        title="Trials",
        schema="trials_raw",
        reader=service,
        tables=tables,
        rules=(),
        owner="team:trials",
        fresh_within=timedelta(hours=3),
        calendar=calendar,
    )
