-- Erasure of persons: who was erased, by a digest that tells nobody who it was, and what went with them.

set local role etl_loader;

create table etl.tombstone (
    source text not null,
    subject text not null,
    digest text not null,
    key_check text not null,
    erased_at timestamptz not null,
    erased_by text not null,
    why text not null,
    primary key (source, subject, digest)
);
comment on table etl.tombstone is
'Persons who were erased: no load brings them back. The same lines are in a file outside of the database.';
comment on column etl.tombstone.digest is
'HMAC-SHA-256 of the person''s key at the source, with a secret that no database holds.';
comment on column etl.tombstone.key_check is 'A value by which that secret is known again.';

create table etl.erasure (
    erasure_id bigint primary key generated always as identity,
    source text not null,
    digests text [] not null,
    erased_at timestamptz not null,
    erased_by text not null,
    why text not null,
    places jsonb not null
);
comment on table etl.erasure is 'Receipts: what was erased of a person, by place and count.';

reset role;

-- Only the login itself may call it: not the loader, which may not delete from tables that outlive their source.
create function etl.erase_rows(relation regclass, tids tid [], known_keys text []) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
declare
    name constant text := etl.relation_name(relation);
    flat_keys constant text [] := array(
        select string_agg(part.value, '|' order by part.place)
        from unnest(known_keys) as known (key)
        cross join lateral jsonb_array_elements_text(known.key::jsonb) with ordinality as part (value, place)
        where known.key like '[%'
        group by known.key
    );
    key_columns text;
    hashes bigint [];
    gone bigint;
begin
    perform set_config('etl.load', 'on', true);
    select string_agg(format('%I', part.attname), ', ' order by array_position(key.indkey::int2 [], part.attnum))
    into key_columns
    from pg_index as key
    inner join pg_attribute as part on part.attrelid = key.indrelid and part.attnum = any(key.indkey)
    where key.indrelid = erase_rows.relation and key.indisprimary;
    if key_columns is not null then
        -- As the loader takes them of the keys that lie in a chunk of the source's pages.
        execute format(
            'select array_agg(hash_record_extended(row(%s), 0)) from %s where ctid = any($1)', key_columns, relation
        ) into hashes using tids;
        update etl.header_digest as held
        set
            checksum = '',
            key_hashes = array(
                select hash from unnest(held.key_hashes) with ordinality as kept (hash, place)
                where hash <> all(hashes) order by place
            )
        where held.relation = name and held.key_hashes && hashes;
    end if;
    execute format('delete from %s where ctid = any($1)', relation) using tids;
    get diagnostics gone = row_count;

    delete from etl.row_before as image where image.relation = name and image.row_key = any(known_keys);
    delete from etl.row_overwritten as image where image.relation = name and image.row_key = any(known_keys);
    delete from etl.row_refused as image where image.relation = name and image.row_key = any(known_keys);
    delete from etl.key_range as held
    where held.relation = name and exists (
        select from etl.key_range as bound
        where bound.relation = name and (bound.after_key::text = any(flat_keys) or bound.upto_key::text = any(flat_keys))
    );
    update etl.write_by_hand as hand
    set row_keys = array(select key from unnest(hand.row_keys) as kept (key) where key <> all(flat_keys))
    where hand.relation = name and hand.row_keys && flat_keys;
    update etl.extraction as held
    set
        rows_held = held.rows_held - gone,
        last_key = case when held.last_key::text = any(flat_keys) then null else held.last_key end,
        -- How many of the rows the source still had is not known of such a table.
        in_doubt = held.in_doubt or (
            gone > 0 and (select relowner = 'etl_keeper'::regrole from pg_class where oid = erase_rows.relation)
        )
    where held.relation = name;

    -- The sums that one row came with, or went with, would show its key.
    with parts as (
        delete from etl.key_digest as held where held.relation = name returning held.*
    )

    insert into etl.key_digest
    select
        parts.relation,
        bucket,
        sum(n),
        bit_xor(parts.hashes),
        case
            when count(numbers) > 0
                then array[bit_xor(numbers[1]), bit_xor(numbers[2]), bit_xor(numbers[3]), bit_xor(numbers[4])]
        end
    from parts
    group by parts.relation, bucket;
    return gone;
end
$$;
comment on function etl.erase_rows(regclass, tid [], text []) is
'Delete rows of a staging table that tell of a person who is erased, and what the ledger keeps of such rows.';
grant create on schema etl to etl_keeper;
alter function etl.erase_rows(regclass, tid [], text []) owner to etl_keeper;
revoke create on schema etl from etl_keeper;
revoke all on function etl.erase_rows(regclass, tid [], text []) from public;
