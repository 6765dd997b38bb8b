"""Daily samples: measures as they were on each day, which trends and forecasts are made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg.types.json import Jsonb

KEPT_DAYS = 400


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One measure of one day."""

    measure: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Series = list[tuple[date, float]]
"""A measure by day, the oldest first; days without a sample are left out."""


def record_samples(connection: psycopg.Connection, day: date, samples: Iterable[Sample]) -> None:
    """Record the samples of a day in one transaction, in place of earlier ones of it; forget those of long ago.

    Args:
        connection: As the loader.
        day: Of which they are.
        samples: Each measure and its labels once.
    """
    with connection.transaction():
        connection.cursor().executemany(
            "insert into etl.daily_sample (day, measure, labels, value) values (%s, %s, %s, %s)"
            " on conflict (measure, labels, day) do update set value = excluded.value, sampled_at = now()",
            # In one order, so that two who write the same day do not wait for each other.
            [
                (day, each.measure, Jsonb(dict(each.labels)), each.value)
                for each in sorted(samples, key=lambda each: (each.measure, sorted(each.labels.items())))
            ],
        )
        connection.execute("delete from etl.daily_sample where day <= %s::date - %s", [day, KEPT_DAYS])


def read_samples(
    connection: psycopg.Connection, measure: str, *, since: date
) -> list[tuple[Mapping[str, str], Series]]:
    """The samples of a measure from a day on: a series for each of its labels."""
    rows = connection.execute(
        "select labels, array_agg(day order by day), array_agg(value order by day) from etl.daily_sample"
        " where measure = %s and day >= %s group by labels order by labels",
        [measure, since],
    )
    return [(labels, list(zip(days, values, strict=True))) for labels, days, values in rows]
