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

reset role;
