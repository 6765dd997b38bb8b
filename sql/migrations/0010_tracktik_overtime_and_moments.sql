-- 1. Which overtime rules of TrackTik can be computed. Asked by the models, which leave overtime null where one cannot, and
-- by the quality rule that names it: so it is said once, here.

set local role etl_loader;

create function tracktik.why_not_computed(overtime_rule jsonb) returns text
language sql immutable as $$
select
    case
        when jsonb_typeof(overtime_rule -> 'rules') is distinct from 'array' then 'the service does not say its items'
        when coalesce(overtime_rule ->> 'periodLength', '?') not in ('WEEKLY', 'BI-WEEKLY')
            then 'its periodLength is ' || coalesce(overtime_rule ->> 'periodLength', 'null')
        -- Of one item there is nothing to choose from.
        when coalesce(overtime_rule ->> 'method', 'SEQUENTIAL') <> 'SEQUENTIAL'
            and jsonb_array_length(overtime_rule -> 'rules') > 1
            then 'its method is ' || (overtime_rule ->> 'method')
        else (
            select
                'it has items of ' || string_agg(distinct concat_ws(' by ', item ->> 'ruleType', item ->> 'rateType'), ', ')
            from jsonb_array_elements(overtime_rule -> 'rules') as item
            where
                coalesce(item ->> 'ruleType', '?') not in ('DAILY', 'PERIOD')
                or not coalesce(
                    item ->> 'threshold' ~ '^[0-9.]' and pg_input_is_valid(item ->> 'threshold', 'numeric(8, 4)'), false
                )
                or not coalesce(
                    case item ->> 'rateType'
                        when 'MULTIPLIER'
                            then item ->> 'rateMultiplier' ~ '^[0-9.]'
                            and pg_input_is_valid(item ->> 'rateMultiplier', 'numeric(6, 4)')
                        when 'RATE'
                            then item ->> 'rateAmount' ~ '^[0-9.]'
                            and pg_input_is_valid(item ->> 'rateAmount', 'numeric(9, 4)')
                    end, false
                )
        )
    end
$$;
comment on function tracktik.why_not_computed(jsonb) is
'Why the overtime of an overtime rule, as TrackTik sent it, is not computed; null where it is. The service says of
items by consecutive days, by certain days and by holidays, and of the method BEST_OF, that they exist, and not how.';

reset role;

-- 2. A version of a dimension that was dated ahead by its source hides the member until then, and whatever is told later.
-- It begins when it was first written, and keeps its key.
do $$
declare
    dimension record;
begin
    for dimension in
        select
            format('tracktik.%I', found.relation) as relation,
            found.natural_key
        from (
            values
            ('dim_regions', 'region_id'), ('dim_clients', 'client_id'), ('dim_employees', 'employee_id'),
            ('dim_positions', 'position_id')
        ) as found (relation, natural_key)
        where to_regclass(format('tracktik.%I', found.relation)) is not null
    loop
        -- One after the other, where a member has several of them.
        execute format(
            'update %1$s as version set valid_from = moved.began from ('
            ' select surrogate_key, created_at + row_number() over (partition by %2$I order by valid_from)'
            ' * interval ''1 microsecond'' as began from %1$s where valid_from > now() and %2$I is not null'
            ') as moved where version.surrogate_key = moved.surrogate_key',
            dimension.relation, dimension.natural_key
        );
        execute format(
            'update %1$s as version set valid_to = chained.next_from from ('
            ' select surrogate_key, lead(valid_from) over (partition by %2$I order by valid_from) as next_from'
            ' from %1$s where %2$I is not null'
            ') as chained where version.surrogate_key = chained.surrogate_key'
            ' and version.valid_to is distinct from chained.next_from',
            dimension.relation, dimension.natural_key
        );
    end loop;
end
$$;
