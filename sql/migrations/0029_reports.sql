-- What reports are made of that nothing else keeps: how things were on each day; and which reports were written.

set local role etl_loader;

create table etl.daily_sample (
    day date not null,
    measure text not null,
    labels jsonb not null default '{}',
    value double precision not null,
    sampled_at timestamptz not null default now(),
    primary key (measure, labels, day)
);
comment on table etl.daily_sample is
'Measures as they were on each of the last 400 days, a line a day and measure; the last one of a day holds. Trends, and'
' the day when the disk is full, are made of them.';

create table etl.report (
    report_id bigint primary key generated always as identity,
    kind text not null check (kind in ('daily', 'weekly')),
    scope text not null,
    built_at timestamptz not null,
    path text not null,
    bytes bigint not null,
    unique (kind, scope, built_at)
);
comment on table etl.report is 'Reports that were written into the report folder in the last 400 days.';
comment on column etl.report.scope is 'The sources it is of: all, or their names.';

grant select on etl.daily_sample, etl.report to etl_transformer;

-- Reports ask for what was done in some days, of all relations.
create index table_load_by_time on etl.table_load using brin (loaded_at);
create index model_build_by_time on etl.model_build using brin (built_at);
create index quality_result_by_time on etl.quality_result using brin (checked_at);

-- As it was, but for the collation: that of names in the catalog is another than that of the ledger's, so that no index was
-- of use, and each table of the inventory cost a reading of all loads.
create or replace view etl.staging_inventory as
with tables as (
    select
        class.oid,
        space.nspname as schema_name,
        class.relname as table_name,
        space.nspname || '.' || class.relname as relation,
        case
            when pg_relation_size(class.oid) = 0 then 0
            when class.reltuples >= 0 then class.reltuples::bigint
            else nullif(pg_stat_get_live_tuples(class.oid), 0)
        end as records
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where
        class.relkind = 'r'
        and class.relpersistence = 'p'
        and pg_get_userbyid(space.nspowner) in ('etl_loader', 'etl_keeper')
        and space.nspname <> 'etl'
)

select
    tables.schema_name::text as schema_name,
    tables.relation::text as relation,
    tables.records,
    pg_total_relation_size(tables.oid) as bytes,
    loaded.last_loaded_at,
    changed.last_changed_at,
    case
        when tables.records = 0
            then coalesce(
                jobs.why,
                obj_description(tables.oid, 'pg_class'),
                case when loaded.last_loaded_at is null then 'It was never loaded.' else 'The source has none.' end
            )
    end as why_empty
from tables
left join lateral (
    select loaded_at as last_loaded_at
    from etl.table_load
    where relation = tables.relation collate "default"
    order by loaded_at desc
    limit 1
) as loaded on true
left join lateral (
    select loaded_at as last_changed_at
    from etl.table_load
    where relation = tables.relation collate "default" and rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
    order by load_id desc
    limit 1
) as changed on true
left join lateral (
    select
        string_agg(
            distinct case
                when found.is_active
                    then format('Job %s is %s.', found.job_id, replace(found.availability, '_', ' '))
                else format('Job %s is off: %s.', found.job_id, active.why)
            end, ' '
        ) as why
    from etl.job_instance as found
    inner join etl.active_job as active on active.source = found.source and active.job_id = found.job_id
    inner join etl.job on job.source = found.source and job.job_id = found.job_id
    where
        job.target_table = tables.table_name
        and (not found.is_active or found.availability in ('not_offered', 'not_licensed'))
) as jobs on true;

reset role;
