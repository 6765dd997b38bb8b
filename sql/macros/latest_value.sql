{#- Of the rows of a group, what the last one says: a name, where it was changed in mid-period. -#}
{%- macro latest_value(value, moment) -%}
    {#- An aggregate and no window function, so that it stands beside the sums of its group. -#}
    (array_agg({{ value }} order by {{ moment }} desc nulls last))[1]
{%- endmacro -%}
