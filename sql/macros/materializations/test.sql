{#- A test, which is passed over where nothing that it reads was written by this run: its last result still holds. Which
    tables it reads, the run enters into its `meta.reads`; a test that always runs has none. -#}
{%- materialization test, adapter='postgres' -%}
    {%- set reads = config.get('meta', {}).get('reads') -%}
    {%- set is_wanted = not reads or run_query(
        "select exists (select from etl.model_build where batch_id = " ~ run_batch_id() ~ " and rows_changed > 0"
        " and relation = any(array['" ~ reads | join("', '") ~ "']))"
    ).rows[0][0] -%}
    {%- call statement('main', fetch_result=True) -%}
        {%- if is_wanted -%}
            {{ get_test_sql(
                get_limit_subquery_sql(sql, config.get('limit')), config.get('fail_calc'), config.get('warn_if'),
                config.get('error_if'), limit=none) }}
        {%- else -%}
            select 0 as failures, false as should_warn, false as should_error
        {%- endif -%}
    {%- endcall -%}
    {{ return({'relations': []}) }}
{%- endmaterialization -%}
