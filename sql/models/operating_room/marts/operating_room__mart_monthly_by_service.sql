-- One row per month and service: how much was done, cancelled, how rooms were turned over, how days began.

{{ config(unique_key=['month', 'service_code']) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
),

cancellations as (
    select * from {{ ref('operating_room__fact_cancellation') }}
),

turnovers as (
    select * from {{ ref('operating_room__fact_turnover') }}
),

first_cases as (
    select * from {{ ref('operating_room__fact_first_case_start') }}
),

-- Where the files write one service in two ways, it is one row.
services as (
    select
        surrogate_key,
        coalesce(canonical_code, 'UNKNOWN') as service_code
    from {{ ref('operating_room__dim_service') }}
),

names as (
    select
        service_code,
        service_name
    from {{ ref('operating_room__dim_service') }}
    where is_current
),

done as (
    select
        date_trunc('month', cases.surgery_date)::date as month,
        services.service_code,
        count(*) filter (where cases.is_performed) as cases,
        count(*) filter (where not cases.is_canceled and cases.is_scheduled_at_cutoff) as kept_cases,
        sum(cases.in_room_minutes) as in_room_minutes,
        sum(cases.surgical_minutes) as surgical_minutes,
        round(avg(cases.in_room_minutes), 2) as mean_in_room_minutes,
        round(avg(cases.duration_error_minutes), 2) as mean_duration_error_minutes,
        count(cases.is_duration_accurate) as judged_bookings,
        count(*) filter (where cases.is_duration_accurate) as accurate_bookings
    from cases
    inner join services on cases.service_key = services.surrogate_key
    group by 1, 2
),

canceled as (
    select
        date_trunc('month', cancellations.surgery_date)::date as month,
        services.service_code,
        count(*) as canceled_cases,
        count(*) filter (where cancellations.is_same_day) as same_day_cancellations
    from cancellations
    inner join services on cancellations.service_key = services.surrogate_key
    group by 1, 2
),

turned_over as (
    select
        date_trunc('month', turnovers.surgery_date)::date as month,
        services.service_code,
        count(*) as turnovers,
        {{ median('turnovers.turnover_minutes') }} as median_turnover_minutes
    from turnovers
    inner join services on turnovers.service_key = services.surrogate_key
    where turnovers.is_counted
    group by 1, 2
),

begun as (
    select
        date_trunc('month', first_cases.surgery_date)::date as month,
        services.service_code,
        count(first_cases.is_on_time) as first_cases,
        count(*) filter (where first_cases.is_on_time) as first_cases_on_time
    from first_cases
    inner join services on first_cases.service_key = services.surrogate_key
    group by 1, 2
),

-- A service may have had nothing but cancellations.
members as (
    select
        month,
        service_code
    from done
    union
    select
        month,
        service_code
    from canceled
)

select
    members.month,
    members.service_code,
    coalesce(names.service_name, members.service_code) as service_name,
    coalesce(done.cases, 0) as cases,
    coalesce(done.in_room_minutes, 0) as in_room_minutes,
    coalesce(done.surgical_minutes, 0) as surgical_minutes,
    done.mean_in_room_minutes,
    coalesce(canceled.canceled_cases, 0) as canceled_cases,
    coalesce(canceled.same_day_cancellations, 0) as same_day_cancellations,
    {{
        ratio(
            'coalesce(canceled.same_day_cancellations, 0)::numeric',
            '(coalesce(done.kept_cases, 0) + coalesce(canceled.same_day_cancellations, 0))',
        )
    }} as same_day_cancellation_rate,
    coalesce(turned_over.turnovers, 0) as turnovers,
    turned_over.median_turnover_minutes,
    coalesce(begun.first_cases, 0) as first_cases,
    coalesce(begun.first_cases_on_time, 0) as first_cases_on_time,
    {{ ratio('begun.first_cases_on_time::numeric', 'begun.first_cases') }} as first_case_on_time_rate,
    done.mean_duration_error_minutes,
    {{ ratio('done.accurate_bookings::numeric', 'done.judged_bookings') }} as booking_accuracy_rate
from members
left join done using (month, service_code)
left join canceled using (month, service_code)
left join turned_over using (month, service_code)
left join begun using (month, service_code)
left join names on members.service_code = names.service_code
