-- One row per turnover: a case and the next one in its room. It belongs to the surgery date of the case that went
-- before, so a new file for one date can change a row of the date before.

{{ config(unique_key=['site_id', 'case_id'], window_days_before=1) }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
),

rooms as (
    select * from {{ ref('operating_room__dim_room') }}
),

surgeons as (
    select * from {{ ref('operating_room__dim_surgeon') }}
),

services as (
    select * from {{ ref('operating_room__dim_service') }}
),

locations as (
    select * from {{ ref('operating_room__dim_location') }}
),

performed as (
    select
        *,
        max(or_out_at) over (
            partition by site_id, room_id
            order by or_in_at, or_out_at, case_id
            rows between unbounded preceding and 1 preceding
        ) as earlier_out_at
    from cases
    where is_performed and room_id is not null and {{ in_window('surgery_date', days_before=2, days_after=1) }}
),

-- A case that came and went while an earlier one was still in the room did not leave it empty.
emptying as (
    select * from performed
    where earlier_out_at is null or or_out_at > earlier_out_at
),

successions as (
    select
        *,
        lead(case_id) over room as next_case_id,
        lead(surgery_date) over room as next_surgery_date,
        lead(surgeon_id) over room as next_surgeon_id,
        lead(service_code) over room as next_service_code,
        lead(or_in) over room as next_or_in,
        lead(or_in_at) over room as next_or_in_at,
        lead(proc_start_at) over room as next_proc_start_at
    from emptying
    window room as (partition by site_id, room_id order by or_in_at, or_out_at, case_id)
),

-- Two cases that overlap are no turnover. Over midnight only a gap within the cap is one; a longer gap is a room
-- closed for the night.
turnovers as (
    select
        *,
        {{ minutes_between('or_out_at', 'next_or_in_at') }} as turnover_minutes
    from successions
    where
        next_or_in_at >= or_out_at
        and (
            next_surgery_date = surgery_date
            or next_or_in_at - or_out_at <= interval '1 minute' * {{ var('turnover_cap_minutes') }}
        )
)

select
    turnovers.site_id,
    turnovers.case_id,
    turnovers.next_case_id,
    turnovers.surgery_date,
    {{ dimension_key('rooms') }} as room_key,
    {{ dimension_key('surgeons') }} as surgeon_key,
    {{ dimension_key('next_surgeons') }} as next_surgeon_key,
    {{ dimension_key('services') }} as service_key,
    {{ dimension_key('next_services') }} as next_service_key,
    {{ dimension_key('locations') }} as location_key,
    turnovers.room_id,
    turnovers.or_out,
    turnovers.next_or_in,
    turnovers.turnover_minutes,
    {{ minutes_between('turnovers.proc_end_at', 'turnovers.next_proc_start_at') }} as turnaround_minutes,
    turnovers.surgeon_id = turnovers.next_surgeon_id as is_same_surgeon,
    turnovers.service_code = turnovers.next_service_code as is_same_service,
    turnovers.or_out::date < turnovers.next_or_in::date
    or turnovers.surgery_date < turnovers.next_surgery_date as is_overnight,
    turnovers.turnover_minutes <= {{ var('turnover_cap_minutes') }} as is_counted
from turnovers
{{ join_site_dimension('rooms', 'room_id', 'turnovers', day='turnovers.surgery_date') }}
{{ join_site_dimension('surgeons', 'surgeon_id', 'turnovers', day='turnovers.surgery_date') }}
{{
    join_site_dimension(
        'surgeons', 'surgeon_id', 'turnovers', fact_key='turnovers.next_surgeon_id', day='turnovers.next_surgery_date',
        role='next_surgeons',
    )
}}
{{ join_dimension('services', 'service_code', 'turnovers.service_code', day='turnovers.surgery_date') }}
{{
    join_dimension(
        'services', 'service_code', 'turnovers.next_service_code',
        day='turnovers.next_surgery_date', role='next_services',
    )
}}
{{ join_site_dimension('locations', 'location_id', 'turnovers', day='turnovers.surgery_date') }}
where {{ in_window('turnovers.surgery_date', days_before=1) }}
