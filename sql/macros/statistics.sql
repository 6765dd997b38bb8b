{#- A post-hook: what the run wrote much of has statistics before the next model is planned with it; autovacuum comes
    round a minute later. Much is a thousand rows, or a tenth of the rows that the planner knows of. Of a table in
    partitions those that were never looked at, or all where much of the whole is new. -#}
{%- macro refresh_statistics() -%}
    {%- if execute and config.get('materialized') not in ('view', 'ephemeral') -%}
        {%- set written = load_result('main')['response'].rows_affected -%}
        {%- set found = run_query(
            "select relkind = 'p' as is_partitioned, " ~ written ~ " * 10 > reltuples as is_much_of_it,"
            " (select coalesce(string_agg('analyze ' || inhrelid::regclass, '; '), '') from pg_inherits"
            " where inhparent = pg_class.oid and coalesce(pg_stat_get_last_analyze_time(inhrelid),"
            " pg_stat_get_last_autoanalyze_time(inhrelid)) is null) as analyze_new_partitions"
            " from pg_class where oid = '" ~ this ~ "'::regclass"
        ).rows[0] -%}
        {%- if written > 0 and (found['is_much_of_it'] or (written >= 1000 and not found['is_partitioned'])) -%}
            analyze {{ this }}
        {%- else -%}
            {{ found['analyze_new_partitions'] }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
