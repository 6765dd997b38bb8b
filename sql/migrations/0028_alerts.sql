-- Alerts: what is wrong, written in the transaction that ends a batch, and the messages by which people hear of it.

set local role etl_loader;

alter table etl.model_build add column error text;
comment on column etl.model_build.error is 'Why a model could not be built, without a value of a row.';
create index on etl.model_build (relation, build_id desc);
create index on etl.model_build (relation) where status <> 'success';
create index on etl.quality_result (batch_id);
create index on etl.batch (run_id);

create view etl.model_failure as
select
    last.relation,
    batch.source,
    last.batch_id,
    coalesce(last.error, last.status) as error,
    (
        select min(failed.built_at)
        from etl.model_build as failed
        where
            failed.relation = last.relation
            and failed.build_id > coalesce(
                (
                    select max(good.build_id)
                    from etl.model_build as good
                    where good.relation = last.relation and good.status = 'success'
                ),
                0
            )
    ) as failed_since
from (select distinct relation from etl.model_build where status <> 'success') as ever
cross join lateral (
    select
        relation,
        batch_id,
        error,
        status
    from etl.model_build as build
    where build.relation = ever.relation
    order by build_id desc
    limit 1
) as last
left join etl.batch using (batch_id)
where last.status <> 'success';
comment on view etl.model_failure is 'Models whose last build failed, with the reason and since when.';

create unlogged table etl.load_under_way (
    batch_id uuid not null,
    pid integer not null,
    relation text not null,
    instance text not null,
    started_at timestamptz not null default clock_timestamp(),
    primary key (batch_id, pid)
);
comment on table etl.load_under_way is
'What each worker of a load that is under way is loading, by its connection. Of use only as long as its batch runs.';

create table etl.alert (
    alert_id bigint primary key generated always as identity,
    source text not null,
    kind text not null check (kind in ('failed', 'late', 'degraded', 'hanging', 'platform')),
    cause text not null,
    since timestamptz not null,
    opened_at timestamptz not null default clock_timestamp(),
    run_id text,
    acknowledged_at timestamptz,
    acknowledged_by text,
    acknowledged_why text,
    resolved_at timestamptz
);
comment on table etl.alert is 'One thing that is or was wrong; what has the same cause is one.';
comment on column etl.alert.source is 'Whose tables it is about; `platform` where it is none''s.';
comment on column etl.alert.kind is
'failed: a load or a build failed; late: nothing has come in time; degraded: a check stands failed as an error; hanging:'
' a load goes on for longer than its table allows; platform: what runs all this does not do so.';
comment on column etl.alert.cause is
'What of the same source and kind has the same cause is one alert: the error without names and numbers, or where it began.';
comment on column etl.alert.run_id is 'Dagster''s run that it began in; while that is to be tried again, nobody is told.';
create unique index on etl.alert (source, kind, cause) where resolved_at is null;
create index on etl.alert (resolved_at);

create table etl.alert_member (
    alert_id bigint not null references etl.alert on delete cascade,
    relation text not null,
    rule text not null default '',
    why text not null,
    since timestamptz not null,
    noted_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    primary key (alert_id, relation, rule)
);
comment on table etl.alert_member is 'The tables, models and checks that an alert is about.';
comment on column etl.alert_member.relation is 'Empty where it is about the whole source.';
comment on column etl.alert_member.rule is 'The check; of a whole source what failed: load, check, build, a schedule''s tick, ...';
create index on etl.alert_member (relation, rule) where ended_at is null;
create index on etl.alert_member (noted_at);
create index on etl.alert_member (ended_at);

create table etl.alert_message (
    message_key text primary key,
    alert_id bigint references etl.alert on delete cascade,
    kind text not null check (kind in ('opened', 'escalated', 'acknowledged', 'resolved', 'summary')),
    channel text not null,
    created_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null,
    attempts integer not null default 0,
    last_error text,
    sent_at timestamptz,
    dropped_at timestamptz
);
comment on table etl.alert_message is
'The outbox: a message is sent at least once, and its key makes it one where the receiver knows keys.';
comment on column etl.alert_message.dropped_at is
'When it was given up: what it was about had passed before it was sent, or its channel had not answered for a day.';
create index on etl.alert_message (due_at) where sent_at is null and dropped_at is null;
create index on etl.alert_message (alert_id);

create table etl.silence (
    silence_id bigint primary key generated always as identity,
    source text not null,
    relation text not null default '',
    starts_at timestamptz not null default now(),
    ends_at timestamptz not null,
    created_by text not null check (created_by <> ''),
    why text not null check (why <> ''),
    check (ends_at > starts_at and ends_at <= starts_at + interval '31 days')
);
comment on table etl.silence is
'While it lasts nobody is told of a source, or of one table of it. What is still wrong when it ends is told then.';
create index on etl.silence (ends_at);

create or replace view etl.metric as
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
    jsonb_build_object('source', source),
    count(*)
from etl.model_failure
group by source
union all
select
    'etl_open_alerts',
    'Alerts that are not resolved.',
    jsonb_build_object('source', source, 'kind', kind),
    count(*)
from etl.alert
where resolved_at is null
group by source, kind
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

reset role;
