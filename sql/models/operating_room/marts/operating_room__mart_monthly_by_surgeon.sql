-- One row per month, site and surgeon. Small numbers say little: each mean and share carries its 95 % interval, and a
-- month of few cases is flagged.

{{ config(unique_key=['month', 'site_id', 'surgeon_id']) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where is_performed
),

first_cases as (
    select * from {{ ref('operating_room__fact_first_case_start') }}
),

turnovers as (
    select * from {{ ref('operating_room__fact_turnover') }}
    where is_counted and is_same_surgeon
),

surgeons as (
    select
        surrogate_key,
        coalesce(surgeon_id, 'UNKNOWN') as surgeon_id
    from {{ ref('operating_room__dim_surgeon') }}
),

names as (
    select
        site_id,
        surgeon_id,
        surgeon_name,
        surgeon_specialty
    from {{ ref('operating_room__dim_surgeon') }}
    where is_current
),

done as (
    select
        date_trunc('month', cases.surgery_date)::date as month,
        cases.site_id,
        surgeons.surgeon_id,
        count(*) as cases,
        sum(cases.in_room_minutes) as in_room_minutes,
        sum(cases.surgical_minutes) as surgical_minutes,
        round(avg(cases.in_room_minutes), 2) as mean_in_room_minutes,
        {{ mean_bound('cases.in_room_minutes', '-') }} as mean_in_room_minutes_low,
        {{ mean_bound('cases.in_room_minutes', '+') }} as mean_in_room_minutes_high,
        round(avg(cases.duration_error_minutes), 2) as mean_duration_error_minutes,
        count(cases.is_duration_accurate) as judged_bookings,
        count(*) filter (where cases.is_duration_accurate) as accurate_bookings
    from cases
    inner join surgeons on cases.surgeon_key = surgeons.surrogate_key
    group by 1, 2, 3
),

begun as (
    select
        date_trunc('month', first_cases.surgery_date)::date as month,
        first_cases.site_id,
        surgeons.surgeon_id,
        count(first_cases.is_on_time) as first_cases,
        count(*) filter (where first_cases.is_on_time) as first_cases_on_time
    from first_cases
    inner join surgeons on first_cases.surgeon_key = surgeons.surrogate_key
    group by 1, 2, 3
),

turned_around as (
    select
        date_trunc('month', turnovers.surgery_date)::date as month,
        turnovers.site_id,
        surgeons.surgeon_id,
        count(*) as own_turnovers,
        {{ median('turnovers.turnover_minutes') }} as median_turnover_minutes,
        {{ median('turnovers.turnaround_minutes') }} as median_turnaround_minutes
    from turnovers
    inner join surgeons on turnovers.surgeon_key = surgeons.surrogate_key
    group by 1, 2, 3
)

select
    done.month,
    done.site_id,
    done.surgeon_id,
    names.surgeon_name,
    names.surgeon_specialty,
    done.cases,
    done.cases < {{ var('small_volume_cases') }} as is_small_volume,
    done.in_room_minutes,
    done.surgical_minutes,
    done.mean_in_room_minutes,
    done.mean_in_room_minutes_low,
    done.mean_in_room_minutes_high,
    done.mean_duration_error_minutes,
    done.judged_bookings,
    {{ ratio('done.accurate_bookings::numeric', 'done.judged_bookings') }} as booking_accuracy_rate,
    {{ wilson_bound('done.accurate_bookings', 'done.judged_bookings', '-') }} as booking_accuracy_low,
    {{ wilson_bound('done.accurate_bookings', 'done.judged_bookings', '+') }} as booking_accuracy_high,
    coalesce(begun.first_cases, 0) as first_cases,
    coalesce(begun.first_cases_on_time, 0) as first_cases_on_time,
    {{ ratio('begun.first_cases_on_time::numeric', 'begun.first_cases') }} as first_case_on_time_rate,
    {{ wilson_bound('begun.first_cases_on_time', 'begun.first_cases', '-') }} as first_case_on_time_low,
    {{ wilson_bound('begun.first_cases_on_time', 'begun.first_cases', '+') }} as first_case_on_time_high,
    coalesce(turned_around.own_turnovers, 0) as own_turnovers,
    turned_around.median_turnover_minutes,
    turned_around.median_turnaround_minutes
from done
left join begun using (month, site_id, surgeon_id)
left join turned_around using (month, site_id, surgeon_id)
left join names
    on done.site_id = names.site_id
    and done.surgeon_id = names.surgeon_id
