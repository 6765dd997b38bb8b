-- Tables that outlive their source belong to etl_keeper, as which nobody loads; personal columns have readers of their own.

do $$
begin
    if not exists (select from pg_roles where rolname = 'etl_personal_reader') then
        create role etl_personal_reader nologin;
    end if;
    if not pg_has_role(current_user, 'etl_personal_reader', 'set') then
        grant etl_personal_reader to current_user;
    end if;
    -- It takes over tables that the loader has made.
    if not pg_has_role('etl_keeper', 'etl_loader', 'usage') then
        grant etl_loader to etl_keeper with inherit true, set false;
    end if;
end
$$;

-- Whoever loads looks whether a migration waits.
grant select on public.schema_migration to etl_loader;

-- Readers of personal columns: all that etl_reader sees, and every column of it.
grant usage on schema operating_room, tracktik, open_dental_mart to etl_personal_reader;
grant select on tracktik.billing_periods to etl_personal_reader;

-- Whoever owns a schema can drop what is in it, whosoever that is.
do $$
declare
    held name;
begin
    execute format('grant create on database %I to etl_keeper', current_database());
    for held in
        select distinct space.nspname
        from pg_namespace as space
        left join pg_class as class on class.relnamespace = space.oid
        left join pg_trigger as guard on guard.tgrelid = class.oid and guard.tgname = 'outlives_source'
        where space.nspname in ('etl', 'open_dental') or guard.oid is not null
    loop
        execute format('alter schema %I owner to etl_keeper', held);
        execute format('grant usage, create on schema %I to etl_loader', held);
    end loop;
    execute format('revoke create on database %I from etl_keeper', current_database());
end
$$;

-- What is kept beside such tables, and what says how much of them there is: etl.retain writes it as etl_keeper, so no
-- trigger of the loader's may hang on it.
alter table etl.row_overwritten owner to etl_keeper;
alter table etl.row_refused owner to etl_keeper;
alter table etl.retention owner to etl_keeper;
alter table etl.extraction owner to etl_keeper;
grant select, insert on etl.row_overwritten to etl_loader;
grant select, insert, update (stands) on etl.row_refused to etl_loader;
grant select on etl.retention to etl_loader;
grant select, insert, update, delete on etl.extraction to etl_loader;

alter function etl.refuse_loss() owner to etl_keeper;
alter function etl.outlive_source(regclass) owner to etl_keeper;
alter function etl.retain(regclass, text, date, text, text) set search_path = pg_catalog, pg_temp;

create or replace function etl.outlive_source(relation regclass) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    obstacle text;
    others text;
begin
    if (select relowner = 'etl_keeper'::regrole from pg_class where oid = relation) then
        return;
    end if;
    execute format('lock table %s in access exclusive mode', relation);
    -- What is the owner's is run as the owner: nothing of the kind may come along from who made the table.
    select case
        when class.relkind <> 'r' or class.relpersistence <> 'p' or class.relispartition or class.relhassubclass
            or exists (select from pg_inherits where inhrelid = relation)
            then 'it is no ordinary table by itself'
        when space.nspname = 'etl'
            then 'it is the ledger''s'
        when space.nspowner <> 'etl_keeper'::regrole
            then format('its schema belongs to %s, who could drop it', space.nspowner::regrole)
        when exists (select from pg_trigger where tgrelid = relation and not tgisinternal)
            or exists (select from pg_rewrite where ev_class = relation)
            or exists (select from pg_policy where polrelid = relation)
            or class.relrowsecurity
            then 'it has triggers, rules or policies'
        when exists (select from pg_constraint where conrelid = relation and contype not in ('p', 'u', 'n'))
            or exists (select from pg_constraint where confrelid = relation)
            or exists (select from pg_attrdef where adrelid = relation)
            or exists (
                select from pg_index
                where indrelid = relation and (indexprs is not null or indpred is not null)
            )
            then 'it has constraints, defaults or indexes with expressions of their own'
        when exists (
            select from pg_attribute as attribute
            inner join pg_type as type on type.oid = attribute.atttypid
            where attribute.attrelid = relation and attribute.attnum > 0 and not attribute.attisdropped
                and type.typnamespace <> 'pg_catalog'::regnamespace
        )
            then 'it has columns of types that are not PostgreSQL''s own'
    end
    into obstacle
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where class.oid = relation;
    if obstacle is not null then
        raise exception '% cannot outlive its source: %.', relation, obstacle;
    end if;
    execute format('alter table %s owner to etl_keeper', relation);
    execute format(
        'create trigger outlives_source before delete or truncate on %s'
        ' for each statement execute function etl.refuse_loss()',
        relation
    );
    select string_agg(quote_ident(attribute.attname), ', ') into others
    from pg_attribute as attribute
    where attribute.attrelid = relation and attribute.attnum > 0 and not attribute.attisdropped
        and not exists (
            select from pg_index where indrelid = relation and indisprimary and attribute.attnum = any(indkey)
        );
    execute format('grant select, insert, maintain on %s to etl_loader', relation);
    if others is not null then
        execute format('grant update (%s) on %s to etl_loader', others, relation);
    end if;
end
$$;
comment on function etl.outlive_source(regclass) is
'Take a table over from the loader: from now on it may add and change rows of it, and nothing else.';

create function etl.add_retained_column(relation regclass, name text, type text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    kind text := format_type(to_regtype(type), to_regtypemod(type));
begin
    if not exists (select from pg_type where oid = to_regtype(type) and typnamespace = 'pg_catalog'::regnamespace) then
        raise exception '% is no type of PostgreSQL''s own.', type;
    end if;
    if not exists (
        select from pg_class as class
        inner join pg_trigger as guard on guard.tgrelid = class.oid and guard.tgname = 'outlives_source'
        where class.oid = relation and class.relowner = 'etl_keeper'::regrole
            and class.relnamespace <> 'etl'::regnamespace
    ) then
        raise exception '% is no staging table that outlives its source.', relation;
    end if;
    if exists (select from pg_attribute where attrelid = relation and attname = name and not attisdropped) then
        return;
    end if;
    execute format('alter table %s add column %I %s', relation, name, kind);
    execute format('grant update (%I) on %s to etl_loader', name, relation);
end
$$;
comment on function etl.add_retained_column(regclass, text, text) is
'Add a column to a table that outlives its source: the loader does not own it.';
alter function etl.add_retained_column(regclass, text, text) owner to etl_keeper;
revoke all on function etl.outlive_source(regclass), etl.add_retained_column(regclass, text, text) from public;
grant execute on function etl.outlive_source(regclass), etl.add_retained_column(regclass, text, text) to etl_loader;

-- Those that there are.
do $$
declare
    held regclass;
begin
    for held in
        select guard.tgrelid
        from pg_trigger as guard
        inner join pg_class as class on class.oid = guard.tgrelid
        where guard.tgname = 'outlives_source' and class.relnamespace <> 'etl'::regnamespace
    loop
        execute format('drop trigger outlives_source on %s', held);
        execute format('revoke all on %s from etl_keeper', held);
        perform etl.outlive_source(held);
    end loop;
end
$$;

set local role etl_loader;

create table etl.table_failure (
    relation text primary key,
    source text not null,
    batch_id uuid not null references etl.batch,
    error text not null,
    failed_since timestamptz not null default now()
);
comment on table etl.table_failure is
'Tables whose last load failed, and since when: what is built on them is stale. A load that goes well deletes the line.';

reset role;
