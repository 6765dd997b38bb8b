{#- A relation's schema is the one its folder names, as it stands. -#}
{%- macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro -%}

{#- A model's name must be unique over all sources, a relation's only in its schema: `operating_room__dim_room`
    is the relation `dim_room`. -#}
{%- macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {{ (custom_alias_name or node.name.split('__', 1)[-1]) | trim }}
{%- endmacro -%}
