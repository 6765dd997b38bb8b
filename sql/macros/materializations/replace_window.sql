{#-
  An incremental strategy: make the table hold what the model says, and write only what differs.

      {{ config(materialized='incremental', incremental_strategy='replace_window', unique_key='case_id',
                window_column='surgery_date') }}
      select ... where {{ in_window('surgery_date') }}

  Rows are matched by `unique_key` over the whole table, so that a row which moves from one date to another is
  moved and not doubled. A row that is gone from the model is deleted, within the window: the dates of `window_column`
  in the window of the vars start_date and end_date, widened by `window_days_before` and `window_days_after` where
  a date's rows depend on its neighbours; without a window or a `window_column`, over the whole table. The model must
  say no less than its window.

  The statement returns one row for each row it inserted, updated or deleted, so `rows_affected` in dbt's
  adapter_response is the number of rows that changed: 0 where nothing did, and no row's xmin moves then.
-#}
{%- macro get_incremental_replace_window_sql(arg_dict) -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set incoming = arg_dict['temp_relation'] -%}
    {%- set unique_key = arg_dict['unique_key'] -%}
    {%- if not unique_key -%}
        {{ exceptions.raise_compiler_error(target ~ ": replace_window needs a unique_key to match rows by.") }}
    {%- endif -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- do run_query("analyze " ~ incoming ~ " (" ~ keys | join(', ') ~ ")") -%}
    {%- do validate_unique_key(target, incoming, keys) -%}
    {#- A column that the model lost is one of the table's still, and not written. -#}
    {%- set incoming_names = adapter.get_columns_in_relation(incoming) | map(attribute='name') | list -%}
    {%- set names = arg_dict['dest_columns'] | map(attribute='name') | select('in', incoming_names) | list -%}
    {{ merge_changed_rows(target, incoming, keys, names, delete_where=in_replaced_window('existing')) }}
{%- endmacro -%}
