{#- The versions of each record of a staging table that keeps every document it was ever sent, each with the moments
    between which it is valid.

    - `effective_at`: of a record's first document, when the record was created or changed, or when we first saw it,
      whichever is the earliest; of a later one, when it says it was changed, where that is later than the moment of
      the one before and earlier than when we first saw it, or else that. So no two have the same moment, their order is
      that of loading, and none lies ahead of what we know.
    - `in_force_from` and `in_force_to` go on without an end: before the first moment and after the last one.
    - A deletion is one more version (`is_deleted`), which says what the last document said. -#}
{%- macro document_versions(documents) -%}
with

-- One event per document, and one more where the record was deleted.
events as (
    select
        id,
        raw_data,
        false as is_deleted,
        loaded_at as seen_at,
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
        row_number() over (partition by id order by seen_at) as number
    from events
),

-- A change that is said to lie ahead was made by the time that it was seen: least passes over nulls.
ordered as (
    select
        id,
        raw_data,
        is_deleted,
        number,
        seen_at,
        least(case when number = 1 then created_at end, updated_at, seen_at) as changed_at
    from numbered
),

-- Whether a document counts from its own change (1) or from when it was seen (0). The moment of the one before is one of
-- its two, of which the change is not the later: a change after both is later, one no later than its change is not; one
-- in between is later where the one before counted from its change, and so on back (null until then).
resolved as (
    select
        *,
        case
            when number = 1 or changed_at > lag(seen_at) over timeline then 1
            when changed_at > lag(changed_at) over timeline then null
            else 0
        end as counts_from_change
    from ordered
    window timeline as (partition by id order by number)
),

-- What is still open takes the last answer before it: the greatest pair (number, answer) is the latest.
dated as (
    select
        *,
        case
            when
                (
                    max(array[number, counts_from_change]) filter (where counts_from_change is not null)
                    over (partition by id order by number)
                )[2] = 1
                then changed_at
            else seen_at
        end as effective_at
    from resolved
)

-- Each version is valid until the next one is.
select
    id::integer as id,
    raw_data,
    is_deleted,
    effective_at,
    case when number = 1 then '-infinity' else effective_at end as in_force_from,
    coalesce(lead(effective_at) over (partition by id order by number), 'infinity') as in_force_to
from dated
{%- endmacro -%}
