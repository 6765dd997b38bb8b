{#- What everybody had by the end of a day. -#}
{{
    config(
        materialized='daily_snapshot',
        unique_key=['snapshot_date', 'name'],
        indexes=[{'columns': ['name']}],
        post_hook=["{{ unique_key_index() }}", "{{ grant_to_reader() }}"],
    )
}}

with

days as (
    {% if var('every_day', false) -%}
    select day::date as snapshot_date
    from generate_series(timestamp '2026-01-01', timestamp '2026-12-31', interval '1 day') as day
    {%- else -%}
    {{ snapshot_days(month_ends=2) }}
    {%- endif %}
)

select
    days.snapshot_date,
    entries.name,
    sum(entries.amount){{ '::text' if var('balance_as_text', false) }} as balance
    {% if var('with_note', false) %}, 'seen' as note{% endif %}
    {% if var('with_note', false) %}, 'hidden' as secret{% endif %}
from {{ ref('entries') }} as entries
inner join days on entries.day <= days.snapshot_date
group by days.snapshot_date, entries.name
