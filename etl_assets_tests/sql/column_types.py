"""What types the columns of the built models have, and what `sql/column_types.yaml` says of them."""

from collections.abc import Collection

import psycopg
import yaml

from etl_assets.orchestration.models.column_types import model_column_types

LINE_WIDTH = 118


def check_column_types(warehouse: psycopg.Connection, *schemas: str) -> None:
    """Compare the file with what dbt has made in some schemas; what it should say is in the error."""
    found = built_types(warehouse, schemas)
    assert found
    wrong = {name: types for name, types in sorted(found.items()) if model_column_types().get(name) != types}
    assert not wrong, "sql/column_types.yaml should say:\n" + as_yaml(wrong)


def built_types(warehouse: psycopg.Connection, schemas: Collection[str]) -> dict[str, dict[str, str]]:
    """The types of the columns of what the transformer owns, by relation; a partition is its table's."""
    rows = warehouse.execute(
        "select class.relnamespace::regnamespace::text || '.' || class.relname, attname, format_type(atttypid, null)"
        " from pg_class as class inner join pg_attribute on attrelid = class.oid and attnum > 0 and not attisdropped"
        " where class.relnamespace::regnamespace::text = any(%s) and relkind in ('r', 'p', 'v') and not relispartition"
        " and relowner = 'etl_transformer'::regrole order by 1, attnum",
        [list(schemas)],
    )
    found: dict[str, dict[str, str]] = {}
    for relation, column, kind in rows:
        found.setdefault(relation, {})[column] = kind
    return found


def as_yaml(relations: dict[str, dict[str, str]]) -> str:
    """The same as the file has it: the names of the columns of each type in a line."""
    grouped: dict[str, dict[str, str]] = {}
    for relation, types in relations.items():
        by_type = grouped.setdefault(relation, {})
        for name, kind in types.items():
            by_type[kind] = f"{by_type.get(kind, '')} {name}".strip()
    return yaml.safe_dump(grouped, sort_keys=False, width=LINE_WIDTH)
