"""A table of the warehouse, and the SQL identifiers that name it safely."""

from dataclasses import dataclass

from psycopg import sql


@dataclass(frozen=True)
class Relation:
    """A schema-qualified table or view."""

    schema: str
    name: str

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name, for composing SQL."""
        return sql.Identifier(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"
