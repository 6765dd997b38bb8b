-- Emergency rollback: who set a source back to the old pipeline and why, what of it was stopped, and what each view read.

set local role etl_loader;

create table etl.incident (
    incident_id bigint primary key generated always as identity,
    source text not null,
    began_at timestamptz not null default clock_timestamp(),
    began_by text not null check (btrim(began_by) <> ''),
    began_why text not null check (btrim(began_why) <> ''),
    stopped text [] not null default '{}',
    views jsonb not null default '{}',
    ended_at timestamptz,
    ended_by text,
    ended_why text
);
comment on table etl.incident is 'Emergency rollbacks of a source to the old pipeline; one that has not ended lasts.';
comment on column etl.incident.stopped is 'The schedules and sensors that it stopped: those are started again when it ends.';
comment on column etl.incident.views is 'What each view of the live schema read before, by its table.';
create unique index on etl.incident (source) where ended_at is null;

create table etl.comparison (
    relation text primary key,
    compared_at timestamptz not null default clock_timestamp(),
    verdict text not null,
    old_rows bigint,
    new_rows bigint,
    keys_only_old bigint not null,
    keys_only_new bigint not null,
    rows_differing bigint not null,
    columns text [] not null
);
comment on table etl.comparison is 'How each table last compared with the old pipeline''s, in counts; no value of a row.';
comment on column etl.comparison.columns is 'Columns whose sums differ.';

reset role;

alter table etl.table_switch add column old_schema text, add column old_zone text;
comment on column etl.table_switch.old_schema is 'Where the old table was when the view last read it; null where it never did.';
comment on column etl.table_switch.old_zone is 'The time zone that its moments without one were read in then.';

alter table etl.alert
drop constraint alert_kind_check,
add constraint alert_kind_check
check (kind in ('failed', 'late', 'degraded', 'hanging', 'platform', 'rolled_back'));
comment on column etl.alert.kind is
'failed: a load or a build failed; late: nothing has come in time; degraded: a check stands failed as an error; hanging:'
' a load goes on for longer than its table allows; platform: what runs all this does not do so; rolled_back: somebody set'
' the source back to the old pipeline.';
