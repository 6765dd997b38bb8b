{#- The combinations of these columns that more than one row has. -#}
{% test unique_together(model, columns) %}
select
    {{ columns | join(',\n    ') }},
    count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
