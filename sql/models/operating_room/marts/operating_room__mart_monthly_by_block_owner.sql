-- One row per month, site and owner of blocks: what they were given, gave back and used. Only days on which it can be
-- measured; blocks still ahead are left out.

{{ config(unique_key=['month', 'site_id', 'owner_type', 'owner_id']) }}

with

blocks as (
    select * from {{ ref('operating_room__fact_block_utilization') }}
    where is_measured
),

services as (
    select
        service_code,
        service_name
    from {{ ref('operating_room__dim_service') }}
    where is_current and service_code is not null
),

surgeons as (
    select
        site_id,
        surgeon_id,
        surgeon_name
    from {{ ref('operating_room__dim_surgeon') }}
    where is_current and surgeon_id is not null
),

-- What was used of a block without available time counts for nobody: it would be a share of nothing.
owned as (
    select
        date_trunc('month', surgery_date)::date as month,
        site_id,
        owner_type,
        coalesce(owner_id, 'OPEN') as owner_id,
        count(*) as blocks,
        count(*) filter (where is_released_in_time) as released_blocks,
        sum(block_minutes) as block_minutes,
        sum(released_minutes) as released_minutes,
        sum(available_minutes) as available_minutes,
        coalesce(sum(owner_cases) filter (where available_minutes > 0), 0) as owner_cases,
        coalesce(sum(owner_minutes) filter (where available_minutes > 0), 0) as owner_minutes,
        coalesce(sum(other_minutes) filter (where available_minutes > 0), 0) as other_minutes,
        coalesce(sum(early_minutes) filter (where available_minutes > 0), 0) as early_minutes,
        coalesce(sum(late_minutes) filter (where available_minutes > 0), 0) as late_minutes,
        coalesce(sum(turnover_credit_minutes) filter (where available_minutes > 0), 0) as turnover_credit_minutes
    from blocks
    group by 1, 2, 3, 4
),

shared as (
    select
        *,
        {{ ratio('owner_minutes', 'available_minutes') }} as raw_utilization,
        {{
            ratio(
                '(owner_minutes + turnover_credit_minutes + early_minutes + late_minutes)', 'available_minutes'
            )
        }} as adjusted_utilization
    from owned
),

-- Open time has no owner to be compared with.
means as (
    select
        month,
        site_id,
        {{ ratio('sum(owner_minutes)', 'sum(available_minutes)') }} as mean_raw_utilization
    from owned
    where owner_type <> 'open'
    group by month, site_id
)

select
    shared.month,
    shared.site_id,
    shared.owner_type,
    shared.owner_id,
    coalesce(services.service_name, surgeons.surgeon_name, shared.owner_id) as owner_name,
    shared.blocks,
    shared.released_blocks,
    shared.block_minutes,
    shared.released_minutes,
    shared.available_minutes,
    shared.owner_cases,
    shared.owner_minutes,
    shared.other_minutes,
    shared.early_minutes,
    shared.late_minutes,
    shared.turnover_credit_minutes,
    shared.raw_utilization,
    shared.adjusted_utilization,
    ratio.ratio_to_mean,
    ratio.ratio_to_mean not between {{ var('block_outlier_low') }} and {{ var('block_outlier_high') }} as is_outlier
from shared
left join means
    on shared.month = means.month
    and shared.site_id = means.site_id
    and shared.owner_type <> 'open'
inner join lateral (
    select
        {{ ratio('shared.raw_utilization', 'means.mean_raw_utilization') }} as ratio_to_mean
) as ratio on true
left join services on shared.owner_type = 'service' and shared.owner_id = services.service_code
left join surgeons
    on shared.owner_type = 'surgeon'
    and shared.site_id = surgeons.site_id
    and shared.owner_id = surgeons.surgeon_id
