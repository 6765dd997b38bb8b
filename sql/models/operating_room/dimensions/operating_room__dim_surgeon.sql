-- One row per site, surgeon and version of what is known of them; -1 is the surgeon nobody knows.
-- A day's word is the value said most often that day, the first in the alphabet of two said as often. The cases'
-- word goes before the bookings', theirs before the block schedule's.

{{ config(natural_key=['site_id', 'surgeon_id']) }}

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

-- What each kind of file says of a surgeon on a day. A block names two people and may have a name for one of them.
mentions as (
    select
        site_id,
        surgeon_id,
        surgery_date as day,
        'case' as mentioned_by,
        surgeon_name,
        surgeon_npi,
        surgeon_specialty
    from cases
    union all
    select
        site_id,
        surgeon_id,
        surgery_date,
        'booking',
        surgeon_name,
        surgeon_npi,
        surgeon_specialty
    from bookings
    union all
    select
        site_id,
        surgeon_id,
        schedule_date,
        'block',
        case when responsible_provider_id is null or responsible_provider_id = surgeon_id then provider_name end,
        null,
        null
    from blocks
    union all
    select
        site_id,
        responsible_provider_id,
        schedule_date,
        'block',
        provider_name,
        null,
        null
    from blocks
),

days as (
    select
        site_id,
        surgeon_id,
        day,
        mode() within group (order by surgeon_name) filter (where mentioned_by = 'case') as case_name,
        mode() within group (order by surgeon_name) filter (where mentioned_by = 'booking') as booking_name,
        mode() within group (order by surgeon_name) filter (where mentioned_by = 'block') as block_name,
        mode() within group (order by surgeon_npi) filter (where mentioned_by = 'case') as case_npi,
        mode() within group (order by surgeon_npi) filter (where mentioned_by = 'booking') as booking_npi,
        mode() within group (order by surgeon_specialty) filter (where mentioned_by = 'case') as case_specialty,
        mode() within group (order by surgeon_specialty) filter (where mentioned_by = 'booking') as booking_specialty
    from mentions
    where surgeon_id is not null
    group by site_id, surgeon_id, day
)

select
    site_id,
    surgeon_id,
    coalesce(
        {{ last_known('case_name', 'site_id, surgeon_id', 'day') }},
        {{ last_known('booking_name', 'site_id, surgeon_id', 'day') }},
        {{ last_known('block_name', 'site_id, surgeon_id', 'day') }}
    ) as surgeon_name,
    coalesce(
        {{ last_known('case_npi', 'site_id, surgeon_id', 'day') }},
        {{ last_known('booking_npi', 'site_id, surgeon_id', 'day') }}
    ) as surgeon_npi,
    coalesce(
        {{ last_known('case_specialty', 'site_id, surgeon_id', 'day') }},
        {{ last_known('booking_specialty', 'site_id, surgeon_id', 'day') }}
    ) as surgeon_specialty,
    {{ day_start('day') }} as effective_at
from days
