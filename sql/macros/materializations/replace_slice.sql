{#-
  An incremental strategy: make the table hold what the model says, and write only what differs.

      {{ config(materialized='incremental', incremental_strategy='replace_slice', unique_key='case_id',
                slice_by='surgery_date') }}
      select ... where {{ in_window('surgery_date') }}

  Rows are matched by `unique_key` over the whole table, so that a row which moves from one date to another is
  moved and not doubled. A row that is gone from the model is deleted, within the slice: the dates of `slice_by`
  in the window of the vars start_date and end_date, widened by `slice_days_before` and `slice_days_after` where
  a date's rows depend on its neighbours; without a window or a `slice_by`, over the whole table. The model must
  say no less than its slice.

  The statement returns one row for each row it inserted, updated or deleted, so `rows_affected` in dbt's
  adapter_response is the number of rows that changed: 0 where nothing did, and no row's xmin moves then.
-#}
{%- macro get_incremental_replace_slice_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set incoming = arg_dict['temp_relation'] -%}
    {%- set unique_key = arg_dict['unique_key'] -%}
    {%- if not unique_key -%}
        {{ exceptions.raise_compiler_error(target ~ ": replace_slice needs a unique_key to match rows by.") }}
    {%- endif -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- set unclear = run_query(
        "select count(*) from (select 1 from " ~ incoming ~ " group by " ~ keys | join(', ')
        ~ " having count(*) > 1 or " ~ keys | join(' is null or ') ~ " is null) as unclear"
    ).rows[0][0] -%}
    {%- if unclear -%}
        {{ exceptions.raise_compiler_error(
            target ~ ": " ~ unclear ~ " values of the unique_key (" ~ keys | join(', ') ~ ") are null or said more than"
            " once. The table was left as it was. The model must say each key once.") }}
    {%- endif -%}
    {%- set said_names = adapter.get_columns_in_relation(incoming) | map(attribute='name') | list -%}
    {%- set names = arg_dict['dest_columns'] | map(attribute='name') | select('in', said_names) | list -%}
    {%- set others = names | reject('in', keys) | list -%}
    {%- set slice_by = config.get('slice_by') -%}
    {%- set slice = 'true' if slice_by is none else in_window(
        'held.' ~ slice_by, config.get('slice_days_before', 0), config.get('slice_days_after', 0)) -%}
    {%- set same_key -%}
        {%- for key in keys %}held.{{ key }} = said.{{ key }}{{ ' and ' if not loop.last }}{% endfor -%}
    {%- endset -%}
with

-- rows that are new, or say something else than the row held
differing as (
    select said.*
    from {{ incoming }} as said
    left join {{ target }} as held on {{ same_key }}
    where held.{{ keys[0] }} is null
    {%- if others %}
        or ({% for name in others %}held.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
        is distinct from ({% for name in others %}said.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
    {%- endif %}
),

deleted as (
    delete from {{ target }} as held
    where {{ slice }} and not exists (select 1 from {{ incoming }} as said where {{ same_key }})
    returning 1
),
{% if others %}
updated as (
    update {{ target }} as held
    set {% for name in others %}{{ name }} = said.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    from differing as said
    where {{ same_key }}
    returning 1
),
{% endif %}
inserted as (
    insert into {{ target }} ({{ names | join(', ') }})
    select {{ names | join(', ') }}
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
