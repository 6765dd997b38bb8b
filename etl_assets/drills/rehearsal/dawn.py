"""The morning after: models are built of what the night has left, and compared with what they should be."""

import shutil
import time
from collections.abc import Iterator

import psycopg
from psycopg import sql

from etl_assets.drills.installation import scratch_installation
from etl_assets.drills.rehearsal.comparison import Discrepancy, TableTruth, find_discrepancies
from etl_assets.drills.rehearsal.hospital import Hospital
from etl_assets.drills.rehearsal.night import FINE, Night, Trouble
from etl_assets.drills.rehearsal.places import Place
from etl_assets.warehouse.connection import connect
from etl_assets.warehouse.relation import Relation

_BOOKKEEPING = ("etl_batch_id", "created_at", "updated_at", "loaded_at")
_MODELS = """
    select table_name, column_name from information_schema.columns
    where
        table_schema = %s and (table_name like 'fact\\_%%' or table_name like 'mart\\_%%')
        and column_name not like '%%\\_key' and column_name <> all(%s)
    order by table_name, ordinal_position
"""
"""Facts and marts, without the numbers that each warehouse gives its members itself."""


def full_build_writes_nothing(night: Night, place: Place) -> None:
    """Build what changed, and then everything: what the second finds to write, the first has lost or doubled."""
    trouble = Trouble(f"{place.source.name}: a build of everything, after all that")
    began = time.monotonic()
    whole = place.whole_words
    codes = [night.etl("run", place.source.name, *place.run_words).code]
    ((last,),) = night.at.query("select coalesce(max(build_id), 0) from etl.model_build")
    codes.append(night.etl("run", place.source.name, *place.run_words, *whole, "--rebuild").code)
    built = night.at.query(
        "select relation, rows_changed from etl.model_build where build_id > %s and relation not like '%%.\\_%%'", last
    )
    written = {relation: rows for relation, rows in built if rows}
    is_through = bool(built) and all(code in FINE for code in codes)
    trouble.healed = f"{time.monotonic() - began:.0f} s" if is_through else f"NOT: exit {codes}, {len(built)} built"
    trouble.pass_by(f"{len(built)} models, {sum(written.values())} rows written")
    trouble.difference = Discrepancy(rows=len(built), lost=sum(written.values()), where=tuple(written))
    night.note(trouble, is_right=is_through)


def undisturbed_load_makes_the_same(night: Night, hospital: Hospital) -> None:
    """Load the files in force into another warehouse, undisturbed: its staging, facts and marts are the same."""
    trouble = Trouble("operating_room: against a warehouse that was loaded undisturbed")
    began = time.monotonic()
    with scratch_installation({}) as twin:
        for path in hospital.delivered.in_force():
            shutil.copy(path, twin.landing)
        twin.etl("run", hospital.source.name)
        with connect(night.at.settings, role=None) as connection, connect(twin.settings, role=None) as other:
            trouble.difference = find_discrepancies(connection, _models(other, hospital.source.name))
            trouble.difference += find_discrepancies(connection, hospital.truths())
            lost_here = find_discrepancies(other, _models(connection, hospital.source.name))
    trouble.difference += Discrepancy(doubled=lost_here.lost, where=lost_here.where)
    trouble.healed = f"{time.monotonic() - began:.0f} s"
    trouble.pass_by(f"{trouble.difference.rows:,} rows of staging, facts and marts")
    night.note(trouble, is_right=trouble.difference.rows > 0)


def _models(warehouse: psycopg.Connection, schema: str) -> Iterator[TableTruth]:
    """The facts and marts as a warehouse has them."""
    columns: dict[str, list[str]] = {}
    for table, column in warehouse.execute(_MODELS, [schema, list(_BOOKKEEPING)]).fetchall():
        columns.setdefault(table, []).append(column)
    for table, names in columns.items():
        relation = Relation(schema, table)
        listed = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        rows = warehouse.execute(sql.SQL("select {} from {}").format(listed, relation.identifier)).fetchall()
        yield TableTruth(relation=relation, columns=names, keys=[], rows=rows)
