{#- The rows of which the condition is not true; a null is not true. -#}
{% test always(model, condition) %}
select *
from {{ model }}
where ({{ condition }}) is not true
{% endtest %}
