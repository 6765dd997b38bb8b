"""TrackTik: guards, posts, shifts, and what is billed for them. See README.md here for access and what is odd."""

from datetime import timedelta

from etl_assets.declare.source import Service, Source
from etl_assets.sources.tracktik.reader import NEEDS, connect
from etl_assets.sources.tracktik.rules import RULES
from etl_assets.sources.tracktik.tables import CALENDAR, TABLES

SOURCE = Source(
    name="tracktik",
    title="TrackTik workforce",
    schema="tracktik_staging",
    reader=Service(connect=connect, needs=NEEDS, cron="10 * * * *", sweep_cron="30 1 * * 0"),
    tables=TABLES,
    rules=RULES,
    calendar=CALENDAR,
    owner="team:workforce",
    fresh_within=timedelta(hours=3),
)
