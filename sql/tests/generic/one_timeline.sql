{#- The versions that break their member's timeline: empty or running backwards, overlapping the next one or leaving a
    gap before it, or current though another follows. -#}
{% test one_timeline(model, natural_key) %}
with

versions as (
    select
        *,
        lead(valid_from) over (partition by {{ natural_key }} order by valid_from) as next_valid_from
    from {{ model }}
)

select *
from versions
where
    valid_to <= valid_from
    or valid_to is distinct from next_valid_from
    or is_current <> (valid_to is null)
{% endtest %}
