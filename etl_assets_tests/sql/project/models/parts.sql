{{
    config(
        materialized='list_partitioned',
        partition_by='part',
        unique_key=['part', 'name'],
        partition_move_key='name',
        not_null=['day'] + (['day_before'] if var('with_note', false) else []),
        window_column='day',
        indexes=[{'columns': ['day']}],
        post_hook=[
            "{{ unique_key_index() }}",
            "{{ grant_to_reader() }}",
            "{{ 'select pg_advisory_xact_lock(4711)' if var('held_open', false) }}",
        ],
    )
}}

select
    part,
    name,
    day,
    {% if var('worth_as_text', false) %}worth::text as {% endif %}worth,
    details
    {% if not var('without_day_before', false) %}, day - 1 as day_before{% endif %}
    {% if var('with_note', false) %}, note{% endif %}
    {% if var('with_note', false) %}, note as secret{% endif %}
from {{ ref('staged_parts') }}
where {{ in_window('day') }}
