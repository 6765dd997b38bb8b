{#- Lists of columns as SQL, and how the columns of a table follow those of its model. -#}

{#- `a.x = b.x and a.y = b.y` -#}
{%- macro columns_equal(names, a, b) -%}
    {%- for name in names -%}{{ a }}.{{ name }} = {{ b }}.{{ name }}{{ ' and ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}

{#- `(a.x, a.y) is distinct from (b.x, b.y)`: compared as typed, nulls as equal -#}
{%- macro columns_differ(names, a, b) -%}
    ({{ qualified_columns(names, a) }}) is distinct from ({{ qualified_columns(names, b) }})
{%- endmacro -%}

{#- `a.x, a.y` -#}
{%- macro qualified_columns(names, a) -%}
    {%- for name in names -%}{{ a }}.{{ name }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}

{#- `x = a.x, y = a.y` -#}
{%- macro column_assignments(names, a) -%}
    {%- for name in names -%}{{ name }} = {{ a }}.{{ name }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro -%}


{#- The columns of a relation and their types, as PostgreSQL writes them. -#}
{%- macro column_types(relation) -%}
    {%- set types = {} -%}
    {%- for row in run_query(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = '" ~ relation
        ~ "'::regclass and attnum > 0 and not attisdropped order by attnum"
    ).rows -%}
        {%- do types.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(types) }}
{%- endmacro -%}


{#- Schema evolution: add the columns that the table lacks; refuse those whose type has changed. A column that the model
    lost is not dropped. -#}
{%- macro append_new_columns(target, types) -%}
    {%- set existing = column_types(target) -%}
    {%- for name, type in types.items() -%}
        {%- if name not in existing -%}
            {%- do run_query("alter table " ~ target ~ " add column " ~ name ~ " " ~ type) -%}
        {%- elif existing[name] != type -%}
            {{ exceptions.raise_compiler_error(
                target ~ "." ~ name ~ " is held as " ~ existing[name] ~ " and the model says " ~ type ~ ". The table"
                " was left as it was. Cast it in the model, or write a migration that converts the column.") }}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}
