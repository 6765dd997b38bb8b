{{
    config(
        materialized='scd2',
        natural_key='member',
        effective_at='changed_at',
        tracked=['region', 'level', 'is_deleted'] + (['mail'] if var('with_mail', false) else []),
    )
}}

select
    member,
    region,
    {% if var('level_as_text', false) %}level::text as {% endif %}level,
    phone,
    is_deleted,
    {% if var('with_mail', false) %}mail,{% endif %}
    changed_at
from operating_room.source_members
