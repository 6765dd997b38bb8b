"""GoHighLevel: the contacts of TrialSync's recruiting, and their custom fields. See README.md here for access."""

from datetime import timedelta

from etl_assets.declare.service import Service
from etl_assets.declare.source import Source
from etl_assets.sources.gohighlevel.reader import REQUIRED_SETTINGS, connect_gohighlevel
from etl_assets.sources.gohighlevel.rules import RULES
from etl_assets.sources.gohighlevel.tables import TABLES

SOURCE = Source(
    name="gohighlevel",
    title="GoHighLevel contacts",
    schema="trialsync_staging",
    reader=Service(
        connect=connect_gohighlevel,
        required_settings=REQUIRED_SETTINGS,
        cron="30 0 * * *",
        sweep_cron="30 0 * * 0",
        instances=True,
    ),
    tables=TABLES,
    rules=RULES,
    owner="team:trials",
    fresh_within=timedelta(hours=30),
)
