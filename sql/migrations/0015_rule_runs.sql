-- What each rule has looked at, so that it is run again only where that has changed.

set local role etl_loader;

alter table etl.table_load add column rows_vanished bigint not null default 0;
comment on column etl.table_load.rows_vanished is
'Records that were marked as vanished: the list no longer gives them. They were not read.';
create index table_load_changes on etl.table_load (load_id)
where rows_inserted + rows_updated + rows_deleted + rows_vanished > 0;

create table etl.rule_run (
    relation text not null,
    rule text not null,
    slice_from date,
    slice_to date,
    asked text not null,
    reads text[] not null,
    upto_load bigint not null,
    upto_retention bigint not null,
    read_past timestamptz,
    waits_for timestamptz,
    blocks boolean not null,
    batch_id uuid not null references etl.batch,
    checked_at timestamptz not null default now(),
    unique nulls not distinct (relation, rule, slice_from, slice_to)
);
comment on table etl.rule_run is
'The last time that each rule looked at these dates to the end. What has not changed since is not looked at again.';
comment on column etl.rule_run.asked is
'What identifies the question: a digest of its SQL, of what it says of a finding, and of the schema''s version.';
comment on column etl.rule_run.reads is
'The relations that it read. Empty where nobody can tell when its answer changes: it is asked every time.';
comment on column etl.rule_run.upto_load is 'The newest load that had changed anything by then: etl.table_load.';
comment on column etl.rule_run.upto_retention is 'The newest retention decision by then: etl.retention.';
comment on column etl.rule_run.read_past is
'Rows that were last changed before it were looked at; the others wait until their tables were read further.';
comment on column etl.rule_run.waits_for is 'The earliest last change among the rows that wait.';
comment on column etl.rule_run.blocks is 'Whether so much was broken that nothing could be built on it.';

reset role;
