-- One row per cancelled case, whether the case file says so, the booking, or both. A case whose patient was in the
-- room was not cancelled, whatever its booking says.

{{
    config(
        unique_key=['site_id', 'booking_id'],
        input_reach={'operating_room__stg_or_case': 'any', 'operating_room__stg_or_schedule': 'any'},
    )
}}

with

-- Both are read twice; kept whole in between, they would lose the window.
cases as not materialized (
    select * from {{ ref('operating_room__stg_or_case') }}
),

bookings as not materialized (
    select * from {{ ref('operating_room__stg_or_schedule') }}
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

canceled_cases as (
    select distinct on (site_id, booking_id) *
    from cases
    where is_canceled and {{ in_window('surgery_date') }}
    order by site_id asc, booking_id asc, surgery_date desc, case_id asc
),

-- Bookings that were cancelled and of which the case file says nothing else.
canceled_bookings as (
    select bookings.*
    from bookings
    where
        bookings.is_canceled
        and {{ in_window('bookings.surgery_date') }}
        and not exists (
            select 1 from cases
            where
                cases.site_id = bookings.site_id
                and cases.booking_id = bookings.booking_id
                and (cases.is_canceled or cases.or_in is not null)
        )
),

canceled as (
    select
        canceled_cases.site_id,
        canceled_cases.booking_id,
        canceled_cases.case_id,
        canceled_cases.surgery_date,
        canceled_cases.room_id,
        canceled_cases.room_name,
        canceled_cases.location_id,
        canceled_cases.location_name,
        coalesce(canceled_cases.surgeon_id, bookings.surgeon_id) as surgeon_id,
        coalesce(canceled_cases.service_code, bookings.service_code) as service_code,
        coalesce(canceled_cases.cancel_code, bookings.cancel_code) as cancel_code,
        coalesce(canceled_cases.cancel_reason, bookings.cancel_reason) as cancel_reason,
        coalesce(canceled_cases.scheduled_minutes, bookings.scheduled_minutes) as scheduled_minutes,
        canceled_cases.time_zone,
        bookings.canceled,
        bookings.canceled_at
    from canceled_cases
    left join bookings
        on canceled_cases.site_id = bookings.site_id
        and canceled_cases.booking_id = bookings.booking_id
    union all
    select
        site_id,
        booking_id,
        null,
        surgery_date,
        null,
        room_name,
        null,
        location_name,
        surgeon_id,
        service_code,
        cancel_code,
        cancel_reason,
        scheduled_minutes,
        time_zone,
        canceled,
        canceled_at
    from canceled_bookings
),

-- A booking knows its room by name only.
named_rooms as (
    select distinct on (canceled.site_id, canceled.booking_id)
        canceled.site_id,
        canceled.booking_id,
        rooms.surrogate_key,
        rooms.room_id,
        rooms.location_id
    from canceled
    inner join rooms
        on canceled.site_id = rooms.site_id
        and (
            canceled.room_id = rooms.room_id
            or (
                canceled.room_id is null
                and lower(canceled.room_name) = lower(rooms.room_name)
                and (
                    canceled.location_name is null
                    or rooms.location_name is null
                    or lower(canceled.location_name) = lower(rooms.location_name)
                )
            )
        )
        and {{ valid_on('rooms', 'canceled.surgery_date') }}
    order by canceled.site_id, canceled.booking_id, rooms.location_name, rooms.room_id
)

select
    canceled.site_id,
    canceled.booking_id,
    canceled.case_id,
    canceled.surgery_date,
    {{ dimension_key('named_rooms') }} as room_key,
    {{ dimension_key('surgeons') }} as surgeon_key,
    {{ dimension_key('services') }} as service_key,
    {{ dimension_key('locations') }} as location_key,
    canceled.cancel_code,
    canceled.cancel_reason,
    canceled.scheduled_minutes,
    canceled.canceled,
    canceled.canceled_at
    > (canceled.surgery_date - 1 + time '{{ var("same_day_cutoff") }}') at time zone canceled.time_zone as is_same_day
from canceled
left join named_rooms
    on canceled.site_id = named_rooms.site_id
    and canceled.booking_id = named_rooms.booking_id
{{ join_site_dimension('surgeons', 'surgeon_id', 'canceled', day='canceled.surgery_date') }}
{{ join_dimension('services', 'service_code', 'canceled.service_code', day='canceled.surgery_date') }}
{{
    join_site_dimension(
        'locations', 'location_id', 'canceled', day='canceled.surgery_date',
        fact_key='coalesce(canceled.location_id, named_rooms.location_id)',
    )
}}
