{#- Whose ids a row's ids are. Two sites may call a room, a case or a surgeon alike and mean others, so the site is part
    of every such key. The block schedule and the bookings know their location by name, or not at all. -#}

{#- CTEs: the sites that the cases know, by id and by the names of their locations, and the only one, if it is one.
    There are a few of them in millions of cases: each is found by the index behind the one before (a loose index scan),
    so the statement has to begin `with recursive`. -#}
{%- macro known_sites() -%}
{%- set cases = source('stg', 'or_case') -%}
sites_by_id (site_id) as (
    select min(site_id) from {{ cases }}
    union all
    select (
        select min(cases.site_id) from {{ cases }} as cases
        where cases.site_id > sites_by_id.site_id
    )
    from sites_by_id
    where sites_by_id.site_id is not null
),

site_locations (site_id, location_name) as (
    (
        select
            site_id,
            location_name
        from {{ cases }}
        where location_name is not null
        order by site_id, location_name
        limit 1
    )
    union all
    select
        following.site_id,
        following.location_name
    from site_locations
    cross join lateral (
        select
            cases.site_id,
            cases.location_name
        from {{ cases }} as cases
        where
            (cases.site_id, cases.location_name) > (site_locations.site_id, site_locations.location_name)
            and cases.location_name is not null
        order by cases.site_id, cases.location_name
        limit 1
    ) as following
),

sites_by_name as (
    select
        lower({{ cleaned('location_name') }}) as location_name,
        min(site_id) as site_id
    from site_locations
    group by 1
    having count(distinct site_id) = 1
),

only_site as (
    select min(site_id) as site_id
    from sites_by_id
    having count(site_id) = 1
)
{%- endmacro -%}

{#- Joins of `known_sites`, for `site_of`. -#}
{%- macro join_sites(rows) -%}
left join sites_by_id on {{ rows }}.site_id = sites_by_id.site_id
left join sites_by_name on lower({{ cleaned(rows ~ '.location_name') }}) = sites_by_name.location_name
left join only_site on true
{%- endmacro -%}

{#- The row's site: the one it names by id or by name, the only one there is, or whatever it says. -#}
{%- macro site_of(rows) -%}
    coalesce(sites_by_id.site_id, sites_by_name.site_id, only_site.site_id, {{ rows }}.site_id, '')
{%- endmacro -%}

{#- `join_dimension` of a dimension whose members have ids of their site: its `natural_key` is the fact's column of that
    name, or `fact_key`, and the sites are the same. -#}
{%- macro join_site_dimension(dimension, natural_key, fact, day, fact_key=none, role=none) -%}
{{
    join_dimension(
        dimension, ['site_id', natural_key], [fact ~ '.site_id', fact_key or fact ~ '.' ~ natural_key],
        day=day, role=role,
    )
}}
{%- endmacro -%}
