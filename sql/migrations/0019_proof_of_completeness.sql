-- Proof of completeness: what the source said of each load, and which keys the loads have left in each staging table.

set local role etl_loader;

alter table etl.table_load add column source_said jsonb not null default '{}';
alter table etl.table_load add column rows_held bigint;
comment on column etl.table_load.source_said is
'What the source itself says of what it gave, by its kind: bytes and rows of a file, records that a list counts, ...';
comment on column etl.table_load.rows_held is
'Rows of the table when the load was done, those that have vanished at the source too; null before they were counted.';

reset role;

create table etl.counted_table (
    relation text primary key,
    key_columns text [] not null,
    has_numbers boolean not null,
    counted_since timestamptz not null default now(),
    counted_by text,
    why text
);
comment on table etl.counted_table is
'The staging tables whose rows are counted in and out by their keys; and who had them counted anew, and why.';

create table etl.key_digest (
    relation text not null,
    bucket smallint not null,
    n bigint not null,
    hashes bigint not null,
    numbers bigint []
);
create index on etl.key_digest (relation, bucket);
comment on table etl.key_digest is
'Which keys a staging table has, as sums (an invertible Bloom filter): the lines of a relation and bucket add up.';
comment on column etl.key_digest.n is 'Keys that came, less those that went.';
comment on column etl.key_digest.hashes is 'Their hashes, by exclusive or.';
comment on column etl.key_digest.numbers is
'The columns of each, by exclusive or, of a key of whole numbers: where one of a bucket is missing, what differs is it.';
comment on column etl.counted_table.has_numbers is 'Whether the key is of one to four columns, all of whole numbers.';

create table etl.write_by_hand (
    write_id bigint primary key generated always as identity,
    relation text not null,
    operation text not null check (operation in ('insert', 'delete', 'truncate')),
    n bigint not null,
    row_keys text [] not null,
    done_by text not null default session_user,
    application text not null default current_setting('application_name'),
    done_at timestamptz not null default clock_timestamp(),
    settled_at timestamptz,
    settled_by text,
    why text
);
create index on etl.write_by_hand (relation) where settled_at is null;
comment on table etl.write_by_hand is 'Rows of staging that were put in or deleted by somebody else than a load.';
comment on column etl.write_by_hand.row_keys is 'Of the first 1,000.';

create function etl.relation_name(relation regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select concat_ws('.', space.nspname, class.relname)
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    where class.oid = relation
$$;
comment on function etl.relation_name(regclass) is 'The name by which the ledger knows a relation.';

create function etl.key_expression(key_columns text []) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case
        when count(*) = 0 then quote_literal('')
        else format('concat_ws(%L, %s)', '|', string_agg(format('%I', name), ', ' order by place))
    end
    from unnest(key_columns) with ordinality as named (name, place)
$$;
comment on function etl.key_expression(text []) is 'SQL of the key as one text; empty for a table without one.';

create function etl.digest_query(counted text, key_columns text [], has_numbers boolean) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select format(
        'select (hash & 15)::smallint as bucket, count(*) as n, bit_xor(hash) as hashes, %s as numbers'
        ' from (select *, hashtextextended(%s, 0) as hash from %s) as hashed group by 1',
        case
            when has_numbers
                then (select format('array[%s]', string_agg(format('bit_xor(%I::bigint)', name), ', ' order by place))
                    from unnest(key_columns) with ordinality as named (name, place))
            else 'null::bigint[]'
        end,
        etl.key_expression(key_columns), counted
    )
$$;
comment on function etl.digest_query(text, text [], boolean) is 'SQL of the digest of what is counted: lines of etl.key_digest.';

-- A date or a moment in a key is one text, whatever the session's zone and order of dates.
create function etl.count_rows() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp
set timezone = 'UTC' set datestyle = 'ISO, MDY' as $$
declare
    name text := tg_table_schema || '.' || tg_table_name;
    by_hand boolean := coalesce(current_setting('etl.load', true), '') = '';
    known etl.counted_table;
    touched_rows bigint := 0;
    touched_keys text [] := '{}';
begin
    select counted.* into known from etl.counted_table as counted where relation = name;
    if not found then
        return null;
    end if;
    if tg_op = 'TRUNCATE' then
        select coalesce(sum(n), 0) into touched_rows from etl.key_digest where relation = name;
        delete from etl.key_digest where relation = name;
    else
        execute format(
            'insert into etl.key_digest select %L, bucket, n * %s, hashes, numbers from (%s) as touched',
            name, case tg_op when 'INSERT' then 1 else -1 end,
            etl.digest_query('touched', known.key_columns, known.has_numbers)
        );
        if by_hand then
            execute format(
                'select count(*), coalesce((array_agg(key order by key))[:1000], ''{}'')'
                ' from (select %s as key from touched) as named',
                etl.key_expression(known.key_columns)
            ) into touched_rows, touched_keys;
        end if;
    end if;
    if by_hand and touched_rows > 0 then
        insert into etl.write_by_hand (relation, operation, n, row_keys)
        values (name, lower(tg_op), touched_rows, touched_keys);
    end if;
    return null;
end
$$;
comment on function etl.count_rows() is 'Trigger of staging tables: count rows in and out, and note what no load did.';

create function etl.count_rows_of(
    relation regclass, key_columns text [], by_whom text default null, reason text default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp
set timezone = 'UTC' set datestyle = 'ISO, MDY' as $$
declare
    name text;
    only_numbers boolean;
begin
    if exists (select from pg_trigger where tgrelid = relation and tgname = 'etl_count_deleted') then
        return;
    end if;
    select etl.relation_name(class.oid) into name
    from pg_class as class
    inner join pg_namespace as space on space.oid = class.relnamespace
    inner join pg_attribute as batch on batch.attrelid = class.oid and batch.attname = 'etl_batch_id'
    where class.oid = relation and class.relkind = 'r' and space.nspname <> 'etl';
    if name is null then
        raise exception '% is no staging table.', relation;
    end if;
    execute format('lock table %s in share row exclusive mode', relation);
    delete from etl.key_digest where key_digest.relation = name;
    select count(*) between 1 and 4 and bool_and(atttypid = any(array['int2', 'int4', 'int8']::regtype[]))
    into only_numbers
    from pg_attribute where attrelid = relation and attname = any(key_columns);
    insert into etl.counted_table (relation, key_columns, has_numbers, counted_by, why)
    values (name, key_columns, coalesce(only_numbers, false), by_whom, reason)
    on conflict on constraint counted_table_pkey do update
    set
        key_columns = excluded.key_columns,
        has_numbers = excluded.has_numbers,
        counted_since = now(),
        counted_by = excluded.counted_by,
        why = excluded.why;
    execute format(
        'insert into etl.key_digest select %L, bucket, n, hashes, numbers from (%s) as held',
        name, etl.digest_query(relation::text, key_columns, coalesce(only_numbers, false))
    );
    execute format(
        'create or replace trigger etl_count_inserted after insert on %s referencing new table as touched'
        ' for each statement execute function etl.count_rows()', relation
    );
    execute format(
        'create or replace trigger etl_count_deleted after delete on %s referencing old table as touched'
        ' for each statement execute function etl.count_rows()', relation
    );
    execute format(
        'create or replace trigger etl_count_truncated after truncate on %s'
        ' for each statement execute function etl.count_rows()', relation
    );
end
$$;
comment on function etl.count_rows_of(regclass, text [], text, text) is
'Count the rows of a staging table in and out from now on; what it holds is counted once. Nothing where it is so.';

create function etl.digest_differences(counted regclass)
returns table (bucket smallint, n bigint, hashes bigint, numbers bigint [])
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set timezone = 'UTC' set datestyle = 'ISO, MDY' as $$
declare
    known etl.counted_table;
begin
    select held.* into known from etl.counted_table as held where held.relation = etl.relation_name(counted);
    return query execute format(
        'select bucket, sum(n)::bigint, bit_xor(hashes), array[bit_xor(numbers[1]), bit_xor(numbers[2]),'
        '     bit_xor(numbers[3]), bit_xor(numbers[4])] from ('
        '     select bucket, n, hashes, numbers from etl.key_digest where relation = %L'
        '     union all select bucket, -n, hashes, numbers from (%s) as held'
        ' ) as both_sides group by bucket having sum(n) <> 0 or bit_xor(hashes) <> 0',
        known.relation, etl.digest_query(counted::text, known.key_columns, known.has_numbers)
    );
end
$$;
comment on function etl.digest_differences(regclass) is
'Where a table''s keys are not those that were counted in and out; n is positive where some are missing.';

create function etl.held_keys(counted regclass, wanted text []) returns setof text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set timezone = 'UTC' set datestyle = 'ISO, MDY' as $$
begin
    return query execute format(
        'select key from (select %s as key from %s) as named where key = any($1)',
        etl.key_expression((
            select held.key_columns from etl.counted_table as held where held.relation = etl.relation_name(counted)
        )), counted
    ) using wanted;
end
$$;
comment on function etl.held_keys(regclass, text []) is 'Those of some keys that a counted table has now.';

create function etl.settle_write(settled bigint, by_whom text, reason text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    update etl.write_by_hand set settled_at = now(), settled_by = by_whom, why = reason
    where write_id = settled and settled_at is null
$$;
comment on function etl.settle_write(bigint, text, text) is 'Note that a write by hand is undone, or accepted.';

create function etl.fold_key_digests() returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    with

    many as (
        select relation
        from etl.key_digest
        group by relation
        having count(*) > 16
    ),

    folded as (
        delete from etl.key_digest using many where key_digest.relation = many.relation
        returning key_digest.*
    )

    insert into etl.key_digest
    select
        relation,
        bucket,
        sum(n),
        bit_xor(hashes),
        case
            when count(numbers) > 0
                then array[bit_xor(numbers[1]), bit_xor(numbers[2]), bit_xor(numbers[3]), bit_xor(numbers[4])]
        end
    from folded
    group by relation, bucket;

    delete from etl.write_by_hand where settled_at < now() - interval '400 days'
$$;
comment on function etl.fold_key_digests() is
'Add up the digests'' lines, of which each statement of a load adds some; forget what was settled long ago.';

-- Whoever loads cannot make them say something else than what was done.
grant create on schema etl to etl_keeper;
do $$
declare
    made regprocedure;
begin
    foreach made in array array[
        'etl.count_rows()', 'etl.count_rows_of(regclass, text[], text, text)', 'etl.settle_write(bigint, text, text)',
        'etl.fold_key_digests()', 'etl.digest_differences(regclass)', 'etl.held_keys(regclass, text[])'
    ]::regprocedure[] loop
        execute format('alter function %s owner to etl_keeper', made);
        execute format('revoke all on function %s from public', made);
    end loop;
end
$$;

-- What a retention decision deletes is no write by hand.
create or replace function etl.retain(relation regclass, date_column text, before date, who text, why text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    name text;
    gone bigint;
begin
    if coalesce(trim(who), '') = '' or coalesce(trim(why), '') = '' then
        raise exception 'Retention is decided by somebody, for a reason; one of the two is empty.';
    end if;
    name := etl.relation_name(retain.relation);
    -- As a load does: none may have counted what goes.
    perform pg_advisory_xact_lock(hashtextextended('etl load ' || name, 0));
    perform set_config('etl.load', 'on', true);
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

alter table etl.counted_table owner to etl_keeper;
alter table etl.key_digest owner to etl_keeper;
alter table etl.write_by_hand owner to etl_keeper;
grant execute on function etl.count_rows_of(regclass, text [], text, text), etl.settle_write(bigint, text, text),
etl.fold_key_digests(), etl.digest_differences(regclass), etl.held_keys(regclass, text []) to etl_loader;
grant select on etl.counted_table, etl.key_digest, etl.write_by_hand to etl_loader, etl_transformer;
