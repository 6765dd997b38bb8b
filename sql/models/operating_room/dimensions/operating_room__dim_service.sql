-- One row per service code and version of its name; -1 is the service nobody knows.
-- A code is upper case, its name the spelling used most often that day, the first in the alphabet of two used as
-- often; the cases' spelling goes before the bookings', theirs before the block schedule's. Where the files
-- write one service in two ways, the seed service_alias says which one is meant.

{{ config(natural_key='service_code') }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
),

bookings as (
    select * from {{ ref('operating_room__stg_or_schedule') }}
),

blocks as (
    select * from {{ ref('operating_room__stg_block_schedule') }}
),

aliases as (
    select * from {{ ref('operating_room__service_alias') }}
),

-- What each kind of file calls a service on a day.
mentions as (
    select
        service_code,
        service_name,
        surgery_date as day,
        'case' as mentioned_by
    from cases
    union all
    select
        service_code,
        service_name,
        surgery_date,
        'booking'
    from bookings
    union all
    select
        service_code,
        service_name,
        schedule_date,
        'block'
    from blocks
),

days as (
    select
        service_code,
        day,
        mode() within group (order by service_name) filter (where mentioned_by = 'case') as case_name,
        mode() within group (order by service_name) filter (where mentioned_by = 'booking') as booking_name,
        mode() within group (order by service_name) filter (where mentioned_by = 'block') as block_name
    from mentions
    where service_code is not null
    group by service_code, day
),

named as (
    select
        service_code,
        day,
        coalesce(
            {{ last_known('case_name', 'service_code', 'day') }},
            {{ last_known('booking_name', 'service_code', 'day') }},
            {{ last_known('block_name', 'service_code', 'day') }}
        ) as service_name
    from days
)

select
    named.service_code,
    named.service_name,
    coalesce(upper(btrim(aliases.same_as)), named.service_code) as canonical_code,
    {{ day_start('named.day') }} as effective_at
from named
left join aliases on named.service_code = upper(btrim(aliases.service_code))
