-- One row per day: all between the first and the last that anything happened on or is planned for, past and to come.

{{
    config(
        materialized='replace_window',
        input_reach={'*': 'any'},
        unique_key='date_id',
        post_hook=["{{ unique_key_index() }}"],
    )
}}

with

appointments as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_appointment') }}
),

users as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_user') }}
),

-- By the clock of UTC: by any other it is the day before or the day after.
occurring as (
    select distinct (appointment_date at time zone 'UTC')::date as calendar_date from appointments
    union
    select distinct (created_at at time zone 'UTC')::date from appointments
    union
    select distinct (created_at at time zone 'UTC')::date from users
),

bounds as (
    select
        greatest(min(calendar_date), date '2000-01-01') - 1 as first_date,
        least(max(calendar_date), date '2100-12-31') + 1 as last_date
    from occurring
),

-- A date that is written wrongly may lie centuries away: it is here, but not all days until then.
days as (
    select series.day::date as calendar_date
    from bounds
    cross join lateral generate_series(bounds.first_date, bounds.last_date, interval '1 day') as series (day)
    union
    select occurring.calendar_date + near.days
    from occurring
    cross join (values (-1), (0), (1)) as near (days)
    where occurring.calendar_date is not null
)

select
    to_char(calendar_date, 'YYYYMMDD')::integer as date_id,
    calendar_date,
    extract(day from calendar_date)::integer as day,
    extract(month from calendar_date)::integer as month,
    extract(year from calendar_date)::integer as year,
    extract(week from calendar_date)::integer as week,
    extract(quarter from calendar_date)::integer as quarter,
    date_trunc('month', calendar_date)::date as month_start
from days
