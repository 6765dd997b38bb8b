{#- The documents of a staging table that keeps every one of a record, each with the moments between which it counts.

    - `effective_at`: of a record's first document, when the record was created or changed, or when we first saw it,
      whichever is the earliest; of a later one, when it says it was changed, where that is later than the moment of
      the one before, or else when we first saw it. So no two have the same moment, and their order is that of loading.
    - `in_force_from` and `in_force_to` go on without an end: before the first moment and after the last one.
    - A deletion is one more version (`is_deleted`), which says what the last document said. -#}
{%- macro versions_of(documents) -%}
with

told as (
    select
        id,
        raw_data,
        false as is_deleted,
        loaded_at as told_at,
        {{ json_field('createdOn', 'timestamptz') }} as created_at,
        {{ json_field('updatedOn', 'timestamptz') }} as updated_at
    from {{ documents }}
    where {{ integer_id() }} is not null
    union all
    select
        id,
        raw_data,
        true,
        greatest(deleted_at, loaded_at + interval '1 microsecond'),
        null,
        null
    from {{ documents }}
    where deleted_at is not null and {{ integer_id() }} is not null
),

numbered as (
    select
        *,
        row_number() over (partition by id order by told_at) as number
    from told
),

-- When a document counts from if not from its own change: when it was told, but after every change told before it, for
-- one of these may be said to lie ahead.
placed as (
    select
        id,
        raw_data,
        is_deleted,
        number,
        case when number = 1 then least(created_at, updated_at, told_at) else updated_at end as changed_at,
        greatest(
            told_at,
            max(updated_at) over (partition by id order by number rows between unbounded preceding and 1 preceding)
            + number * interval '1 microsecond'
        ) as placed_at
    from numbered
),

-- Whether a document counts from its own change (1) or not (0). The moment of the one before is one of its two: a
-- change later than both is later, one no later than its change is not; one in between is later where the one before
-- counted from its change, and so on back.
judged as (
    select
        *,
        case
            when number = 1 or changed_at > greatest(lag(changed_at) over timeline, lag(placed_at) over timeline) then 1
            when changed_at > lag(changed_at) over timeline then null
            else 0
        end as verdict
    from placed
    window timeline as (partition by id order by number)
),

dated as (
    select
        *,
        case
            when
                (max(array[number, verdict]) filter (where verdict is not null) over (partition by id order by number))[2]
                = 1
                then changed_at
            else placed_at
        end as effective_at
    from judged
)

select
    id::integer as id,
    raw_data,
    is_deleted,
    effective_at,
    case when number = 1 then '-infinity' else effective_at end as in_force_from,
    coalesce(lead(effective_at) over (partition by id order by number), 'infinity') as in_force_to
from dated
{%- endmacro -%}

{#- The versions of a dimension's members, each with the moments between which it is taken: the first one also stands
    for the time before it, so that a fact older than what is known of its member still finds it. -#}
{%- macro members_of(dimension, natural_key) -%}
select
    *,
    case
        when row_number() over (partition by {{ natural_key }} order by valid_from) = 1 then '-infinity'
        else valid_from
    end as in_force_from,
    coalesce(valid_to, 'infinity') as in_force_to
from {{ dimension }}
where {{ natural_key }} is not null
{%- endmacro -%}

{#- A join condition: the version was in force at that moment. -#}
{%- macro in_force_at(version, moment) -%}
    {{ moment }} >= {{ version }}.in_force_from
        and {{ moment }} < {{ version }}.in_force_to
{%- endmacro -%}

{#- A join condition: the two versions were in force at the same time. Together they count from the later of the
    moments at which they begin. -#}
{%- macro in_force_together(one, other) -%}
    {{ one }}.in_force_from < {{ other }}.in_force_to
        and {{ other }}.in_force_from < {{ one }}.in_force_to
{%- endmacro -%}
