"""A model as it is and as a preview has built it: columns, rows, keys, values and totals that differ."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import sql

from etl_assets.warehouse.preview import preview_relation
from etl_assets.warehouse.relation import Relation, column_list

SAMPLE_KEYS = 5
_NUMBERS = {"smallint", "integer", "bigint", "real", "double precision"}
_WITHOUT_EQUALITY = {"json", "xml"}


@dataclass(frozen=True, kw_only=True)
class PreviewedModel:
    """A model that is compared."""

    relation: Relation
    key: Sequence[str] = ()
    """The columns that identify a row; without them rows are compared whole."""
    shown_key: Sequence[str] = ()
    """The columns that an example is named by; without them none is given."""
    not_compared: Sequence[str] = ()
    """Columns that say when and by whom a row was written."""
    written: Collection[str] | None = None
    """The columns that a build writes; None where nobody knows."""
    has_totals: bool = False
    """Whether its numbers are measures that can be added up."""


@dataclass(frozen=True, kw_only=True)
class Presence:
    """Rows whose key, or which as a whole, one side alone has."""

    rows: int = 0
    examples: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ModelDifference:
    """How a preview of a model differs from what is there."""

    relation: str
    is_new: bool = False
    """There is no such relation yet; nothing is compared."""
    rows_now: int = 0
    rows_previewed: int = 0
    columns_added: Mapping[str, str] = field(default_factory=dict)
    """The types, by name."""
    columns_removed: Mapping[str, str] = field(default_factory=dict)
    columns_retyped: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The type now, and that of the preview."""
    columns_given_up: Sequence[str] = ()
    """Those that the model has lost, and its table keeps: no build writes them any more."""
    only_now: Presence = Presence()
    only_previewed: Presence = Presence()
    values_changed: Mapping[str, int] = field(default_factory=dict)
    """In how many rows that both sides have a column differs."""
    totals: Mapping[str, tuple[Decimal | None, Decimal | None]] = field(default_factory=dict)
    """The sums that differ: now, and in the preview."""

    @property
    def differs(self) -> bool:
        """Whether anything would be another one."""
        return (
            self.is_new
            or self.only_now.rows + self.only_previewed.rows > 0
            or any((self.columns_added, self.columns_removed, self.columns_retyped, self.columns_given_up))
            or any((self.values_changed, self.totals))
        )


def compare_preview(connection: psycopg.Connection, model: PreviewedModel) -> ModelDifference:
    """Compare a model with its preview, column by column where rows have keys.

    Args:
        connection: As the previewer, while the preview's schemas are there.
        model: What is compared.
    """
    now = _column_types(connection, model.relation)
    previewed = _column_types(connection, preview_relation(model.relation))
    if not now:
        query = sql.SQL("select count(*) from {}").format(preview_relation(model.relation).identifier)
        (rows,) = connection.execute(query).fetchone() or (0,)
        return ModelDifference(relation=str(model.relation), is_new=True, rows_previewed=rows, columns_added=previewed)
    common = [name for name in now if name in previewed and name not in model.not_compared]
    compared = _Compared(connection, model, now, previewed, common)
    has_key = bool(model.key) and set(model.key) <= now.keys() & previewed.keys()
    rows_now, rows_previewed, only_now, only_previewed, values, totals = (
        compared.by_key() if has_key else compared.whole()
    )
    shown = has_key and set(model.shown_key) <= now.keys() & previewed.keys()
    return ModelDifference(
        relation=str(model.relation),
        rows_now=rows_now,
        rows_previewed=rows_previewed,
        columns_added={name: kind for name, kind in previewed.items() if name not in now},
        columns_removed={name: kind for name, kind in now.items() if name not in previewed},
        columns_retyped={
            name: (now[name], previewed[name]) for name in now if previewed.get(name, now[name]) != now[name]
        },
        columns_given_up=[
            name for name in now if model.written is not None and name in previewed and name not in model.written
        ],
        only_now=Presence(rows=only_now, examples=compared.examples(here=True) if only_now and shown else ()),
        only_previewed=Presence(
            rows=only_previewed, examples=compared.examples(here=False) if only_previewed and shown else ()
        ),
        values_changed=values,
        totals=totals,
    )


_Found = tuple[int, int, int, int, dict[str, int], dict[str, tuple[Decimal | None, Decimal | None]]]


@dataclass(frozen=True)
class _Compared:
    """Both sides of a model, and the columns that both have."""

    connection: psycopg.Connection
    model: PreviewedModel
    now: Mapping[str, str]
    previewed: Mapping[str, str]
    common: Sequence[str]

    def by_key(self) -> _Found:
        """Counts, and what differs a column, in one pass over both."""
        columns = [name for name in self.common if name not in self.model.key]
        measures = [name for name in columns if self.model.has_totals and self._is_measure(name)]
        differing = [
            sql.SQL("count(*) filter (where here.is_there and there.is_there and {} is distinct from {})").format(
                self._value("here", name), self._value("there", name)
            )
            for name in columns
        ]
        sums = [
            sql.SQL("sum({}::numeric)").format(sql.Identifier(side, name))
            for name in measures
            for side in ("here", "there")
        ]
        row = self._one_row(
            sql.SQL(
                "select count(here.is_there), count(there.is_there), count(*) filter (where there.is_there is null),"
                " count(*) filter (where here.is_there is null){rest} from {here} full join {there} on {alike}"
            ).format(
                rest=sql.SQL("").join(sql.SQL(", ") + each for each in (*differing, *sums)),
                here=self._side("here"),
                there=self._side("there"),
                alike=self._alike(),
            )
        )
        counts = dict(zip(columns, row[4:], strict=False))
        pairs = row[4 + len(columns) :]
        totals = {name: (pairs[2 * place], pairs[2 * place + 1]) for place, name in enumerate(measures)}
        return (
            *row[:4],
            {name: count for name, count in counts.items() if count},
            {name: pair for name, pair in totals.items() if pair[0] != pair[1]},
        )

    def whole(self) -> _Found:
        """Rows compared as such, each as often as it is there."""
        queries = {}
        for side in ("here", "there"):
            values = sql.SQL(", ").join(self._value(side, name) for name in self.common)
            queries[side] = sql.SQL("select {} from {}").format(values, self._side(side))
        row = self._one_row(
            sql.SQL(
                "select (select count(*) from ({here}) as a), (select count(*) from ({there}) as a),"
                " (select count(*) from ({here} except all {there}) as a),"
                " (select count(*) from ({there} except all {here}) as a)"
            ).format(**queries)
        )
        return (*row[:4], {}, {})

    def examples(self, *, here: bool) -> list[str]:
        """The keys of a few rows that one side alone has."""
        side, other = ("here", "there") if here else ("there", "here")
        rows = self.connection.execute(
            sql.SQL(
                "select concat_ws('|', {shown}) from {side} where not exists (select from {other} where {alike})"
                " order by {key} limit {most}"
            ).format(
                shown=column_list(self.model.shown_key, of=side),
                side=self._side(side),
                other=self._side(other),
                alike=self._alike(),
                key=column_list(self.model.key, of=side),
                most=SAMPLE_KEYS,
            )
        )
        return [key for (key,) in rows] if self.model.shown_key else []

    def _one_row(self, query: sql.Composed) -> tuple[Any, ...]:
        return self.connection.execute(query).fetchone() or ()

    def _side(self, side: str) -> sql.Composed:
        relation = self.model.relation if side == "here" else preview_relation(self.model.relation)
        return sql.SQL("(select *, true as is_there from {}) as {}").format(relation.identifier, sql.Identifier(side))

    def _alike(self) -> sql.Composed:
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(self._value("here", name), self._value("there", name)) for name in self.model.key
        )

    def _value(self, side: str, name: str) -> sql.Composed:
        """A value that can be compared with that of the other side."""
        as_text = self.now[name] != self.previewed[name] or self.now[name] in _WITHOUT_EQUALITY
        return sql.SQL("{}::text" if as_text else "{}").format(sql.Identifier(side, name))

    def _is_measure(self, name: str) -> bool:
        numeric = [kind in _NUMBERS or kind.startswith("numeric") for kind in (self.now[name], self.previewed[name])]
        return all(numeric) and not name.endswith(("_key", "_id"))


def _column_types(connection: psycopg.Connection, relation: Relation) -> dict[str, str]:
    """The columns of a relation and their types, in their order; none where there is no such relation."""
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        [relation.identifier.as_string(connection)],
    )
    return dict(rows.fetchall())
