-- What a monitoring system asks for: one line a measure, with its labels.

set local role etl_loader;

create view etl.metric as
select
    measure.name,
    measure.help,
    jsonb_build_object('relation', inventory.relation) as labels,
    measure.value::double precision as value
from etl.staging_inventory as inventory
cross join lateral (
    values
    ('etl_table_records', 'Records of a staging table, as the planner estimates them.', inventory.records::numeric),
    ('etl_table_bytes', 'Bytes of a staging table with its indexes.', inventory.bytes),
    (
        'etl_table_loaded_timestamp_seconds',
        'When a staging table was loaded last.',
        extract(epoch from inventory.last_loaded_at)
    ),
    (
        'etl_table_changed_timestamp_seconds',
        'When a load last changed a staging table.',
        extract(epoch from inventory.last_changed_at)
    )
) as measure (name, help, value)
where measure.value is not null
union all
select
    'etl_open_issues',
    'Findings that nobody has resolved; of each rule and date the first ETL_MAX_FINDINGS.',
    jsonb_build_object('source', source, 'severity', severity),
    count(*)
from etl.quality_issue
where status = 'open'
group by source, severity
union all
select
    'etl_failed_tables',
    'Tables whose last load failed.',
    jsonb_build_object('source', source),
    count(*)
from etl.table_failure
group by source
union all
select
    'etl_failed_models',
    'Models whose last build failed.',
    '{}',
    count(*)
from etl.model_state as state
cross join lateral (
    select status
    from etl.model_build as build
    where build.relation = state.relation
    order by build_id desc
    limit 1
) as last_build
where last_build.status <> 'success'
union all
select
    'etl_running_batches',
    'Batches that are under way.',
    jsonb_build_object('source', source, 'kind', kind),
    count(*)
from etl.batch
where status = 'running'
group by source, kind
union all
select
    'etl_warehouse_bytes',
    'Bytes of the warehouse.',
    '{}',
    pg_database_size(current_database())
union all
select
    'etl_warehouse_connections',
    'Connections to the server, of all of its databases.',
    '{}',
    sum(numbackends)
from pg_stat_database
union all
select
    'etl_warehouse_max_connections',
    'Connections that the server allows.',
    '{}',
    current_setting('max_connections')::integer;
comment on view etl.metric is
'What `etl metrics` prints: a line a measure of what is now, with its labels. Nothing in it is of a person.';

reset role;
