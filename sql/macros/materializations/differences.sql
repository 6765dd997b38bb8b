{#- What replace_slice and list_partitioned have in common: a table is made to hold what the model says, within a
    slice, and only what differs is written. -#}

{#- Refuse rows whose key is null or said more than once. -#}
{%- macro refuse_unclear_keys(target, incoming, keys) -%}
    {%- set unclear = run_query(
        "select count(*) from (select 1 from " ~ incoming ~ " group by " ~ keys | join(', ')
        ~ " having count(*) > 1 or " ~ keys | join(' is null or ') ~ " is null) as unclear"
    ).rows[0][0] -%}
    {%- if unclear -%}
        {{ exceptions.raise_compiler_error(
            target ~ ": " ~ unclear ~ " values of the unique_key (" ~ keys | join(', ') ~ ") are null or said more than"
            " once. The table was left as it was. The model must say each key once.") }}
    {%- endif -%}
{%- endmacro -%}


{#- A condition: the row is of the dates that this run builds, and to be deleted where the model no longer says it.
    They are the dates of `slice_by` in the window of the vars start_date and end_date, widened by `slice_days_before`
    and `slice_days_after`; without a window or a `slice_by`, all. -#}
{%- macro in_slice(held) -%}
    {%- set slice_by = config.get('slice_by') -%}
    {{ return('true' if slice_by is none else in_window(
        held ~ '.' ~ slice_by, config.get('slice_days_before', 0), config.get('slice_days_after', 0))) }}
{%- endmacro -%}


{#- The statement that writes what differs, and returns a row for each row it inserted, updated or deleted.

    `incoming` is a relation, or a query in parentheses; `names` are its columns that are to be written; `stamps` are
    expressions by the names of columns that only a row that is written gets. `where_held` says where in the table
    the keys of `incoming` can be found, so that no other partition is read for them. -#}
{%- macro write_differences(target, incoming, keys, names, stamps={}, where_held=none) -%}
    {%- set others = names | reject('in', keys) | list -%}
    {%- set same_key = same(keys, 'held', 'said') ~ (' and ' ~ where_held if where_held else '') -%}
with

-- rows that are new, or say something else than the row held
differing as (
    select said.*
    from {{ incoming }} as said
    left join {{ target }} as held on {{ same_key }}
    where held.{{ keys[0] }} is null
    {%- if others %}
        or ({{ columns_of(others, 'held') }})
        is distinct from ({{ columns_of(others, 'said') }})
    {%- endif %}
),

deleted as (
    delete from {{ target }} as held
    where {{ in_slice('held') }} and not exists (select 1 from {{ incoming }} as said where {{ same_key }})
    returning 1
),
{% if others %}
updated as (
    update {{ target }} as held
    set {{ set_columns(others, 'said') }}{% for name, stamp in stamps.items() %}, {{ name }} = {{ stamp }}{% endfor %}
    from differing as said
    where {{ same_key }}
    returning 1
),
{% endif %}
inserted as (
    insert into {{ target }} ({{ (names + stamps.keys() | list) | join(', ') }})
    select {{ (names + stamps.values() | list) | join(', ') }}
    from differing as said
    where not exists (select 1 from {{ target }} as held where {{ same_key }})
    returning 1
)

select 1 from deleted
{%- if others %}
union all
select 1 from updated
{%- endif %}
union all
select 1 from inserted
{%- endmacro -%}
