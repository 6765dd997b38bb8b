{#-
  A periodic snapshot, written once: how things stood at the end of a day, as it was known when the day was over.

      {{ config(materialized='daily_snapshot', unique_key=['snapshot_date', 'guarantor_num']) }}
      with days as ({{ snapshot_days(month_ends=13) }})
      select days.snapshot_date, ... from days ...

  The model selects the rows of each of the days that `snapshot_days` asks for, and the table keeps them.

  - A day is over when the day as of which a run counts (`as_of_date`) is a later one. A snapshot of a day that is over
    is closed: no run writes it again, whatever the model says of it and whatever has become known since, and no full
    refresh loses it. Late changes show in the snapshots of later days alone.
  - The snapshot of the current day is open: a run makes it what the model says, and writes only what differs.
  - A past day without a snapshot gets one, of what is known now (a backfill).
  - `unique_key` has the column `snapshot_date` in it, a date.
  - A column the model gains is added, null in what is closed; one it loses stays. A changed type is refused.
  - One transaction: a failure at any step leaves the old rows. Builds of one table take turns.
-#}
{%- materialization daily_snapshot, adapter='postgres' -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set incoming = model.alias ~ '__incoming' -%}
    {%- set unique_key = config.require('unique_key') -%}
    {%- set keys = [unique_key] if unique_key is string else unique_key -%}
    {%- if 'snapshot_date' not in keys -%}
        {{ exceptions.raise_compiler_error(this ~ ": the unique_key must have snapshot_date in it.") }}
    {%- endif -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- 1. Stage: the days that the model was asked for. -#}
    {%- if begin_build() == 'current' -%}
        {{ return(pass_over()) }}
    {%- endif -%}
    {%- call statement('incoming') -%}
        create temporary table {{ incoming }} on commit drop as
        {{ sql }}
    {%- endcall -%}
    {%- set types = column_types('pg_temp.' ~ incoming) -%}
    {%- if types.get('snapshot_date') != 'date' -%}
        {{ exceptions.raise_compiler_error(this ~ ": the model must select snapshot_date, a date.") }}
    {%- endif -%}
    {%- do run_query("analyze pg_temp." ~ incoming ~ " (" ~ keys | join(', ') ~ ")") -%}
    {%- do validate_unique_key(this, incoming, keys) -%}

    {#- 2. Make the table, or its columns the model's. -#}
    {%- if run_query("select to_regclass('" ~ this ~ "')").rows[0][0] is none -%}
        {%- do run_query("create table " ~ this ~ " (like " ~ incoming ~ ")") -%}
        {%- do create_indexes(target_relation) -%}
    {%- else -%}
        {%- do append_new_columns(target_relation, types) -%}
    {%- endif -%}

    {#- 3. Merge, and leave closed days alone. -#}
    {%- set written = run_steps([('write', merge_changed_rows(
        target_relation,
        daily_snapshot_unclosed(target_relation, incoming),
        keys,
        types | list,
        delete_where='existing.snapshot_date >= ' ~ as_of_date() ~ ' and ' ~ in_window('existing.snapshot_date')
    ))]) -%}
    {%- do store_raw_result(
        'main', message='DAILY_SNAPSHOT ' ~ written, code='DAILY_SNAPSHOT', rows_affected=written) -%}

    {{ finish_build(target_relation, written) }}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization -%}


{#- The incoming rows but for those of closed days: a model that is not told what there is says them once more. -#}
{%- macro daily_snapshot_unclosed(target, incoming) -%}
(
    select * from {{ incoming }}
    where snapshot_date >= {{ as_of_date() }} or snapshot_date not in ({{ closed_snapshot_days(target) }})
)
{%- endmacro -%}


{#- The days of which there is a snapshot that no run writes again. -#}
{%- macro closed_snapshot_days(target) -%}
select snapshot_date from {{ target }} where snapshot_date < {{ as_of_date() }}
{%- endmacro -%}


{#- The days that a model of `daily_snapshot` is to select, as a query with the column `snapshot_date`: the last day of
    the window that is built, but none after the current one; and of the last `month_ends` ends of
    months those that lie in the window, closed days left out. A unit test asks for all, for it has no table. -#}
{%- macro snapshot_days(month_ends=0) -%}
{%- set today = as_of_date() -%}
{%- set first_day = "coalesce(" ~ date_setting('start_date') ~ ", '-infinity')" -%}
{%- set last_day = "least(" ~ date_setting('end_date') ~ ", " ~ today ~ ")" -%}
select {{ last_day }} as snapshot_date
where {{ last_day }} >= {{ first_day }}
union
select month_end.day
from generate_series(0, {{ month_ends }} - 1) as months_back
cross join lateral (
    select (date_trunc('month', {{ today }}) - interval '1 month' * months_back)::date - 1 as day
) as month_end
where month_end.day between {{ first_day }} and {{ last_day }}
{%- if execute and flags.INTROSPECT and this is not none and load_cached_relation(this) is not none %}
except
{{ closed_snapshot_days(this) }}
{%- endif %}
{%- endmacro -%}
