{#- Builds of one relation take turns, to the end of the transaction. Not a lock of the table: two builds may be the
    first, and a table that is locked against writers waits a second for autovacuum to give way. -#}
{%- macro take_turns() -%}
    {%- do run_query("select pg_advisory_xact_lock(hashtextextended('" ~ this ~ "', 0))") -%}
{%- endmacro -%}

{#- The batch of this run, for SQL. -#}
{%- macro batch_of_run() -%}
    {%- set batch = var('etl_batch_id', none) -%}
    {{ return("null::uuid" if batch is none else "'" ~ batch ~ "'::uuid") }}
{%- endmacro -%}
