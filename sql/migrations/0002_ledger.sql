-- The ledger: one control plane for every source. Each row of the warehouse names the batch that wrote it.

set local role etl_loader;

create table etl.batch (
    batch_id uuid primary key,
    source text not null,
    kind text not null,
    status text not null default 'running' check (status in ('running', 'success', 'failed', 'abandoned')),
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    run_id text,
    error text,
    check ((status = 'running') = (ended_at is null))
);
comment on table etl.batch is
'One piece of work on one source. A batch whose session has died is set to abandoned by the next one.';
create index on etl.batch (source, started_at desc);
create index on etl.batch (status) where status = 'running';

create table etl.source_file (
    file_id bigint primary key generated always as identity,
    source text not null,
    table_name text,
    feed text,
    file_name text not null,
    size_bytes bigint not null,
    modified_at timestamptz not null,
    checksum text,
    status text not null check (status in ('pending', 'loading', 'loaded', 'duplicate', 'failed')),
    first_seen_at timestamptz not null default now(),
    batch_id uuid references etl.batch,
    load_started_at timestamptz,
    load_ended_at timestamptz,
    rows_read bigint,
    rows_rejected bigint,
    notes text,
    unique (source, file_name, size_bytes, modified_at)
);
comment on table etl.source_file is
'One delivery of a file: a name with a size and a time of change. A file that is changed is a new delivery.';
create index on etl.source_file (source, status);
create index on etl.source_file (source, checksum);

create table etl.file_slice (
    file_id bigint not null references etl.source_file on delete cascade,
    slice date not null,
    rows_read bigint not null default 0,
    in_force boolean not null default false,
    primary key (file_id, slice)
);
comment on table etl.file_slice is
'The schedule dates that a file speaks of. Of the files of a feed, the one loaded last is in force for a date.';
create index on etl.file_slice (slice) where in_force;

create table etl.table_load (
    load_id bigint primary key generated always as identity,
    batch_id uuid not null references etl.batch,
    relation text not null,
    file_id bigint references etl.source_file,
    slices_left date[] not null default '{}',
    loaded_at timestamptz not null default now(),
    seconds double precision not null,
    rows_read bigint not null,
    rows_inserted bigint not null,
    rows_updated bigint not null,
    rows_unchanged bigint not null,
    rows_deleted bigint not null,
    rows_rejected bigint not null,
    check (rows_read = rows_inserted + rows_updated + rows_unchanged + rows_rejected)
);
comment on table etl.table_load is 'What one load did to one table, in rows. Written in the transaction of the load.';
comment on column etl.table_load.slices_left is 'Dates that rows were moved away from: what is built on them changes too.';
create index on etl.table_load (relation, loaded_at desc);
create index on etl.table_load (batch_id);

create table etl.model_build (
    batch_id uuid not null references etl.batch,
    relation text not null,
    status text not null,
    rows_changed bigint,
    seconds double precision not null,
    built_at timestamptz not null default now(),
    primary key (batch_id, relation)
);
comment on table etl.model_build is 'What one dbt run did to one model: rows that it wrote or deleted.';
create index on etl.model_build (relation, built_at desc);

create table etl.rejected_row (
    rejected_id bigint primary key generated always as identity,
    batch_id uuid not null references etl.batch,
    relation text not null,
    file_id bigint references etl.source_file,
    line_number bigint,
    column_name text,
    reason text not null,
    raw text,
    rejected_at timestamptz not null default now(),
    status text not null default 'new' check (status in ('new', 'resolved', 'superseded')),
    resolved_at timestamptz,
    resolved_by text,
    resolution_notes text,
    unique nulls not distinct (file_id, line_number, column_name, reason)
);
comment on table etl.rejected_row is
'One fault of one row that could not be loaded. Superseded: its file was sent anew, or nothing it said is in force.';
create index on etl.rejected_row (status) where status = 'new';

create table etl.watermark (
    relation text primary key,
    source text not null,
    value text not null,
    batch_id uuid not null references etl.batch,
    updated_at timestamptz not null default now()
);
comment on table etl.watermark is 'How far each table has been read: the newest slice or change stamp loaded.';

create table etl.quality_result (
    result_id bigint primary key generated always as identity,
    batch_id uuid not null references etl.batch,
    source text not null,
    relation text not null,
    rule text not null,
    severity text not null check (severity in ('error', 'warning')),
    slice_from date,
    slice_to date,
    passed boolean not null,
    rows_checked bigint not null,
    rows_broken bigint not null,
    checked_at timestamptz not null default now()
);
comment on table etl.quality_result is 'What each rule found each time, for the slice it looked at.';
create index on etl.quality_result (relation, rule, checked_at desc);

create table etl.quality_issue (
    issue_id bigint primary key generated always as identity,
    source text not null,
    relation text not null,
    rule text not null,
    why text not null,
    key text not null,
    field text not null default '',
    value text,
    exception_type text not null,
    severity text not null check (severity in ('error', 'warning')),
    message text not null,
    slice date,
    status text not null default 'open' check (status in ('open', 'resolved', 'closed')),
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    first_batch_id uuid not null references etl.batch,
    last_batch_id uuid not null references etl.batch,
    resolved_at timestamptz,
    resolved_by text,
    resolution_notes text,
    closed_at timestamptz,
    unique (relation, rule, key, field)
);
comment on table etl.quality_issue is
'One finding: a rule, a row, a field. Resolved by a person it stays so while the value stays; mended it closes.';
create index on etl.quality_issue (source, status);
create index on etl.quality_issue (relation, rule, slice) where status <> 'closed';

create function etl.resolve_issue(issue bigint, who text, note text) returns void
language plpgsql as $$
begin
    if coalesce(trim(who), '') = '' or coalesce(trim(note), '') = '' then
        raise exception 'An issue is resolved by somebody, with a note; one of the two is empty.';
    end if;
    update etl.quality_issue
    set status = 'resolved', resolved_at = now(), resolved_by = who, resolution_notes = note
    where issue_id = issue and status = 'open';
    if not found then
        raise exception 'Issue % is not open: it %.', issue, coalesce(
            (select 'is ' || status || coalesce(' by ' || resolved_by, '') from etl.quality_issue where issue_id = issue),
            'does not exist'
        );
    end if;
end
$$;

create function etl.resolve_rejected_row(rejected bigint, who text, note text) returns void
language plpgsql as $$
begin
    if coalesce(trim(who), '') = '' or coalesce(trim(note), '') = '' then
        raise exception 'A rejected row is resolved by somebody, with a note; one of the two is empty.';
    end if;
    update etl.rejected_row
    set status = 'resolved', resolved_at = now(), resolved_by = who, resolution_notes = note
    where rejected_id = rejected and status = 'new';
    if not found then
        raise exception 'Rejected row % is not new: it %.', rejected, coalesce(
            (select 'is ' || status from etl.rejected_row where rejected_id = rejected), 'does not exist'
        );
    end if;
end
$$;

reset role;
