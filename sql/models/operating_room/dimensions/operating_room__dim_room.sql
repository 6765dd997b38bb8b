-- One row per site, room and version of its name and place; -1 is the room nobody knows.
-- A day's word is the value said most often that day, the first in the alphabet of two said as often. The cases'
-- word goes before the block schedule's, so that two files that differ do not take turns.

{{ config(natural_key=['site_id', 'room_id']) }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
),

blocks as (
    select * from {{ ref('operating_room__stg_block_schedule') }}
),

case_rooms as (
    select
        site_id,
        room_id,
        surgery_date as day,
        mode() within group (order by room_name) as room_name,
        mode() within group (order by location_id) as location_id,
        mode() within group (order by location_name) as location_name
    from cases
    where room_id is not null
    group by site_id, room_id, surgery_date
),

block_rooms as (
    select
        site_id,
        room_id,
        schedule_date as day,
        mode() within group (order by room_name) as room_name,
        mode() within group (order by location_name) as location_name
    from blocks
    where room_id is not null
    group by site_id, room_id, schedule_date
),

-- Both files beside each other, a day each.
days as (
    select
        site_id,
        room_id,
        day,
        case_rooms.room_name as case_room_name,
        case_rooms.location_id,
        case_rooms.location_name as case_location_name,
        block_rooms.room_name as block_room_name,
        block_rooms.location_name as block_location_name
    from case_rooms
    full join block_rooms using (site_id, room_id, day)
)

select
    site_id,
    room_id,
    coalesce(
        {{ last_known('case_room_name', 'site_id, room_id', 'day') }},
        {{ last_known('block_room_name', 'site_id, room_id', 'day') }}
    ) as room_name,
    {{ last_known('location_id', 'site_id, room_id', 'day') }} as location_id,
    coalesce(
        {{ last_known('case_location_name', 'site_id, room_id', 'day') }},
        {{ last_known('block_location_name', 'site_id, room_id', 'day') }}
    ) as location_name,
    {{ day_start('day') }} as effective_at
from days
