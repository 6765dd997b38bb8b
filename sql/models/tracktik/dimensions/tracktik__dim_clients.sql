-- One row per client and version of it; -1 is the client nobody knows.
-- The names of its region and of the one above are those they had at the time.

{{ config(natural_key='client_id') }}

with

clients as (
    select * from {{ ref('tracktik__stg_clients') }}
),

regions as (
    select * from {{ ref('tracktik__stg_regions') }}
),

positions as (
    select * from {{ ref('tracktik__stg_positions') }}
),

shifts as (
    select * from {{ ref('tracktik__stg_shifts') }}
    where {{ in_work_weeks('shift_date') }}
),

-- Regions with the name of the one above, whenever either changed.
named_regions as (
    select
        regions.region_id,
        regions.name as region_name,
        parents.name as parent_region_name,
        greatest(regions.in_force_from, parents.in_force_from) as in_force_from,
        least(regions.in_force_to, parents.in_force_to) as in_force_to
    from regions
    left join regions as parents
        on regions.parent_region_id = parents.region_id
        and {{ in_force_together('regions', 'parents') }}
),

met as (
    select
        client_id,
        effective_at
    from positions
    union all
    select
        client_id,
        started_at
    from shifts
)

select
    clients.client_id,
    clients.custom_id,
    clients.name,
    clients.region_id,
    named_regions.region_name,
    named_regions.parent_region_name,
    clients.time_zone,
    clients.address,
    clients.status,
    false as is_inferred,
    greatest(clients.effective_at, named_regions.in_force_from) as effective_at
from clients
left join named_regions
    on clients.region_id = named_regions.region_id
    and {{ in_force_together('clients', 'named_regions') }}
union all
select
    client_id,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    null,
    true,
    min(effective_at)
from met
where
    client_id is not null
    and effective_at is not null
    and client_id not in (select clients.client_id from clients)
group by client_id
