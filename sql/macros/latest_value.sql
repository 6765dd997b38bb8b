{#- Of the rows of a group, what the last one says: a name, where it was changed in mid-period. -#}
{%- macro latest_value(value, moment) -%}
    (array_agg({{ value }} order by {{ moment }} desc nulls last))[1]
{%- endmacro -%}
