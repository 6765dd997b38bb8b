"""TrialSync: the trials, subjects and visits of Clinical Conductor. See README.md here for access and what is odd."""

from datetime import date, timedelta
from pathlib import Path

from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.sources.trialsync.reader import REQUIRED_SETTINGS, connect_trialsync
from etl_assets.sources.trialsync.rules import RULES
from etl_assets.sources.trialsync.tables import TABLES

SOURCE = Source(
    name="trialsync",
    title="TrialSync trials",
    schema="trialsync_staging",
    reader=Service(
        connect=connect_trialsync,
        required_settings=REQUIRED_SETTINGS,
        cron="0 1 * * *",
        sweep_cron="0 1 * * 0",
        start=date(2015, 1, 1),
        shapes=Path(__file__).with_name("shapes.yaml"),
        parallel_requests=16,  # ten a second, the most that an instance is asked, where an answer takes 1.6 s
        instances=True,
    ),
    tables=TABLES,
    rules=RULES,
    owner="team:trials",
    fresh_within=timedelta(hours=30),
)
