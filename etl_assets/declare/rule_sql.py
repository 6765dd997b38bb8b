"""The SQL text of rules: SELECTs of one row a finding, laid out to be read by people and run in psql."""

import re
from collections.abc import Sequence

from etl_assets.declare.tables import NAME

_IN_BRACES = re.compile(r"\{([^{}]*)\}")
_LINE = 90
"""A longer message is broken into lines."""
_COLUMN = re.compile(r"^[a-z_][a-z0-9_.]*$")


def is_column(name: str) -> bool:
    """Whether this can be the name of a column as staging spells it."""
    return NAME.match(name) is not None


def is_relation(name: str) -> bool:
    """Whether this can be the name of a relation of the warehouse: `schema.table`."""
    schema, _, table = name.partition(".")
    return is_column(schema) and is_column(table)


def literal(text: str) -> str:
    """A string constant. A percent sign is doubled, for the driver looks for `%(name)s` between quotes too."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def message_sql(template: str, null: str = "?") -> str:
    """The expression of a message such as `of claim {claimnum}, which is not there`.

    Args:
        template: Text, and in braces columns or other SQL expressions of the row.
        null: What stands in the message for an expression that is null; without it all of the message would be.
    """
    text_and_expressions = _IN_BRACES.split(template)
    parts = [
        _as_text(part, null) if number % 2 else literal(part)
        for number, part in enumerate(text_and_expressions)
        if part
    ]
    message = " || ".join(parts) or literal("")
    return message if len(message) <= _LINE else "\n        || ".join(parts)


def select_findings(
    *, field: str, value: str, message: str, conditions: Sequence[str], relation: str = "looked_at"
) -> str:
    """The SELECT of the rows of `relation` that all of `conditions` hold of, one finding a row.

    Args:
        field: What the finding is about, as text.
        value: An expression, of type text.
        message: An expression, of type text; see `message_sql`.
        conditions: At least one.
        relation: What stands after `from`; it has `row_key` and `row_slice`.
    """
    columns = ("row_key", f"{literal(field)} as field", f"{value} as value", f"{message} as message", "row_slice")
    listed, every = ",\n    ".join(columns), "\n    and ".join(conditions)
    return f"select\n    {listed}\nfrom {relation}\nwhere\n    {every}"


def _as_text(expression: str, null: str) -> str:
    operand = expression if _COLUMN.match(expression) else f"({expression})"
    return f"coalesce({operand}::text, {literal(null)})"
