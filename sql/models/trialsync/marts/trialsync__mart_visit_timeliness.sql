-- One row per study, site and month: of the visits that were due in it, how many were held in time. 0 stands for no
-- study or site.

{{
    config(
        unique_key=['source_instance_id', 'study_id', 'site_id', 'month_start'],
        indexes=[{'columns': ['month_start']}],
    )
}}

with

visits as (
    select * from {{ ref('trialsync__fact_visit_timelines') }}
    where due_date is not null
),

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null
),

sites as (
    select * from {{ ref('trialsync__dim_sites') }}
    where is_current and site_id is not null
),

counted as (
    select
        source_instance_id,
        coalesce(study_id, 0) as study_id,
        coalesce(site_id, 0) as site_id,
        date_trunc('month', due_date)::date as month_start,
        count(*)::integer as visits,
        (count(*) filter (where timeliness = 'early'))::integer as early,
        (count(*) filter (where timeliness = 'on time'))::integer as on_time,
        (count(*) filter (where timeliness = 'late'))::integer as late,
        (count(*) filter (where timeliness = 'missed'))::integer as missed,
        (count(*) filter (where timeliness = 'pending'))::integer as pending,
        (count(*) filter (where timeliness = 'not due'))::integer as not_due,
        (count(*) filter (where timeliness = 'unknown'))::integer as unknown,
        round(avg(days_from_due), 2)::numeric(14, 2) as mean_days_from_due,
        {{ median('days_from_due') }} as median_days_from_due
    from visits
    group by 1, 2, 3, 4
)

select
    counted.source_instance_id,
    counted.study_id,
    counted.site_id,
    counted.month_start,
    studies.name as study_name,
    sites.name as site_name,
    counted.visits,
    counted.early,
    counted.on_time,
    counted.late,
    counted.missed,
    counted.pending,
    counted.not_due,
    counted.unknown,
    {{ ratio('counted.on_time::numeric', 'counted.early + counted.on_time + counted.late + counted.missed') }}
        as on_time_share,
    counted.mean_days_from_due,
    counted.median_days_from_due
from counted
left join studies
    on counted.source_instance_id = studies.source_instance_id and counted.study_id = studies.study_id
left join sites
    on counted.source_instance_id = sites.source_instance_id and counted.site_id = sites.site_id
