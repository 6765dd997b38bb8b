"""What a table that outlives its source keeps besides its rows: rows as they were, and rows that it does not take.

Neither is ever lost: what the source changes is kept as it was, and of a table that is only appended to what the source
has changed is not believed at all, and kept apart.
"""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from etl_assets.declare.database import WHOLE_NUMBERS, Piece
from etl_assets.warehouse.database.staging import Target

REFUSED = "pg_temp.etl_refused"
"""The keys of the rows that arrived and were refused."""


@dataclass(frozen=True)
class Refused:
    """Rows that the source has under keys by which others are held."""

    rows: int = 0
    first_key: object = None
    last_key: object = None


def keep_overwritten(connection: psycopg.Connection, target: Target, chosen: str) -> None:
    """Keep rows as they are, before they are updated; for good.

    Args:
        connection: In the transaction that changes them.
        target: Whose rows.
        chosen: A relation of the session with their keys.
    """
    connection.execute(
        target.statement(
            "insert into etl.row_overwritten (relation, row_key, batch_id, was)"
            " select {name}, (jsonb_build_array({held_keys}))::text, {batch}, to_jsonb(held)"
            f" from {{target}} as held inner join {chosen} as said on {{same}}",
            name=sql.Literal(str(target.relation)),
        )
    )


def refuse(connection: psycopg.Connection, target: Target, piece: Piece, *, arrived: str, chosen: str) -> int:
    """Keep rows that arrived apart, for others are held by their keys.

    Args:
        connection: With its transaction begun; neither committed nor rolled back here.
        target: Which is only appended to.
        piece: What was read: of the rest nothing is said.
        arrived: The temporary table of the rows.
        chosen: A relation of the session with the keys of those to refuse.

    Returns:
        How many of them were not known, or not so.
    """
    connection.execute(target.statement(f"insert into {REFUSED} select {{said_keys}} from {chosen} as said"))
    name = {"name": sql.Literal(str(target.relation))}
    refused = (
        "select (jsonb_build_array({said_keys}))::text as row_key, to_jsonb(said) as said"
        f" from {arrived} as said inner join {chosen} as held on {{same}}"
    )
    connection.execute(
        target.statement(
            "update etl.row_refused as image set stands = false where relation = {name} and stands and exists ("
            f"     select from {arrived} as said"
            "     where (jsonb_build_array({said_keys}))::text = image.row_key and {within})"
            f" and not exists (select from ({refused}) as now where now.row_key = image.row_key"
            "     and now.said = image.said)",
            within=target.within(piece, of="said"),
            **name,
        )
    )
    return connection.execute(
        target.statement(
            "insert into etl.row_refused as image (relation, row_key, batch_id, said)"
            f" select {{name}}, row_key, {{batch}}, now.said from ({refused}) as now"
            " on conflict (relation, row_key, md5(said::text)) do update set stands = true where not image.stands",
            **name,
        )
    ).rowcount


def stand_down(connection: psycopg.Connection, target: Target, gone: str | None = None) -> None:
    """Remember that the source has no rows by these keys any more, refused ones neither; or by any keys."""
    among = f"exists (select from {gone} as said where (jsonb_build_array({{said_keys}}))::text = image.row_key)"
    connection.execute(
        target.statement(
            "update etl.row_refused as image set stands = false"
            f" where relation = {{name}} and stands and {among if gone else 'true'}",
            name=sql.Literal(str(target.relation)),
        )
    )


def standing(connection: psycopg.Connection, target: Target) -> Refused:
    """The rows that the source has still, as far as it was read, and that are not held."""
    bounds = "min((row_key::jsonb ->> 0)::numeric), max((row_key::jsonb ->> 0)::numeric)"
    if len(target.keys) != 1 or target.columns[target.keys[0]] not in WHOLE_NUMBERS:
        bounds = "null, null"
    row = connection.execute(
        f"select count(*), {bounds} from etl.row_refused where relation = %s and stands", [str(target.relation)]
    ).fetchone()
    return Refused(*row) if row else Refused()
