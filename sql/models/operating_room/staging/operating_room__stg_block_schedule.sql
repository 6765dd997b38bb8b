-- One row per block: room, date and starting time. Its owner is named, and its end is the next day's where it runs
-- over midnight.

with recursive

blocks as (
    select * from {{ source('stg', 'block_schedule') }}
),

{{ known_sites() }}

select
    {{ site_of('blocks') }} as site_id,
    blocks.schedule_date,
    {{ cleaned('blocks.room_id') }} as room_id,
    {{ cleaned('blocks.room_name') }} as room_name,
    {{ cleaned('blocks.location_name') }} as location_name,
    {{ cleaned('blocks.location_abbr') }} as location_abbr,
    {{ cleaned('blocks.slot_type') }} as slot_type,
    blocks.slot_start_time,
    blocks.slot_end_time,
    blocks.slot_end_time <= blocks.slot_start_time as is_overnight,
    {{ cleaned('blocks.block_key') }} as block_key,
    {{ cleaned('blocks.block_title') }} as block_title,
    upper({{ cleaned('blocks.service_code') }}) as service_code,
    {{ cleaned('blocks.service_code') }} as service_name,
    {{ cleaned('blocks.surgeon_id') }} as surgeon_id,
    {{ cleaned('blocks.group_id') }} as group_id,
    {{ cleaned('blocks.responsible_provider_id') }} as responsible_provider_id,
    {{ cleaned('blocks.provider_name') }} as provider_name,
    coalesce(blocks.is_public_slot, false) as is_public_slot,
    owner.owner_type,
    case owner.owner_type
        when 'service' then upper({{ cleaned('blocks.service_code') }})
        when 'surgeon' then {{ cleaned('blocks.surgeon_id') }}
        when 'group' then {{ cleaned('blocks.group_id') }}
    end as owner_id,
    {{ cleaned('blocks.time_off_reason_code') }} as time_off_reason_code,
    {{ cleaned('blocks.time_off_reason_code') }} is not null as is_time_off,
    site.time_zone,
    blocks.released_at as released,
    span.start_at,
    span.end_at,
    {{ minutes_between('span.start_at', 'span.end_at') }} as block_minutes,
    coalesce(
        blocks.released_at::date <= blocks.schedule_date - {{ var('block_release_deadline_days') }}, false
    ) as is_released_in_time
from blocks
{{ join_sites('blocks') }}
-- `limit 1` has each of these worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select coalesce({{ cleaned('blocks.time_zone') }}, 'UTC') as time_zone
    limit 1
) as site on true
inner join lateral (
    select
        (blocks.schedule_date + blocks.slot_start_time) at time zone site.time_zone as start_at,
        (
            blocks.schedule_date
            + (blocks.slot_end_time <= blocks.slot_start_time)::integer
            + blocks.slot_end_time
        ) at time zone site.time_zone as end_at
    limit 1
) as span on true
inner join lateral (
    select
        -- The kind of slot decides where it names one; else a service before a surgeon before a group.
        case
            when blocks.is_public_slot then 'open'
            when blocks.slot_type ~* 'surgeon|provider' and {{ cleaned('blocks.surgeon_id') }} is not null
                then 'surgeon'
            when blocks.slot_type ~* 'group' and {{ cleaned('blocks.group_id') }} is not null then 'group'
            when {{ cleaned('blocks.service_code') }} is not null then 'service'
            when {{ cleaned('blocks.surgeon_id') }} is not null then 'surgeon'
            when {{ cleaned('blocks.group_id') }} is not null then 'group'
            else 'open'
        end as owner_type
    limit 1
) as owner on true
