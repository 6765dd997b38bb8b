"""Type mapping of MySQL: what each type becomes in staging, and how values that PostgreSQL cannot hold are converted.

| MySQL | staging |
|---|---|
| tinyint (also `tinyint(1)`, and unsigned), smallint, year | smallint |
| smallint unsigned, mediumint (also unsigned), int | integer |
| int unsigned, bigint | bigint |
| bigint unsigned | numeric(20,0) |
| bit(1); bit(2) to bit(63); bit(64) | boolean; bigint; numeric(20,0) |
| decimal(p,s) | numeric(p,s) |
| float; double | real; double precision |
| date; datetime; timestamp | date; timestamp; timestamptz |
| time | interval: it may be negative, and go to 838 hours |
| char, varchar, all texts, enum, set, json; anything else, as the source writes it | text |
| binary, varbinary, all blobs, geometry (as stored: SRID and WKB) | bytea |

The type comes from the declaration alone, never from the data. What is converted, and counted by `sums`:

- `zero_date`: a date that is none (0000-00-00, 2024-05-00, any day of the year 0) becomes null. 0001-01-01 is
  a date, and is kept. A day that its month does not have (2024-02-31, which only sql_mode ALLOW_INVALID_DATES lets in)
  becomes null where rows are read with `without_nul`.
- `nul`: the NUL characters of a text are left out, where rows are read with `without_nul`.
- `half_pair`: half a surrogate pair, which MySQL lets into UTF-8, becomes U+FFFD, likewise.

Text is brought to UTF-8.
"""

import re
from dataclasses import dataclass

_TYPE = re.compile(r"(?P<name>\w+)(?:\((?P<arguments>.*?)\))?(?P<rest>.*)", re.DOTALL)
_WHOLE = {
    "tinyint": ("smallint", "smallint"),
    "smallint": ("smallint", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "bigint"),
    "integer": ("integer", "bigint"),
    "bigint": ("bigint", "numeric(20,0)"),
}
_OTHERS = {
    "year": "smallint",
    "float": "real",
    "double": "double precision",
    "real": "double precision",
    "date": "date",
    "datetime": "timestamp",
    "timestamp": "timestamptz",
    "time": "interval",
}
_BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
_GEOMETRIES = (
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon",
    "geometrycollection", "geomcollection",
)  # fmt: skip
_LONG = ("mediumtext", "longtext", "mediumblob", "longblob", "json")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_WIDEST_BIGINT = 63
_WRITTEN_BYTES = {"tinytext": 1024, "tinyblob": 1024, "text": 4 << 16, "blob": 4 << 16}
_UTF8 = ("utf8", "utf8mb3", "utf8mb4", "ascii")


@dataclass(frozen=True, kw_only=True)
class MysqlType:
    """A parsed MySQL type."""

    name: str
    arguments: str
    unsigned: bool
    charset: str
    """The character set of a text that is not in UTF-8."""

    @classmethod
    def parse(cls, declared: str) -> "MysqlType":
        """Parse a type such as `varchar(20) character set latin1` or `bigint(20) unsigned`."""
        # The arguments of an enum may hold brackets; only numbers of other types are looked at.
        found = _TYPE.match(declared.strip())
        name, arguments, rest = (
            (found["name"], found["arguments"] or "", found["rest"]) if found else (declared, "", "")
        )
        charset = declared.rpartition(" character set ")[2] if " character set " in declared else ""
        return cls(name=name.lower(), arguments=arguments, unsigned="unsigned" in rest, charset=charset)

    @property
    def is_text(self) -> bool:
        """Whether its values are characters, with a character set."""
        return self.name in _TEXTS

    @property
    def is_geometry(self) -> bool:
        """Whether its values are geometry."""
        return self.name in _GEOMETRIES

    @property
    def is_bytes(self) -> bool:
        """Whether its values are bytes."""
        return self.name in _BYTES or self.is_geometry

    @property
    def is_long(self) -> bool:
        """Whether a value may be too long for a packet of the source."""
        return self.name in _LONG or self.is_geometry

    @property
    def max_copy_bytes(self) -> int:
        """The most bytes of a value in COPY's text format; not known of a long type."""
        if self.name in {"char", "varchar", "binary", "varbinary"}:
            # A character has four bytes at most, an escaped one two; a byte is two digits.
            return 4 * int(self.arguments or 1) + 4
        if self.name in {"enum", "set"}:
            return 4 * len(self.arguments)
        return _WRITTEN_BYTES.get(self.name, 128)

    @property
    def staging_type(self) -> str:
        """The PostgreSQL type that holds all its values."""
        if self.name in _WHOLE:
            return _WHOLE[self.name][self.unsigned]
        if self.name == "bit":
            bits = int(self.arguments or 1)
            if bits == 1:
                return "boolean"
            return "bigint" if bits <= _WIDEST_BIGINT else "numeric(20,0)"
        if self.name in {"decimal", "numeric"}:
            return f"numeric({self.arguments or '10,0'})"
        return _OTHERS.get(self.name) or ("bytea" if self.is_bytes else "text")


def declared_type(column_type: str, charset: str | None) -> str:
    """The type as declared, with the character set appended where text is not in UTF-8."""
    if charset and charset not in _UTF8 and MysqlType.parse(column_type).is_text:
        return f"{column_type} character set {charset}"
    return column_type
