-- What a database's tables are copied with, and what guards those that outlive their source.

do $$
declare
    wanted text;
begin
    foreach wanted in array array['etl_keeper', 'etl_live'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I nologin', wanted);
        end if;
        if not pg_has_role(current_user, wanted, 'set') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
end
$$;

create schema open_dental authorization etl_loader;
create schema open_dental_typed authorization etl_transformer;
create schema open_dental_mart authorization etl_transformer;
create schema open_dental_live authorization etl_loader;
comment on schema open_dental_live is
'Views that read a table from the old pipeline or from this one, as etl switch says of each.';

grant usage on schema open_dental to etl_transformer, etl_keeper;
alter default privileges for role etl_loader in schema open_dental grant select on tables to etl_transformer;
grant usage on schema open_dental_mart to etl_reader;
grant usage on schema open_dental_live to etl_live;
alter default privileges for role etl_loader in schema open_dental_live grant select on tables to etl_live;
grant usage on schema etl to etl_keeper;

set local role etl_loader;

create table etl.extraction (
    relation text primary key,
    source text not null,
    rows_held bigint not null,
    rows_apart bigint not null default 0,
    read_until timestamptz,
    read_at timestamptz not null,
    last_key bigint,
    source_columns text[] not null,
    swept_at timestamptz,
    in_doubt boolean not null default false,
    changed_by uuid references etl.batch,
    batch_id uuid not null references etl.batch
);
comment on table etl.extraction is
'How far a table of a database has been read. Written in the transaction of the load.';
comment on column etl.extraction.read_until is
'The clock of the source before the last read; the next one begins before it.';
comment on column etl.extraction.read_at is
'Our clock then: where the source''s is found to have jumped, this is what counts.';
comment on column etl.extraction.rows_apart is
'Rows held beyond those that the source has: a table that outlives its source keeps them. Otherwise 0.';
comment on column etl.extraction.in_doubt is
'Whether it was found to differ from the source; the next load compares every row.';
comment on column etl.extraction.changed_by is
'The last load that wrote or deleted a row: what etl rollback takes back.';
comment on column etl.extraction.source_columns is 'The columns then; one that is new is read of all rows.';

create table etl.key_range (
    relation text not null,
    ordinal integer not null,
    after_key bigint,
    upto_key bigint,
    rows bigint not null,
    checksum text not null,
    primary key (relation, ordinal)
);
comment on table etl.key_range is
'What each range of a table''s keys came to at the source when it was last read; while it does so it is not read.';

create table etl.row_before (
    relation text not null,
    row_key text not null,
    batch_id uuid not null references etl.batch,
    was jsonb not null,
    primary key (relation, row_key)
);
comment on table etl.row_before is
'Rows as they were before the last load that changed their table: what etl rollback puts back.';

-- No reference to the batch: what is kept here must not go with anything else.
create table etl.row_overwritten (
    overwritten_id bigint primary key generated always as identity,
    relation text not null,
    row_key text not null,
    batch_id uuid not null,
    was jsonb not null,
    kept_at timestamptz not null default now()
);
create index on etl.row_overwritten (relation, row_key);
comment on table etl.row_overwritten is
'Rows of tables that outlive their source as they were before the source changed them; kept as long as the rows are.';

create table etl.row_refused (
    refused_id bigint primary key generated always as identity,
    relation text not null,
    row_key text not null,
    batch_id uuid not null,
    said jsonb not null,
    stands boolean not null default true,
    refused_at timestamptz not null default now()
);
create unique index on etl.row_refused (relation, row_key, md5(said::text));
comment on table etl.row_refused is
'Rows that a source has under keys by which other rows are held of a table that is only appended to: those stay.';
comment on column etl.row_refused.stands is 'Whether the source had it so when it was last read.';

create table etl.retention (
    retention_id bigint primary key generated always as identity,
    relation text not null,
    date_column text not null,
    before date not null,
    rows_deleted bigint not null,
    done_by text not null,
    reason text not null,
    done_at timestamptz not null default now()
);
comment on table etl.retention is
'Every deletion from a table that outlives its source, and who decided on it. What was deleted is not loaded again.';
grant insert on etl.retention to etl_keeper;
grant select, update on etl.extraction to etl_keeper;
grant select, delete on etl.row_overwritten, etl.row_refused to etl_keeper;

create table etl.table_switch (
    relation text primary key,
    reads text not null check (reads in ('old', 'new')),
    switched_at timestamptz not null default now(),
    switched_by text not null
);
comment on table etl.table_switch is
'Whether a table''s view in the live schema reads the old pipeline''s table or ours.';

-- A trigger and not a missing privilege: the loader owns the tables it makes.
create function etl.refuse_loss() returns trigger
language plpgsql as $$
begin
    if current_user <> 'etl_keeper' then
        raise exception '%.% outlives its source: % is refused.', tg_table_schema, tg_table_name, lower(tg_op)
            using errcode = 'insufficient_privilege',
            hint = 'Rows leave it by etl retain alone, which writes down who decided on it.';
    end if;
    return null;
end
$$;
comment on function etl.refuse_loss() is
'The trigger of tables that outlive their source: it refuses DELETE and TRUNCATE.';

create trigger outlives_source before delete or truncate on etl.row_overwritten
for each statement execute function etl.refuse_loss();
create trigger outlives_source before delete or truncate on etl.row_refused
for each statement execute function etl.refuse_loss();

create function etl.outlive_source(relation regclass) returns void
language plpgsql as $$
begin
    if not exists (select from pg_trigger where tgrelid = relation and tgname = 'outlives_source') then
        execute format(
            'create trigger outlives_source before delete or truncate on %s'
            ' for each statement execute function etl.refuse_loss()',
            relation
        );
        execute format('grant select, delete on %s to etl_keeper', relation);
    end if;
end
$$;
comment on function etl.outlive_source(regclass) is
'Guard a table: from now on the database refuses to delete from it.';

reset role;

-- Only the login itself may call it: not the loader.
create function etl.retain(relation regclass, date_column text, before date, who text, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog set timezone = 'UTC' as $$
declare
    name text;
    gone bigint;
begin
    if coalesce(trim(who), '') = '' or coalesce(trim(why), '') = '' then
        raise exception 'Retention is decided by somebody, for a reason; one of the two is empty.';
    end if;
    select concat_ws('.', space.nspname, class.relname) into name
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where class.oid = retain.relation;
    -- As a load does: none may have counted what goes.
    perform pg_advisory_xact_lock(hashtextextended('etl load ' || name, 0));
    execute format('delete from %s where %I < $1', relation, date_column) using before;
    get diagnostics gone = row_count;
    delete from etl.row_overwritten as image
    where image.relation = name and (image.was ->> date_column)::timestamptz < before;
    delete from etl.row_refused as image
    where image.relation = name and (image.said ->> date_column)::timestamptz < before;
    insert into etl.retention (relation, date_column, before, rows_deleted, done_by, reason)
    values (name, date_column, before, gone, who, why);
    update etl.extraction as held
    set rows_held = held.rows_held - gone, rows_apart = held.rows_apart - gone
    where held.relation = name;
    return gone;
end
$$;
comment on function etl.retain(regclass, text, date, text, text) is
'Delete what is older than a date from a table that outlives its source, and write down who decided on it.';
grant create on schema etl to etl_keeper;
alter function etl.retain(regclass, text, date, text, text) owner to etl_keeper;
revoke create on schema etl from etl_keeper;
revoke all on function etl.retain(regclass, text, date, text, text) from public;
