-- Services whose requests are configured jobs: which there are, what became of each, and of each parent's request.

set local role etl_loader;

create table etl.source_instance (
    instance_id integer primary key generated always as identity,
    source text not null,
    name text not null,
    base_url text,
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (source, name)
);
comment on table etl.source_instance is
'The tenants of a source, by number. A key or a password is nowhere here. One that is no longer set up is not active.';

create table etl.job (
    source text not null,
    job_id integer not null,
    name text not null,
    source_endpoint text not null,
    target_table text not null,
    is_active boolean not null,
    requires_parameters boolean not null,
    parameter_name text,
    parameter_source_table text,
    parameter_source_column text,
    parent_job_id integer,
    category text not null,
    phase integer not null,
    why_off text,
    replaced_by integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (source, job_id)
);
comment on table etl.job is 'The jobs as they are declared in the source''s jobs.csv; written anew by each load.';

create table etl.job_decision (
    decision_id bigint primary key generated always as identity,
    source text not null,
    job_id integer not null,
    is_active boolean not null,
    decided_by text not null check (trim(decided_by) <> ''),
    why text not null check (trim(why) <> ''),
    decided_at timestamptz not null default now()
);
comment on table etl.job_decision is
'Who switched a job on or off, and why. The last decision holds, whatever is declared.';
create index on etl.job_decision (source, job_id, decision_id desc);

create table etl.job_state (
    source text not null,
    job_id integer not null,
    instance_id integer not null references etl.source_instance,
    availability text not null default 'offered' check (availability in ('offered', 'not_offered', 'not_licensed')),
    since timestamptz not null default now(),
    asked_at timestamptz,
    round_started_at timestamptz,
    round_ended_at timestamptz,
    page_size integer,
    primary key (source, job_id, instance_id)
);
comment on table etl.job_state is
'What is known of a job at an instance: whether it is offered there, and which round of its parents is under way.';
comment on column etl.job_state.page_size is 'Records asked for in one page, where longer ones timed out; else null.';

create table etl.job_run (
    run_id integer primary key generated always as identity,
    source text not null,
    job_id integer not null,
    instance_id integer not null references etl.source_instance,
    batch_id uuid not null references etl.batch,
    state text not null default 'running'
    check (state in ('running', 'success', 'paused', 'partial', 'failed', 'not_offered', 'not_licensed')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    records bigint not null default 0,
    rows_inserted bigint not null default 0,
    rows_updated bigint not null default 0,
    rows_vanished bigint not null default 0,
    parents_asked bigint not null default 0,
    parents_failed bigint not null default 0,
    requests bigint not null default 0,
    error text,
    check ((state = 'running') = (ended_at is null))
);
comment on table etl.job_run is
'One run of one job at one instance. Paused: the budget was spent. One that runs and whose batch does not was killed.';
create index on etl.job_run (source, job_id, instance_id, run_id desc);
create index on etl.job_run (source, started_at desc);
create index on etl.job_run (batch_id);

create table etl.parent_request (
    source text not null,
    job_id integer not null,
    instance_id integer not null references etl.source_instance,
    parent_key text not null,
    asked_at timestamptz not null,
    answered_at timestamptz,
    records bigint not null default 0,
    digest uuid,
    failures integer not null default 0,
    error text,
    primary key (source, job_id, instance_id, parent_key)
);
comment on table etl.parent_request is
'The last request of a job for each row of its parent table: when it was asked and answered, with how many records.';
comment on column etl.parent_request.digest is 'Of what was answered; the same while nothing has changed.';
comment on column etl.parent_request.failures is 'How often in a row it failed; 0 once it was answered.';
create index on etl.parent_request (source, job_id, instance_id) where failures > 0;
create index on etl.parent_request (source, job_id, instance_id, answered_at);

create table etl.unreadable_answer (
    relation text not null,
    instance text not null,
    noticed_at timestamptz not null,
    reason text not null,
    beginning bytea not null,
    primary key (relation, instance)
);
comment on table etl.unreadable_answer is
'How the last answer began that could not be read, of each table of a service. It may hold people''s data: the loader alone may read it.';
revoke all on etl.unreadable_answer from etl_transformer;

create view etl.active_job as
select
    job.source,
    job.job_id,
    coalesce(decision.is_active, job.is_active) as is_active,
    decision.decided_by,
    decision.decided_at,
    coalesce(decision.why, case when not job.is_active then job.why_off end) as why
from etl.job
left join lateral (
    select
        is_active,
        decided_by,
        decided_at,
        why
    from etl.job_decision
    where source = job.source and job_id = job.job_id
    order by decision_id desc
    limit 1
) as decision on true;
comment on view etl.active_job is 'Whether each job is asked: as it is declared, or as somebody decided.';

create view etl.job_history as
select
    run.*,
    case
        when run.state in ('success', 'paused') then 'success'
        when run.state = 'running' and batch.status = 'running' then 'running'
        else 'failed'
    end as status,
    run.state = 'running' and batch.status <> 'running' as was_killed,
    batch.ended_at as batch_ended_at,
    batch.error as batch_error
from etl.job_run as run
inner join etl.batch as batch on batch.batch_id = run.batch_id;
comment on view etl.job_history is 'The runs of jobs, in three words: running, success, failed. A run that was killed has failed.';

create view etl.job_instance as
select
    job.source,
    job.job_id,
    instance.instance_id,
    instance.name as instance,
    active.is_active,
    coalesce(state.availability, case when job.replaced_by is not null then 'replaced' else 'unknown' end)
        as availability,
    state.since as available_since,
    state.round_started_at,
    state.round_ended_at,
    run.status as last_status,
    run.state as last_state,
    run.started_at as last_run_at,
    run.records as last_records,
    run.error as last_error,
    (
        select min(answered_at)
        from etl.parent_request
        where source = job.source and job_id = job.job_id and instance_id = instance.instance_id
    ) as oldest_answer_at
from etl.job
inner join etl.active_job as active on active.source = job.source and active.job_id = job.job_id
left join etl.source_instance as instance on instance.source = job.source and instance.is_active
left join etl.job_state as state
    on
        state.source = job.source
        and state.job_id = job.job_id
        and state.instance_id = instance.instance_id
left join lateral (
    select *
    from etl.job_history
    where source = job.source and job_id = job.job_id and instance_id = instance.instance_id
    order by run_id desc
    limit 1
) as run on true;
comment on view etl.job_instance is
'One line a job and instance: whether it is asked and offered, and its last run. Without instances, a line a job.';

create view etl.staging_inventory as
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
    where relation = tables.relation
    order by loaded_at desc
    limit 1
) as loaded on true
left join lateral (
    select loaded_at as last_changed_at
    from etl.table_load
    where relation = tables.relation and rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
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
comment on view etl.staging_inventory is
'Every staging table: its records, its bytes with indexes, when it was loaded and changed, and why it is empty.';
comment on column etl.staging_inventory.records is 'By the planner''s estimate; null where there is none yet.';

grant select on etl.job_history, etl.job_instance, etl.staging_inventory to etl_transformer;
grant select on etl.source_instance, etl.job, etl.job_decision, etl.job_state, etl.job_run, etl.active_job
to etl_transformer;

reset role;
