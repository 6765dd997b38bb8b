-- What each model was last built of: a model is built when something that it reads has changed since, and not otherwise.

set local role etl_loader;

alter table etl.model_build drop constraint model_build_pkey;
alter table etl.model_build alter batch_id drop not null;
alter table etl.model_build add column build_id bigint primary key generated always as identity;
alter table etl.model_build add unique (batch_id, relation);
alter table etl.model_build add column first_date date;
alter table etl.model_build add column last_date date;
alter table etl.model_build add column is_difference boolean not null default false;
comment on column etl.model_build.batch_id is 'Null where dbt was run by hand.';
comment on column etl.model_build.first_date is
'Only rows of this date and later ones may have changed, up to last_date; null where any may have.';
comment on column etl.model_build.is_difference is
'Nothing that the model reads had changed, and rows did all the same: what was built before was not all of it.';
create index on etl.model_build (relation, build_id) where rows_changed > 0;
create index on etl.table_load (relation, load_id) where rows_inserted + rows_updated + rows_deleted + rows_vanished > 0;

create table etl.model_state (
    relation text primary key,
    code_version text not null,
    seen jsonb not null,
    as_of date,
    built_at timestamptz not null default now(),
    batch_id uuid references etl.batch
);
comment on table etl.model_state is 'What each model was last built of. Without a line it is built at the next run.';
comment on column etl.model_state.seen is 'Of each relation that the model reads, the last change that was built.';
comment on column etl.model_state.as_of is 'The day as of which it was built; null where that makes no difference.';

create view etl.relation_change as
select
    load.relation,
    load.load_id as change_id,
    days.first_date,
    days.last_date
from etl.table_load as load
cross join lateral (
    select
        min(day) as first_date,
        max(day) as last_date
    from (
        select slice as day from etl.file_slice where file_id = load.file_id
        union all
        select unnest(load.slices_left || load.slices_changed)
    ) as said
) as days
where load.rows_inserted + load.rows_updated + load.rows_deleted + load.rows_vanished > 0
union all
select
    relation,
    build_id,
    first_date,
    last_date
from etl.model_build
where rows_changed > 0;
comment on view etl.relation_change is
'Each change of a table or a model, in the order of change_id, and the dates of the rows that may have changed; without'
' a first date these may be any.';

create function etl.newest_change(of_relation text) returns bigint
language sql stable
as $$
    select greatest(
        (
            select load_id from etl.table_load
            where relation = of_relation and rows_inserted + rows_updated + rows_deleted + rows_vanished > 0
            order by load_id desc limit 1
        ),
        (
            select build_id from etl.model_build
            where relation = of_relation and rows_changed > 0
            order by build_id desc limit 1
        ),
        0
    );
$$;
comment on function etl.newest_change(text) is 'The number of the last change of a table or a model; 0 where there is none.';

create function etl.is_there(relation text) returns boolean
language sql stable
as $$
    -- to_regclass wants the right to use the schema.
    select exists (
        select from pg_class
        inner join pg_namespace as space on space.oid = relnamespace
        where space.nspname = split_part(relation, '.', 1) and relname = split_part(relation, '.', 2)
    );
$$;
comment on function etl.is_there(text) is 'Whether there is a table or a view of that name, seen or not.';

-- In the transaction that builds a model: whether it must be built, and of which dates.
-- `model` says what it is: code, inputs, dated_inputs (those whose dates say which of its own change, and by how many
-- days these reach further), undated_inputs (those that may change any date of it), by_day.
-- The settings etl.build (changed, asked or full), etl.as_of and etl.batch_id are the run's, and so are etl.start_date
-- and etl.end_date, the dates that are asked for; the function puts in their place, for the transaction, those to build.
create function etl.begin_build(of_relation text, model jsonb) returns text
language plpgsql security definer
as $$
declare
    mode constant text := coalesce(nullif(current_setting('etl.build', true), ''), 'full');
    today constant date := case
        when (model ->> 'by_day')::boolean then nullif(current_setting('etl.as_of', true), '')::date
    end;
    held etl.model_state%rowtype;
    newest jsonb;
    behind text[];
    dated text[];
    is_new_code boolean;
    is_current boolean;
    is_whole boolean;
    first_date date;
    last_date date;
begin
    select * into held from etl.model_state where relation = of_relation;
    select coalesce(jsonb_object_agg(input, etl.newest_change(input)), '{}') into newest
    from jsonb_array_elements_text(model -> 'inputs') as input;
    behind := array(
        select key from jsonb_each_text(newest)
        where value::bigint > coalesce((held.seen ->> key)::bigint, 0)
    );
    is_new_code := held.code_version is distinct from model ->> 'code' or not etl.is_there(of_relation);
    is_current := not is_new_code and behind = '{}' and held.as_of is not distinct from today;
    if mode = 'changed' and is_current then
        return 'current';
    end if;

    dated := array(select jsonb_object_keys(model -> 'dated_inputs') intersect select unnest(behind));
    is_whole := mode = 'full' or is_new_code or held.as_of is distinct from today or exists (
        select from etl.relation_change
        where relation = any(dated) and change_id > coalesce((held.seen ->> relation)::bigint, 0)
            and relation_change.first_date is null
    ) or exists (
        select from jsonb_array_elements_text(model -> 'undated_inputs') as input where input = any(behind)
    );
    if is_whole then
        perform set_config('etl.start_date', '', true), set_config('etl.end_date', '', true);
    else
        select
            min(change.first_date - (model #>> array['dated_inputs', change.relation])::integer),
            max(coalesce(change.last_date, 'infinity') + (model #>> array['dated_inputs', change.relation])::integer)
        into first_date, last_date
        from etl.relation_change as change
        where relation = any(dated) and change_id > coalesce((held.seen ->> relation)::bigint, 0);
        if mode = 'asked' then
            first_date := least(first_date, nullif(current_setting('etl.start_date', true), '')::date);
            last_date := greatest(last_date, nullif(current_setting('etl.end_date', true), '')::date);
        end if;
        -- Nothing of any date: the shortest window that there is.
        last_date := nullif(coalesce(last_date, current_date), 'infinity');
        first_date := nullif(case when first_date = 'infinity' then current_date else coalesce(first_date, current_date) end, '-infinity');
        perform set_config('etl.start_date', coalesce(first_date::text, ''), true),
            set_config('etl.end_date', coalesce(last_date::text, ''), true);
    end if;
    perform set_config(
        'etl.building',
        jsonb_build_object(
            'relation', of_relation, 'seen', newest, 'as_of', today, 'began', clock_timestamp(),
            'was_current', is_current, 'first_date', first_date, 'last_date', last_date
        )::text,
        true
    );
    return case when is_new_code then 'new code' else 'changed' end;
end
$$;
comment on function etl.begin_build(text, jsonb) is
'Whether a model is current; otherwise it is to be built of the dates in the settings etl.start_date and etl.end_date.';

-- In the same transaction, when the rows are written.
create function etl.end_build(
    of_relation text, model jsonb, changed bigint, changed_from date, days_before integer, days_after integer
) returns void
language plpgsql security definer
as $$
declare
    building constant jsonb := current_setting('etl.building', true);
    batch constant uuid := nullif(current_setting('etl.batch_id', true), '')::uuid;
begin
    if building ->> 'relation' is distinct from of_relation then
        raise exception 'etl.begin_build(%) was not called in this transaction', of_relation;
    end if;
    insert into etl.model_build
        (batch_id, relation, status, rows_changed, seconds, first_date, last_date, is_difference)
    values (
        batch,
        of_relation,
        'success',
        changed,
        extract(epoch from clock_timestamp() - (building ->> 'began')::timestamptz),
        coalesce(changed_from, (building ->> 'first_date')::date - days_before),
        case when changed_from is null then (building ->> 'last_date')::date + days_after end,
        changed > 0 and (building ->> 'was_current')::boolean
    )
    on conflict (batch_id, relation) do update set
        status = excluded.status, rows_changed = etl.model_build.rows_changed + excluded.rows_changed;
    insert into etl.model_state as held (relation, code_version, seen, as_of, batch_id)
    values (of_relation, model ->> 'code', building -> 'seen', (building ->> 'as_of')::date, batch)
    on conflict (relation) do update set
        code_version = excluded.code_version,
        seen = excluded.seen,
        as_of = excluded.as_of,
        built_at = now(),
        batch_id = excluded.batch_id;
end
$$;

-- In the transaction that loads a seed: what it holds is its code; one that lost its last row is another one, too.
create function etl.seed_built(of_relation text, code_version text, changed bigint) returns void
language plpgsql security definer
as $$
declare
    batch constant uuid := nullif(current_setting('etl.batch_id', true), '')::uuid;
begin
    insert into etl.model_build (batch_id, relation, status, rows_changed, seconds)
    values (
        batch,
        of_relation,
        'success',
        case
            when exists (
                select from etl.model_state as held
                where held.relation = of_relation and held.code_version = seed_built.code_version
            ) then 0
            else greatest(changed, 1)
        end,
        0
    )
    on conflict do nothing;
    insert into etl.model_state as held (relation, code_version, seen, batch_id)
    values (of_relation, code_version, '{}', batch)
    on conflict (relation) do update set
        code_version = excluded.code_version, built_at = now(), batch_id = excluded.batch_id;
end
$$;

-- dbt was run without the ledger's word: nobody knows of what, so the next run builds the model, and what reads it.
create function etl.built_by_hand(of_relation text, changed bigint) returns void
language plpgsql security definer
as $$
begin
    delete from etl.model_state where relation = of_relation;
    insert into etl.model_build (relation, status, rows_changed, seconds)
    values (of_relation, 'success', changed, 0);
end
$$;

revoke execute on function etl.begin_build(text, jsonb), etl.built_by_hand(text, bigint),
    etl.seed_built(text, text, bigint), etl.end_build(text, jsonb, bigint, date, integer, integer) from public;
grant execute on function etl.begin_build(text, jsonb), etl.built_by_hand(text, bigint),
    etl.seed_built(text, text, bigint), etl.end_build(text, jsonb, bigint, date, integer, integer) to etl_transformer;

reset role;
