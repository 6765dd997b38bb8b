{#- The merge that replace_window, list_partitioned and daily_snapshot share: a table is made to hold what the model
    says, within a window, and only what differs is written. -#}

{#- Refuse rows whose key is null or said more than once. -#}
{%- macro validate_unique_key(target, incoming, keys) -%}
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


{#- A condition: the row lies in the window that this run replaces, and is deleted where the model no longer says it.
    These are the dates of `window_column` in the window that is built, or in the one that the macro named by
    `window_macro` makes of it, widened by `window_days_before` and `window_days_after`; without a window
    or a `window_column`, all. -#}
{%- macro in_replaced_window(relation) -%}
    {%- set window_column, window_macro = config.get('window_column'), config.get('window_macro') -%}
    {%- set window = context[window_macro]() if window_macro else none -%}
    {{ return('true' if window_column is none else in_window(
        relation ~ '.' ~ window_column, config.get('window_days_before', 0), config.get('window_days_after', 0),
        window)) }}
{%- endmacro -%}


{#- The statement that merges: it inserts, updates and deletes what differs, and returns a row for each such row. An
    equal row is not written and keeps its xmin.

    `incoming` is a relation, or a query in parentheses; `names` are its columns that are to be written; `stamps` are
    expressions by the names of columns that only a row that is written gets. `delete_where` says of `existing` rows
    which are deleted if they are not incoming. `existing_where` says where in the table the keys of `incoming` can be
    found, so that no other partition is read for them. -#}
{%- macro merge_changed_rows(target, incoming, keys, names, delete_where, stamps={}, existing_where=none) -%}
    {%- set others = names | reject('in', keys) | list -%}
    {%- set same_key = columns_equal(keys, 'existing', 'incoming') -%}
    {%- set same_key = same_key ~ ' and ' ~ existing_where if existing_where else same_key -%}
with

-- rows that are new, or differ from the existing row
changed as (
    select incoming.*
    from {{ incoming }} as incoming
    left join {{ target }} as existing on {{ same_key }}
    where existing.{{ keys[0] }} is null
    {%- if others %}
        or {{ columns_differ(others, 'existing', 'incoming') }}
    {%- endif %}
),

deleted as (
    delete from {{ target }} as existing
    where {{ delete_where }} and not exists (select 1 from {{ incoming }} as incoming where {{ same_key }})
    returning 1
),
{% if others %}
updated as (
    update {{ target }} as existing
    set
        {{ column_assignments(others, 'incoming') }}
        {%- for name, stamp in stamps.items() %}, {{ name }} = {{ stamp }}{% endfor %}
    from changed as incoming
    where {{ same_key }}
    returning 1
),
{% endif %}
-- All of these statements see the table as it was before them.
inserted as (
    insert into {{ target }} ({{ (names + stamps.keys() | list) | join(', ') }})
    select {{ (names + stamps.values() | list) | join(', ') }}
    from changed as incoming
    where not exists (select 1 from {{ target }} as existing where {{ same_key }})
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
