"""The types of the models' columns, as `sql/column_types.yaml` has them: a line a type, by relation.

They come out of SQL, and only a warehouse knows them; the code location asks none. Tests hold the file against what
dbt builds.
"""

from functools import cache

from etl_assets.declare.yaml_text import parse_yaml
from etl_assets.settings import PROJECT

PATH = PROJECT / "sql" / "column_types.yaml"


@cache
def model_column_types() -> dict[str, dict[str, str]]:
    """The type of each column, by the name of its relation."""
    relations = parse_yaml(PATH.read_text())
    return {
        relation: {name: kind for kind, names in by_type.items() for name in names.split()}
        for relation, by_type in relations.items()
    }
