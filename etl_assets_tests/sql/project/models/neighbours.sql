{#- Each row tells of the day after, so a change of one day changes the rows of the day before. -#}
{{
    config(
        materialized='replace_window',
        unique_key='day',
        window_column='day',
        window_days_before=1,
        post_hook=["{{ unique_key_index() }}"],
    )
}}

with

neighbours as (
    select
        day,
        lead(min(name)) over (order by day) as next_name
    from operating_room.source_days
    where {{ in_window('day', days_before=1, days_after=1) }}
    group by day
)

select * from neighbours
where {{ in_window('day', days_before=1) }}
