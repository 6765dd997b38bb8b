"""TrackTik: guards, posts, shifts, and what is billed for them. See README.md here for access and what is odd."""

from datetime import timedelta

from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.sources.tracktik.reader import REQUIRED_SETTINGS, connect_tracktik
from etl_assets.sources.tracktik.rules import RULES
from etl_assets.sources.tracktik.tables import CALENDAR, TABLES

SOURCE = Source(
    name="tracktik",
    title="TrackTik workforce",
    schema="tracktik_staging",
    reader=Service(
        connect=connect_tracktik, required_settings=REQUIRED_SETTINGS, cron="10 * * * *", sweep_cron="30 1 * * 0"
    ),
    tables=TABLES,
    rules=RULES,
    calendar=CALENDAR,
    owner="team:workforce",
    fresh_within=timedelta(hours=3),
)
