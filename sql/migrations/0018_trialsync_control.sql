-- TrialSync: its schemas, and the brief's control tables as views over the ledger.

create schema trialsync_staging authorization etl_loader;
create schema trialsync_typed authorization etl_transformer;
create schema trialsync authorization etl_transformer;

grant usage on schema trialsync_staging to etl_transformer, etl_personal_reader;
alter default privileges for role etl_loader in schema trialsync_staging grant select on tables to etl_transformer;
grant usage, create on schema trialsync to etl_loader;
grant usage on schema trialsync, trialsync_staging to etl_reader;
grant usage on schema trialsync to etl_personal_reader;

set local role etl_loader;

create view trialsync.dw_api_credentials as
select
    instance_id as id,
    name::varchar(255) as instance_name,
    base_url,
    is_active,
    created_at,
    updated_at
from etl.source_instance
where source = 'trialsync';
comment on view trialsync.dw_api_credentials is
'The instances of Clinical Conductor. Their keys are in the environment of the loader, and in no database.';

create view trialsync.dw_etl_runs as
select
    run_id,
    job_id,
    status::varchar(50) as run_status,
    least(records, 2147483647)::integer as records_loaded,
    started_at,
    coalesce(ended_at, batch_ended_at) as completed_at,
    case when was_killed then coalesce(batch_error, 'the run was killed') else error end as error_message,
    instance_id as credential_id,
    case when was_killed then 'killed' else state end as state,
    rows_inserted,
    rows_updated,
    rows_vanished,
    parents_asked,
    parents_failed,
    requests,
    batch_id
from etl.job_history
where source = 'trialsync';
comment on view trialsync.dw_etl_runs is
'One line a run of a job at an instance. run_status has the words running, success and failed; state says more.';

create view trialsync.dw_etl_job_instances as
select
    found.job_id as id,
    job.name,
    found.instance_id as source_instance_id,
    found.instance as instance_name,
    found.is_active,
    found.availability,
    found.available_since,
    found.round_started_at,
    found.round_ended_at,
    found.last_status as last_run_status,
    found.last_state as last_run_state,
    found.last_run_at,
    found.last_records as last_run_records,
    found.last_error as last_run_error,
    found.oldest_answer_at
from etl.job_instance as found
inner join etl.job on job.source = found.source and job.job_id = found.job_id
where found.source = 'trialsync' and found.instance_id is not null;
comment on view trialsync.dw_etl_job_instances is 'One line a job and instance: whether it is offered, and its last run.';

create view trialsync.dw_etl_jobs as
select
    job.job_id as id,
    job.name::varchar(255) as name,
    job.source_endpoint,
    job.target_table::varchar(255) as target_table,
    active.is_active,
    job.requires_parameters,
    job.parameter_name::varchar(100) as parameter_name,
    job.parameter_source_table::varchar(255) as parameter_source_table,
    job.parameter_source_column::varchar(255) as parameter_source_column,
    job.parent_job_id,
    null::integer as source_instance_id,
    coalesce(worst.last_run_status, 'Never run')::varchar(50) as last_run_status,
    worst.last_run_at,
    case when worst.last_run_at is not null then least(worst.last_run_records, 2147483647) end::integer as last_run_records,
    job.created_at,
    greatest(job.updated_at, active.decided_at) as updated_at,
    job.category,
    job.phase,
    active.why as why_off,
    job.replaced_by,
    worst.last_run_state
from etl.job
inner join etl.active_job as active on active.source = job.source and active.job_id = job.job_id
left join lateral (
    select
        last_run_status,
        last_run_state,
        last_run_at,
        sum(last_run_records) over () as last_run_records
    from trialsync.dw_etl_job_instances
    where id = job.job_id and last_run_at is not null
    order by array_position(array['failed', 'running', 'success'], last_run_status::text), last_run_at
    limit 1
) as worst on true
where job.source = 'trialsync';
comment on view trialsync.dw_etl_jobs is
'The jobs as they are declared, with their last run at the instance where it went worst; records are those of all.';

-- GoHighLevel's tables, of which the names alone are known: whoever selects from them finds them.
create table trialsync_staging.ghl_contacts_staging (
    id serial primary key,
    data jsonb not null,
    source_id varchar(255) not null,
    source_instance_id integer not null,
    etl_job_id integer not null,
    etl_run_id integer not null,
    loaded_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index idx_ghl_contacts_instance_entity
on trialsync_staging.ghl_contacts_staging (source_instance_id, (data ->> 'id'));
create index idx_ghl_contacts_source_id on trialsync_staging.ghl_contacts_staging (source_id);
create index idx_ghl_contacts_data_gin on trialsync_staging.ghl_contacts_staging using gin (data);
comment on table trialsync_staging.ghl_contacts_staging is
'Contacts of GoHighLevel: no job reads that service, of whose records and account nothing is known.';

create table trialsync_staging.ghl_custom_fields_staging (
    id serial primary key,
    data jsonb not null,
    source_id varchar(255) not null,
    source_instance_id integer not null,
    etl_job_id integer not null,
    etl_run_id integer not null,
    loaded_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index idx_ghl_custom_fields_instance_entity
on trialsync_staging.ghl_custom_fields_staging (source_instance_id, (data ->> 'id'));
create index idx_ghl_custom_fields_source_id on trialsync_staging.ghl_custom_fields_staging (source_id);
create index idx_ghl_custom_fields_data_gin on trialsync_staging.ghl_custom_fields_staging using gin (data);
comment on table trialsync_staging.ghl_custom_fields_staging is
'Custom fields of GoHighLevel: no job reads that service, of whose records and account nothing is known.';

grant select on trialsync_staging.ghl_contacts_staging, trialsync_staging.ghl_custom_fields_staging
to etl_personal_reader;

create view trialsync.staging_statistics as
with inventory as (
    select
        count(*) as total_staging_tables,
        count(*) filter (where records > 0) as tables_with_data,
        coalesce(sum(records), 0)::bigint as total_records,
        sum(bytes)::bigint as total_bytes
    from etl.staging_inventory
    where schema_name = 'trialsync_staging'
),

jobs as (
    select
        job.requires_parameters,
        active.is_active,
        exists (
            select from etl.job as replaced where replaced.source = job.source and replaced.replaced_by = job.job_id
        ) as is_replacement
    from etl.job
    inner join etl.active_job as active on active.source = job.source and active.job_id = job.job_id
    where job.source = 'trialsync'
)

select
    count(*) filter (where not jobs.is_replacement) as total_jobs,
    count(*) filter (where not jobs.is_replacement and jobs.is_active) as active_jobs,
    count(*) filter (where not jobs.is_replacement and not jobs.is_active) as disabled_jobs,
    count(*) filter (where not jobs.is_replacement and jobs.requires_parameters) as parameterized_jobs,
    count(*) filter (where not jobs.is_replacement and not jobs.requires_parameters) as non_parameterized_jobs,
    count(*) filter (where jobs.is_replacement) as replacement_jobs,
    inventory.total_staging_tables,
    inventory.tables_with_data,
    inventory.total_records,
    inventory.total_bytes
from inventory
left join jobs on true
group by
    inventory.total_staging_tables,
    inventory.tables_with_data,
    inventory.total_records,
    inventory.total_bytes;
comment on view trialsync.staging_statistics is
'The key figures: jobs of the old inventory, those that stand in for seven of them, tables, and records by estimate.';

create function trialsync.refuse_job_change() returns trigger
language plpgsql as $$
begin
    raise exception 'Job % is declared in etl_assets/sources/trialsync/jobs.csv; nothing was changed here.', old.id
        using hint = format(
            'To switch it: etl jobs %s %s --by NAME --why TEXT. All else is changed in jobs.csv, by a commit.',
            case when old.is_active then 'disable' else 'enable' end, old.id
        );
end
$$;
create trigger refuse_job_change instead of update or delete on trialsync.dw_etl_jobs
for each row execute function trialsync.refuse_job_change();

grant select on trialsync.dw_api_credentials, trialsync.dw_etl_runs, trialsync.dw_etl_job_instances,
trialsync.dw_etl_jobs, trialsync.staging_statistics to etl_transformer, etl_reader, etl_personal_reader;
grant update, delete on trialsync.dw_etl_jobs to etl_reader, etl_personal_reader;

reset role;
