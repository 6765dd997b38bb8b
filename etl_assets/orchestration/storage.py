"""Dagster's storages in PostgreSQL, where the settings say, with connection pools. Named by dagster.yaml.

These are dagster-postgres's own classes. They are asked for what the webserver asks for itself at its start: without
that, each event opens one or two connections (docs/decisions/0005). And the log of events keeps what tells something:
three of four events of an ordinary run say no more than those that follow them (docs/decisions/0016).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DisconnectionError

from etl_assets.settings import read_settings
from etl_assets.warehouse.connection import dagster_url

# One connection is held, and more are made at need.
KEPT: Mapping[str, int] = {"statement_timeout": 0, "pool_recycle": 1800, "max_overflow": 20}
NEVER_STORED = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
"""The UI would show a check that a run did not come to as failed, and not as it was found before."""
PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
OF_NO_USE_AFTER_SUCCESS = (
    PLANNED.value,
    "STEP_OUTPUT",
    "HANDLED_OUTPUT",
    "LOADED_INPUT",
    "RESOURCE_INIT_STARTED",
    "RESOURCE_INIT_SUCCESS",
)
"""What is planned is done, and what an output says, its materialisation or its check says again."""
_STAND = """
    update asset_check_executions as held
    set
        materialization_event_storage_id = made.id,
        evaluation_event = jsonb_set(
            evaluation_event::jsonb,
            '{dagster_event,event_specific_data,target_materialization_data}',
            jsonb_build_object(
                '__class__', 'AssetCheckEvaluationTargetMaterializationData',
                'storage_id', made.id,
                'run_id', made.run_id,
                'timestamp', extract(epoch from made.timestamp)
            )
        )::text
    from unnest(:assets, :names) as stands (asset_key, check_name)
    cross join lateral (
        select max(id) as id from asset_check_executions as result
        where result.asset_key = stands.asset_key and result.check_name = stands.check_name
    ) as latest
    cross join lateral (
        select id, run_id, timestamp from event_logs as event
        where event.asset_key = stands.asset_key and dagster_event_type = 'ASSET_MATERIALIZATION'
        order by id desc
        limit 1
    ) as made
    where held.id = latest.id
    returning held.asset_key, held.check_name
"""
_MAKE_POOL = """
    insert into concurrency_limits (concurrency_key, "limit", using_default_limit) values (:pool, :limit, true)
    on conflict (concurrency_key) do update set "limit" = excluded."limit"
"""
_IN_FORCE = """
    select max(id) from event_logs
    where dagster_event_type = 'ASSET_MATERIALIZATION' group by asset_key, partition
"""


class _AsSettingsSay:
    """A storage that dagster.yaml need not tell where it is; the embedded server is started where it is down."""

    @classmethod
    def config_type(cls) -> dict[str, object]:
        """Nothing is configured in dagster.yaml."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Any:
        """The storage of this installation."""
        made: Any = cls
        storage = made(postgres_url=dagster_url(read_settings()), inst_data=inst_data, **config_value)
        storage.optimize_for_webserver(**KEPT)
        return storage

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Hold connections, as dagster-postgres does, and replace one that has died when it is wanted (pre-ping).

        Without that, the first who asks the UI for something after PostgreSQL was restarted would be answered with 500.
        """
        base: Any = super()
        base.optimize_for_webserver(statement_timeout, pool_recycle, max_overflow)
        engine: Engine = self._engine  # type: ignore[attr-defined]  # of dagster-postgres's classes

        @event.listens_for(engine, "checkout")
        def ping(connection: Any, record: object, proxy: object) -> None:
            del record, proxy
            try:
                engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise DisconnectionError(str(error)) from error


class KeptRunStorage(_AsSettingsSay, PostgresRunStorage):
    """Runs, their tags, and the daemon's heartbeats."""


class KeptEventLogStorage(_AsSettingsSay, PostgresEventLogStorage):
    """Events of runs and assets, but for those that say nothing once their run has ended well."""

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Dagster plans an asset by one event, however many partitions the run has; `_store_planned` has a row each."""
        return True

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event; the end of a run that went well takes the place of its details."""
        kind = event.dagster_event_type
        if kind is NEVER_STORED:
            return
        if kind is PLANNED:
            self._store_planned([event])
            return
        super().store_event(event)
        if kind is dg.DagsterEventType.RUN_SUCCESS:
            self._execute(
                "delete from event_logs where run_id = :run and dagster_event_type = any(:kinds)",
                run=event.run_id,
                kinds=list(OF_NO_USE_AFTER_SUCCESS),
            )

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events that come together."""
        self._store_planned([event for event in events if event.dagster_event_type is PLANNED])
        super().store_event_batch(
            [event for event in events if event.dagster_event_type not in {NEVER_STORED, PLANNED}]
        )

    def _store_planned(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store what is planned, a row a partition: by these the UI shows which partitions failed or are under way."""
        rows = [
            {**row, "partition": partition}
            for event in events
            for row in [self._event_to_row(event)]
            for partition in _planned_partitions(event)
        ]
        if not rows:
            return
        with self.index_transaction() as connection:
            connection.execute(SqlEventLogStorageTable.insert(), rows)
            for event in events:
                self._store_asset_event(connection, event, event_id=0)  # what is planned notes no id there

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Make a pool. Dagster's own way fails a run that comes upon it at the same moment as another."""
        limit = self._instance.global_op_concurrency_default_limit
        if limit is None:
            return bool(super().initialize_concurrency_limit_to_default(concurrency_key))
        with self.index_transaction() as connection:
            connection.execute(text(_MAKE_POOL), {"pool": concurrency_key, "limit": limit})
            self._allocate_concurrency_slots(connection, concurrency_key, limit)
        return True

    def let_stand(self, checks: Collection[dg.AssetCheckKey]) -> set[dg.AssetCheckKey]:
        """Say of the latest results of these checks that they are of what their assets are now; returns their keys.

        It takes one statement, and an event for each of them 20 to 40 ms. Of a check that is not returned nothing was
        ever found.
        """
        if not checks:
            return set()
        by_name = {(key.asset_key.to_string(), key.name): key for key in checks}
        assets, names = [asset for asset, _ in by_name], [name for _, name in by_name]
        with self.index_connection() as connection:
            rows = connection.execute(text(_STAND), {"assets": assets, "names": names})
            return {by_name[asset, name] for asset, name in rows}

    def runs_in_force(self) -> set[str]:
        """The runs that last materialised an asset or one of its partitions: the UI shows these by their events."""
        with self.index_connection() as connection:
            rows = connection.execute(text(f"select distinct run_id from event_logs where id in ({_IN_FORCE})"))  # noqa: S608 (a constant)
            return {run_id for (run_id,) in rows}

    def keep_only_in_force(self, runs: Collection[str]) -> None:
        """Of these runs delete all events but their beginning and end, and what is in force."""
        self._execute(
            f"with gone as ("  # noqa: S608 (a constant)
            f"     delete from event_logs where run_id = any(:runs) and id not in ({_IN_FORCE})"
            f"     and coalesce(dagster_event_type, '') not like 'PIPELINE%' returning id"
            f" ) delete from asset_event_tags using gone where event_id = gone.id",
            runs=list(runs),
        )

    def forget_check_results(self, before: datetime) -> int:
        """Delete results of checks from before a moment, but for the last of each check; returns how many."""
        return self._execute(
            "delete from asset_check_executions where create_timestamp < :before and id not in ("
            "     select max(id) from asset_check_executions group by asset_key, check_name, partition)",
            before=before.replace(tzinfo=None),
        )

    def forget_runless_events(self, before: datetime) -> int:
        """Delete events of assets that no run logged: of health and of freshness; of each kind the last is kept."""
        return self._execute(
            "delete from event_logs where run_id = '' and timestamp < :before and id not in ("
            "     select max(id) from event_logs where run_id = '' group by asset_key, dagster_event_type)",
            before=before.replace(tzinfo=None),
        )

    def _execute(self, statement: str, **values: object) -> int:
        with self.index_connection() as connection:
            return int(connection.execute(text(statement), values).rowcount)


class KeptScheduleStorage(_AsSettingsSay, PostgresScheduleStorage):
    """Ticks of schedules and sensors."""


def _planned_partitions(event: dg.EventLogEntry) -> Iterable[str | None]:
    """The partitions that an event plans; None alone where its asset has none."""
    planned = event.get_dagster_event().asset_materialization_planned_data
    if planned.partitions_subset is None:
        return [planned.partition]
    return list(planned.partitions_subset.get_partition_keys())
