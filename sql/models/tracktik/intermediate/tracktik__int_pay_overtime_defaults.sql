-- One row per region and version of the settings that count for it: the rule by which overtime is paid to those who
-- have none of their own. A region without settings has those of the nearest one above it, or else those of no region.

with recursive

regions as (
    select
        region_id,
        parent_region_id
    from {{ ref('tracktik__stg_regions') }}
    where in_force_to = 'infinity'
),

settings as (
    select * from {{ ref('tracktik__stg_back_office_settings') }}
),

-- Each region with itself and those above it. The bound is for regions that lie above themselves.
ancestry as (
    select
        region_id,
        region_id as above_id,
        0 as steps
    from regions
    union all
    select
        ancestry.region_id,
        regions.parent_region_id,
        ancestry.steps + 1
    from ancestry
    inner join regions on ancestry.above_id = regions.region_id
    where ancestry.steps < 20
),

-- The last step of each is to no region.
nearest as (
    select distinct on (ancestry.region_id)
        ancestry.region_id,
        settings.back_office_setting_id
    from ancestry
    inner join settings on ancestry.above_id is not distinct from settings.region_id
    where settings.in_force_to = 'infinity' and not settings.is_deleted
    order by ancestry.region_id asc, ancestry.steps asc, settings.back_office_setting_id asc
)

select
    nearest.region_id,
    settings.pay_overtime_rule_id,
    settings.in_force_from,
    settings.in_force_to
from nearest
inner join settings on nearest.back_office_setting_id = settings.back_office_setting_id
