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
    {%- do refuse_unclear_keys(target, incoming, keys) -%}
    {%- set said_names = adapter.get_columns_in_relation(incoming) | map(attribute='name') | list -%}
    {%- set names = arg_dict['dest_columns'] | map(attribute='name') | select('in', said_names) | list -%}
    {{ write_differences(target, incoming, keys, names) }}
{%- endmacro -%}
