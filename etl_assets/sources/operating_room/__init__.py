"""Operating room: block schedules, cases and bookings, as files. See README.md here for access and quirks."""

from datetime import timedelta

from etl_assets.declare.source import Source
from etl_assets.sources.operating_room.reader import READER
from etl_assets.sources.operating_room.rules import RULES
from etl_assets.sources.operating_room.tables import TABLES

SOURCE = Source(
    name="operating_room",
    title="Operating room",
    schema="stg",
    reader=READER,
    tables=TABLES,
    rules=RULES,
    owner="team:operating_room",
    fresh_within=timedelta(hours=36),
)
