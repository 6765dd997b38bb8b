{{
    config(
        materialized='replace_window',
        unique_key=['day', 'name'],
        window_column='day',
        post_hook=["{{ unique_key_index() }}", "{{ grant_to_reader() }}"],
    )
}}

select
    day,
    name,
    worth
    {% if var('with_note', false) %}, note{% endif %}
    {% if var('with_note', false) %}, note as secret{% endif %}
from operating_room.source_days
where {{ in_window('day') }}
