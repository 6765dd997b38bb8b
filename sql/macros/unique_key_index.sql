{#- A post-hook: the relation has a unique index on its unique_key. -#}
{%- macro unique_key_index() -%}
    {%- if execute and is_new_code() and config.get('unique_key') is not none -%}
        {%- set keys = config.get('unique_key') -%}
        {%- set keys = [keys] if keys is string else keys -%}
        {#- Not by its name: PostgreSQL gave it one. -#}
        {%- set existing = run_query(
            "select 1 from pg_index where indrelid = '" ~ this ~ "'::regclass and indisunique and ("
            "select array_agg(attname::text order by attname) from pg_attribute"
            " where attrelid = indrelid and attnum = any(indkey)"
            ") = array['" ~ keys | sort | join("', '") ~ "']"
        ) -%}
        {%- if not existing.rows -%}
            create unique index on {{ this }} ({{ keys | join(', ') }})
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
