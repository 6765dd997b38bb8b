{#- Serialize the builds of one relation: take an advisory lock, to the end of the transaction. Not a lock of the table:
    two builds may be the first, and a table that is locked against writers waits a second for autovacuum to give way.
-#}
{%- macro serialize_builds() -%}
    {%- do run_query("select pg_advisory_xact_lock(hashtextextended('" ~ this ~ "', 0))") -%}
{%- endmacro -%}

{#- The batch of this run, for SQL. -#}
{%- macro run_batch_id() -%}
    {%- set batch = var('etl_batch_id', none) -%}
    {{ return("null::uuid" if batch is none else "'" ~ batch ~ "'::uuid") }}
{%- endmacro -%}

{#- Run the statements of a materialization in their order, pairs of a name and SQL; how many rows were written by those
    whose name begins with `write`. The names are what dbt's log calls them. -#}
{%- macro run_steps(steps) -%}
    {%- set counts = namespace(written=0) -%}
    {%- for name, step in steps -%}
        {%- call statement(name) -%}
            {{ step }}
        {%- endcall -%}
        {%- if name.startswith('write') -%}
            {%- set counts.written = counts.written + load_result(name)['response'].rows_affected -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(counts.written) }}
{%- endmacro -%}
