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
        and {{ validity_overlaps('regions', 'parents') }}
),

-- Clients with the names of their regions, whenever any of these changed.
described as (
    select
        clients.*,
        named_regions.region_name,
        named_regions.parent_region_name,
        greatest(clients.effective_at, named_regions.in_force_from) as known_at
    from clients
    left join named_regions
        on clients.region_id = named_regions.region_id
        and {{ described_by('clients', 'named_regions') }}
),

referenced_ids as (
    select
        client_id,
        effective_at as referenced_at
    from positions
),

inferred as (
    {{ inferred_members('client_id', referenced='referenced_ids', described='clients') }}
)

-- The full join matches nothing: it appends the inferred members, by name.
select
    client_id,
    described.custom_id,
    described.name,
    described.region_id,
    described.region_name,
    described.parent_region_name,
    described.time_zone,
    described.address,
    described.status,
    inferred.client_id is not null as is_inferred,
    known_at as effective_at
from described
full join inferred using (client_id, known_at)
