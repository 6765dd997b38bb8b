-- One row per day from 2000 to 2040. Holidays are the federal ones of the United States (5 U.S.C. 6103), on the day
-- on which they are observed: the Friday before where they fall on a Saturday, the Monday after on a Sunday.

{{
    config(
        materialized='replace_window',
        unique_key='date_day',
        post_hook=["{{ unique_key_index() }}"],
    )
}}

with

entries as (
    select * from {{ ref('open_dental__stg_schedule') }}
),

{{ calendar_days() }},

-- The practice's own, as its schedule has them.
closed as (
    select
        schedule_date as date_day,
        string_agg(distinct note, ', ' order by note) as holiday_name
    from entries
    where schedule_type = 'Practice' and status = 'Holiday' and schedule_date is not null
    group by schedule_date
)

select
    days.date_day,
    days.year,
    extract(quarter from days.date_day)::integer as quarter,
    days.month,
    date_trunc('month', days.date_day)::date as month_start,
    extract(isoyear from days.date_day)::integer as iso_year,
    extract(week from days.date_day)::integer as iso_week,
    days.iso_weekday,
    trim(to_char(days.date_day, 'Day')) as weekday_name,
    days.iso_weekday < 6 as is_weekday,
    holidays.holiday_name is not null as is_federal_holiday,
    closed.date_day is not null as is_practice_holiday,
    coalesce(closed.holiday_name, holidays.holiday_name) as holiday_name,
    holidays.date_day is not null or closed.date_day is not null as is_holiday,
    days.iso_weekday < 6 and holidays.date_day is null and closed.date_day is null as is_business_day
from days
left join holidays on days.date_day = holidays.date_day
left join closed on days.date_day = closed.date_day
