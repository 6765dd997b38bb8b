"""Lacrei Saude: health care for LGBTQIAPN+ people in Brazil. See README.md here for access and what may be loaded."""

from datetime import date, timedelta

from etl_assets.declare.database import Database
from etl_assets.declare.source import Source
from etl_assets.sources.lacrei_saude.publication import PUBLICATION
from etl_assets.sources.lacrei_saude.reader import REQUIRED_SETTINGS, connect_lacrei_saude
from etl_assets.sources.lacrei_saude.rules import RULES
from etl_assets.sources.lacrei_saude.tables import CATALOGUE, SUBJECTS, TABLES

SOURCE = Source(
    name="lacrei_saude",
    title="Lacrei Saude",
    schema="lacreisaude_staging_01",
    reader=Database(
        connect=connect_lacrei_saude,
        required_settings=REQUIRED_SETTINGS,
        cron="10 * * * *",
        sweep_cron="10 3 * * *",
        start=date(2021, 1, 1),
        catalogue=CATALOGUE,
        subjects=SUBJECTS,
    ),
    tables=TABLES,
    rules=RULES,
    owner="team:lacrei_saude",
    fresh_within=timedelta(hours=26),
    layers={
        "staging_01": ("staging",),
        "staging_02": ("lookup", "typed"),
        "model": ("intermediate", "dimension", "fact"),
        "mart": ("mart",),
    },
    publication=PUBLICATION,
)
