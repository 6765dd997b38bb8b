{#- A post-hook: etl_reader may select every column of the relation but those marked `personal` in its yml, and
    nothing of the whole row; etl_personal_reader may select all of it. Grants that are right already are left alone. -#}
{%- macro grant_to_reader(role='etl_reader', personal_role='etl_personal_reader') -%}
    {%- if execute and is_new_code() and not is_preview() -%}
        {#- dbt has a column's meta in one of two places, by how the yml says it. -#}
        {%- set personal = [] -%}
        {%- for name, column in model.columns.items() -%}
            {%- if column.meta.get('personal') or column.get('config', {}).get('meta', {}).get('personal') -%}
                {%- do personal.append(name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set hidden -%}
            {%- for name in personal -%} '{{ name }}'{{ ', ' if not loop.last }} {%- endfor -%}
        {%- endset -%}
        {#- The columns to open, and whether what the readers may see now differs from them. -#}
        {%- set found = run_query("
            select
                string_agg(quote_ident(attname), ', ' order by attnum) filter (where not is_personal) as open_columns,
                bool_or(has_column_privilege('" ~ role ~ "', attrelid, attnum, 'select') = is_personal) as is_wrong,
                not has_table_privilege('" ~ personal_role ~ "', '" ~ this ~ "', 'select') as is_hidden,
                not has_schema_privilege('" ~ role ~ "', '" ~ this.schema ~ "', 'usage')
                or not has_schema_privilege('" ~ personal_role ~ "', '" ~ this.schema ~ "', 'usage') as is_locked
            from (
                select attrelid, attnum, attname, attname = any(array[" ~ hidden ~ "]::name[]) as is_personal
                from pg_attribute
                where attrelid = '" ~ this ~ "'::regclass and attnum > 0 and not attisdropped
            ) as described
        ").rows[0] -%}
        {%- if found['is_locked'] -%}
            grant usage on schema {{ this.schema }} to {{ role }}, {{ personal_role }};
        {%- endif -%}
        {%- if found['is_hidden'] -%}
            grant select on {{ this }} to {{ personal_role }};
        {%- endif -%}
        {%- if found['is_wrong'] -%}
            {#- Revoke first: a column that became personal was granted. -#}
            revoke all on {{ this }} from {{ role }};
            {%- if found['open_columns'] -%}
            grant select ({{ found['open_columns'] }}) on {{ this }} to {{ role }};
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro -%}
