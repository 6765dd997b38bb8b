-- One row per region and version of it; -1 is the region nobody knows.
-- The name of the region above is the one it had at the time, so that a version begins where that name changes.

{{ config(natural_key='region_id') }}

with

regions as (
    select * from {{ ref('tracktik__stg_regions') }}
),

clients as (
    select * from {{ ref('tracktik__stg_clients') }}
),

employees as (
    select * from {{ ref('tracktik__stg_employees') }}
),

met as (
    select
        region_id,
        effective_at
    from clients
    union all
    select
        region_id,
        effective_at
    from employees
)

select
    regions.region_id,
    regions.custom_id,
    regions.name,
    regions.parent_region_id,
    parents.name as parent_region_name,
    regions.company,
    regions.status,
    false as is_inferred,
    greatest(regions.effective_at, parents.in_force_from) as effective_at
from regions
left join regions as parents
    on regions.parent_region_id = parents.region_id
    and {{ in_force_together('regions', 'parents') }}
union all
select
    region_id,
    null,
    null,
    null,
    null,
    null,
    null,
    true,
    min(effective_at)
from met
where region_id is not null and region_id not in (select regions.region_id from regions)
group by region_id
