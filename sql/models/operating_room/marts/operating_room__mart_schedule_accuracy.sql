-- One row per month, service and procedure: how long cases were booked for, and how long they took.

{{ config(unique_key=['month', 'service_code', 'procedure_code']) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where is_performed and scheduled_minutes is not null
),

services as (
    select
        surrogate_key,
        coalesce(canonical_code, 'UNKNOWN') as service_code
    from {{ ref('operating_room__dim_service') }}
),

-- A procedure without a code goes by its name.
coded as (
    select
        cases.*,
        services.service_code,
        coalesce(cases.procedure_code, upper(cases.procedure_name), 'UNKNOWN') as known_procedure_code
    from cases
    inner join services on cases.service_key = services.surrogate_key
)

select
    date_trunc('month', surgery_date)::date as month,
    service_code,
    known_procedure_code as procedure_code,
    min(procedure_name) as procedure_name,
    count(*) as cases,
    count(*) < {{ var('small_volume_cases') }} as is_small_volume,
    sum(scheduled_minutes) as scheduled_minutes,
    sum(in_room_minutes) as in_room_minutes,
    round(avg(scheduled_minutes), 2) as mean_scheduled_minutes,
    round(avg(in_room_minutes), 2) as mean_in_room_minutes,
    round(avg(duration_error_minutes), 2) as mean_duration_error_minutes,
    {{ median('duration_error_minutes') }} as median_duration_error_minutes,
    count(*) filter (where is_duration_accurate) as accurate_bookings,
    count(*) filter (where not is_duration_accurate and duration_error_minutes > 0) as overrun_cases,
    count(*) filter (where not is_duration_accurate and duration_error_minutes < 0) as underrun_cases,
    {{ ratio('count(*) filter (where is_duration_accurate)::numeric', 'count(*)') }} as booking_accuracy_rate,
    {{ wilson_bound('count(*) filter (where is_duration_accurate)', 'count(*)', '-') }} as booking_accuracy_low,
    {{ wilson_bound('count(*) filter (where is_duration_accurate)', 'count(*)', '+') }} as booking_accuracy_high
from coded
group by 1, 2, 3
