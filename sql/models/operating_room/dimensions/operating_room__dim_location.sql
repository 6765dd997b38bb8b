-- One row per site, location and version of its names; -1 is the location nobody knows.
-- A day's word is the value said most often that day, the first in the alphabet of two said as often. Only cases
-- carry a location's id; the block schedule's abbreviation is found by the name.

{{ config(natural_key=['site_id', 'location_id']) }}

with

cases as (
    select * from {{ ref('operating_room__stg_or_case') }}
),

blocks as (
    select * from {{ ref('operating_room__stg_block_schedule') }}
),

abbreviations as (
    select
        lower(location_name) as name,
        mode() within group (order by location_abbr) as location_abbr
    from blocks
    group by lower(location_name)
),

days as (
    select
        site_id,
        location_id,
        surgery_date as day,
        mode() within group (order by location_name) as location_name
    from cases
    where location_id is not null
    group by site_id, location_id, surgery_date
),

-- The name last heard of, carried over days without one.
named as (
    select
        site_id,
        location_id,
        day,
        {{ last_known('location_name', 'site_id, location_id', 'day') }} as location_name
    from days
)

select
    named.site_id,
    named.location_id,
    named.location_name,
    abbreviations.location_abbr,
    {{ day_start('named.day') }} as effective_at
from named
left join abbreviations on lower(named.location_name) = abbreviations.name
