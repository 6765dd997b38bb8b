"""Open Dental: a dental practice's own database. See README.md here for access and what is odd."""

from datetime import date, timedelta

from etl_assets.declare.database import Database
from etl_assets.declare.source import Source
from etl_assets.sources.open_dental.reader import REQUIRED_SETTINGS, connect_open_dental
from etl_assets.sources.open_dental.rules import RULES
from etl_assets.sources.open_dental.tables import CATALOGUE, SUBJECTS, TABLES

SOURCE = Source(
    name="open_dental",
    title="Open Dental",
    schema="open_dental",
    reader=Database(
        connect=connect_open_dental,
        required_settings=REQUIRED_SETTINGS,
        cron="20 * * * *",
        sweep_cron="40 2 * * *",
        start=date(2000, 1, 1),
        catalogue=CATALOGUE,
        subjects=SUBJECTS,
    ),
    tables=TABLES,
    rules=RULES,
    owner="team:dental",
    fresh_within=timedelta(hours=26),
)
