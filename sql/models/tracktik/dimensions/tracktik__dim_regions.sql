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

-- Regions with the name of the one above, whenever either changed.
described as (
    select
        regions.*,
        parents.name as parent_region_name,
        greatest(regions.effective_at, parents.in_force_from) as known_at
    from regions
    left join regions as parents
        on regions.parent_region_id = parents.region_id
        and {{ described_by('regions', 'parents') }}
),

referenced_ids as (
    select
        region_id,
        effective_at as referenced_at
    from clients
    union all
    select
        region_id,
        effective_at
    from employees
),

inferred as (
    {{ inferred_members('region_id', referenced='referenced_ids', described='regions') }}
)

-- The full join matches nothing: it appends the inferred members, by name.
select
    region_id,
    described.custom_id,
    described.name,
    described.parent_region_id,
    described.parent_region_name,
    described.company,
    described.status,
    inferred.region_id is not null as is_inferred,
    known_at as effective_at
from described
full join inferred using (region_id, known_at)
