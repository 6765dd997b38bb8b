-- One row per day from 2020 to 2030. Holidays are the federal ones of the United States (5 U.S.C. 6103), on the day
-- on which they are observed: the Friday before where they fall on a Saturday, the Monday after on a Sunday.

{{
    config(
        materialized='replace_window',
        unique_key='date_day',
        post_hook=["{{ unique_key_index() }}"],
    )
}}

with

{{ calendar_days() }}

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
    holidays.holiday_name is not null as is_holiday,
    holidays.holiday_name,
    days.iso_weekday < 6 and holidays.holiday_name is null as is_business_day
from days
left join holidays on days.date_day = holidays.date_day
where days.year between 2020 and 2030
