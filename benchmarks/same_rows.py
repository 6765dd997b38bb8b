"""Whether two warehouses hold the same rows: every relation of staging, dimensions, facts and marts, by content.

    python -m benchmarks.same_rows URL OTHER_URL [--ignore COLUMN ...]

For a change that is to change no rows: load the same sandbox by the code before and the code after, each into a
warehouse of its own (`etl url` prints its URL), and compare. Left out is what differs between any two loads by one
code: moments at which something was loaded, and batches (`OF_THE_LOAD`). `--ignore` takes the same words: a column,
`schema.relation`, or `schema.relation.column`.
"""

import argparse
import sys
from collections.abc import Collection

import psycopg
from psycopg import sql

OF_THE_LOAD = (
    "etl_batch_id", "load_datetime", "first_load_datetime", "last_update_datetime", "loaded_at", "first_loaded_at",
    "created_at", "updated_at",
    # Control views, which show the ledger.
    "stg.etl_control", "stg.file_tracking", "tracktik.data_quality_issues", "tracktik.etl_batches",
    "tracktik.etl_sync_status",
    # Where the source has no moment of its own, a version begins when it was first loaded.
    "open_dental_mart.dim_clinic.valid_from", "open_dental_mart.dim_definition.valid_from",
    "open_dental_mart.dim_user.valid_from", "tracktik_typed.stg_back_office_settings.effective_at",
    "tracktik_typed.stg_employment_profiles.effective_at", "tracktik_typed.stg_holiday_groups.effective_at",
    "tracktik_typed.stg_overtime_rule_items.effective_at", "tracktik_typed.stg_overtime_rules.effective_at",
    "tracktik_typed.stg_payroll_codes.effective_at",
)  # fmt: skip
RELATIONS = """
    select nspname, relname, array_agg(attname::text order by attname)
    from pg_class
    inner join pg_namespace on pg_namespace.oid = relnamespace
    inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    where
        relkind in ('r', 'p', 'v', 'm')
        and not relispartition
        and nspname not in ('pg_catalog', 'information_schema', 'public', 'etl')
        and nspname not like 'pg_t%'
    group by nspname, relname
    order by nspname, relname
"""


def main() -> int:
    """Compare; returns 1 where anything differs."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url")
    options.add_argument("other_url")
    options.add_argument("--ignore", nargs="*", default=[], metavar="NAME", help="what may differ besides")
    chosen = options.parse_args()
    with psycopg.connect(chosen.url) as one, psycopg.connect(chosen.other_url) as other:
        for connection in (one, other):
            connection.execute("set time zone 'UTC'; set extra_float_digits to 1")
        return compare(one, other, {*OF_THE_LOAD, *chosen.ignore})


def compare(one: psycopg.Connection, other: psycopg.Connection, ignored: Collection[str]) -> int:
    """Print a line a relation that differs, and what was compared."""
    here, there = ({(a, b): columns for a, b, columns in c.execute(RELATIONS)} for c in (one, other))
    differing = rows = 0
    for name in sorted(here.keys() | there.keys()):
        full = ".".join(name)
        if full in ignored:
            continue
        if here.get(name) != there.get(name):
            print(f"{full}: columns {here.get(name)} and {there.get(name)}")
            differing += 1
            continue
        columns = [column for column in here[name] if not {column, f"{full}.{column}"} & set(ignored)]
        number, content = contents(one, name, columns)
        rows += number
        if (number, content) == contents(other, name, columns):
            continue
        differing += 1
        apart = [column for column in columns if contents(one, name, [column]) != contents(other, name, [column])]
        print(f"{full}: {number:,} and {contents(other, name, [])[0]:,} rows; columns that differ: {apart}")
    print(f"{len(here):,} relations, {rows:,} rows compared; {differing} differ.")
    return 1 if differing else 0


def contents(connection: psycopg.Connection, name: tuple[str, str], columns: list[str]) -> tuple[int, object]:
    """How many rows there are, and a number that does not depend on their order."""
    row = sql.SQL("row({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
    found = connection.execute(
        sql.SQL("select count(*), sum(hashtextextended({}, 0)::numeric) from {}").format(row, sql.Identifier(*name))
    ).fetchone()
    return found or (0, None)


if __name__ == "__main__":
    sys.exit(main())
