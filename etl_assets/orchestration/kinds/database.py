"""Databases: what changed is read often, and every row is compared at night; tables go by their importance."""

from collections.abc import Iterator, Sequence

from etl_assets.declare.copied_table import IMPORTANCES, CopiedTable
from etl_assets.declare.database import ERASURE_KEY
from etl_assets.declare.dates import Span
from etl_assets.declare.source import Source
from etl_assets.declare.tables import Table
from etl_assets.loading.database.load import DatabaseStrategy, worker_count
from etl_assets.loading.database.loaded_part import is_free_text_asked_for
from etl_assets.loading.database.plan import plan_tables
from etl_assets.loading.database.pseudonyms import pseudonym_key
from etl_assets.loading.database.secret_keys import secret_of
from etl_assets.loading.guards import allowed_hours
from etl_assets.loading.load import LoadOptions, LoadRequest
from etl_assets.orchestration.kinds.kind import Kind, LoadSchedule
from etl_assets.orchestration.models.subject_columns import subject_columns
from etl_assets.orchestration.partitions import recent_span
from etl_assets.quality.publication import least_persons
from etl_assets.settings import Settings


def changes_due(settings: Settings, source: Source) -> list[tuple[Span, str]]:
    """A database is always asked for what changed."""
    del settings
    return [(recent_span(source, 1), "what changed")]


def database_schedules(source: Source) -> Sequence[LoadSchedule]:
    """Often for what changed, and seldom for all: a row that is deleted, or written past its stamp, moves no cursor."""
    database = source.database
    return [
        LoadSchedule(name="changes", cron=database.cron, what="what changed"),
        LoadSchedule(
            name="sweep", cron=database.sweep_cron, what="every row, compared", options={"full_compare": True}
        ),
    ]


def ops_by_importance(source: Source) -> dict[str, list[Table]]:
    """One op for each class of importance, the critical ones first."""
    classes = {name: [t for t in source.tables if t.tags.get("importance") == name] for name in IMPORTANCES}
    return {f"load_{source.name}_{name}": tables for name, tables in classes.items() if tables}


def table_checks(table: Table) -> dict[str, str]:
    """What a load finds of a copied table, and what each check says."""
    if not isinstance(table, CopiedTable):
        return {}
    limits = table.monitoring
    checks = {
        "matches_source": "Rows and the sums of every column are those of the source."
        f" An error where less than {limits.data_quality_threshold:.0%} of the rows are.",
        "loads_in_time": f"Loading it took no more than {limits.max_extraction_time_minutes} minutes.",
    }
    if table.classes is not None:
        checks["everything_is_classified"] = (
            "Somebody has said of each column of the source what may be done with it. One that is new is not loaded."
        )
    if table.retain_deleted:
        checks["outlives_source"] = (
            "The source still has every row that is held here, and as it is held. Rows that it purged are kept, and so"
            " is what it overwrote; entries of a log that it says otherwise are refused: an error, when it is new."
        )
    return checks


def describe_plans(settings: Settings, source: Source, tables: Sequence[str], options: LoadOptions) -> Iterator[str]:
    """How each table would be read, and how many rows there are; nothing is read of them."""
    names = tables or [table.name for table in source.tables]
    plans = plan_tables(settings, source, names, full_compare=options.full_compare)
    for plan in plans:
        word = "FAILS: " if plan.fails else ""
        yield f"  {plan.importance:10} {plan.table:28} {plan.rows:>12,} rows  {word}{plan.strategy}"
    yield f"{len(plans)} tables, {sum(plan.rows for plan in plans):,} rows at the source; nothing was read of them."


def database_strategy(request: LoadRequest) -> DatabaseStrategy:
    """How a database's tables are loaded; whoever was erased is erased from its models, too."""
    return DatabaseStrategy(request, model_columns=lambda: subject_columns(request.source))


def check_secrets(settings: Settings, source: Source) -> None:
    """Raise an EtlError where a secret that pseudonyms or tombstones are made with is missing, or could be guessed."""
    if source.database.pseudonymised:
        pseudonym_key(settings, source)
    if ERASURE_KEY in settings.of_source(source.name):
        secret_of(settings, source, ERASURE_KEY)


def check_publication(settings: Settings, source: Source) -> None:
    """Raise an EtlError where it is said in no way of how many persons, or that free text, is shown."""
    is_free_text_asked_for(source, settings.of_source(source.name))
    if source.publication:
        least_persons(settings, source)


DATABASE = Kind(
    icon="mysql",
    strategy=database_strategy,
    due=changes_due,
    schedules=database_schedules,
    setting_checks=(allowed_hours, worker_count, check_secrets, check_publication),
    ops=ops_by_importance,
    checks=table_checks,
    plan=describe_plans,
)
