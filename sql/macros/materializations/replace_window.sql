{#-
  A table that is made to hold what the model says, and of which only what differs is written.

      {{ config(materialized='replace_window', unique_key='case_id', window_column='surgery_date') }}
      select ... where {{ in_window('surgery_date') }}

  Rows are matched by `unique_key` over the whole table, so that a row which moves from one date to another is
  moved and not doubled. A row that is gone from the model is deleted, within the window: the dates of `window_column`
  in the window that is built, widened by `window_days_before` and `window_days_after` where a date's rows depend on
  its neighbours; without a window or a `window_column`, over the whole table. The model must say no less than its
  window. An equal row is not written and keeps its xmin.

  - `indexes` is dbt's own, and heeded when the table is made.
  - A column the model gains is added, null in what is not built; one it loses stays, and is not written. A changed type
    is refused; a full refresh makes the table anew.
  - One transaction: a failure at any step leaves the old rows. Builds of one table take turns.
-#}
{%- materialization replace_window, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set incoming = model.alias ~ '__incoming' -%}
    {%- set unique_key = config.get('unique_key') -%}
    {%- if not unique_key -%}
        {{ exceptions.raise_compiler_error(this ~ ": replace_window needs a unique_key to match rows by.") }}
    {%- endif -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {%- if begin_build() == 'current' -%}
        {{ return(pass_over()) }}
    {%- endif -%}
    {%- set found = run_query("select relkind from pg_class where oid = to_regclass('" ~ this ~ "')").rows -%}
    {%- set is_new = not found or should_full_refresh() or found[0][0] != 'r' -%}
    {%- if found and is_new -%}
        {%- do run_query(
            "drop " ~ {'v': 'view', 'm': 'materialized view'}.get(found[0][0], 'table') ~ " " ~ this) -%}
    {%- endif -%}

    {#- The first time, the table is the model. -#}
    {%- if is_new -%}
        {%- call statement('main') -%}
            create table {{ this }} as
            {{ sql }}
        {%- endcall -%}
        {%- do validate_unique_key(this, this, keys) -%}
        {%- do create_indexes(target_relation) -%}
        {%- set written = load_result('main')['response'].rows_affected -%}
    {%- else -%}
        {%- call statement('incoming') -%}
            create temporary table {{ incoming }} on commit drop as
            {{ sql }}
        {%- endcall -%}
        {%- do run_query("analyze pg_temp." ~ incoming ~ " (" ~ keys | join(', ') ~ ")") -%}
        {%- do validate_unique_key(this, incoming, keys) -%}
        {%- set types = column_types('pg_temp.' ~ incoming) -%}
        {%- do append_new_columns(target_relation, types) -%}
        {%- set written = run_steps([('write', merge_changed_rows(
            target_relation, incoming, keys, types | list, delete_where=in_replaced_window('existing')
        ))]) -%}
        {%- do store_raw_result(
            'main', message='REPLACE_WINDOW ' ~ written, code='REPLACE_WINDOW', rows_affected=written) -%}
    {%- endif -%}

    {{ finish_build(target_relation, written) }}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}
