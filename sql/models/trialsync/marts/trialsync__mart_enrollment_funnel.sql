-- One row per study and site: how many subjects came how far, whenever that was. 0 stands for no site.

{{ config(unique_key=['source_instance_id', 'study_id', 'site_id']) }}

with

enrollments as (
    select * from {{ ref('trialsync__fact_enrollment') }}
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
        study_id,
        coalesce(site_id, 0) as site_id,
        count(*)::integer as subjects,
        (count(*) filter (where is_screened))::integer as screened,
        (count(*) filter (where is_enrolled))::integer as enrolled,
        (count(*) filter (where is_randomized))::integer as randomized,
        (count(*) filter (where is_completed))::integer as completed,
        (count(*) filter (where is_screen_failure))::integer as screen_failed,
        (count(*) filter (where is_dropped))::integer as dropped,
        (count(*) filter (where is_active))::integer as active,
        {{ median('days_screening_to_enrollment') }} as median_days_screening_to_enrollment,
        {{ median('days_enrollment_to_randomization') }} as median_days_enrollment_to_randomization,
        {{ median('days_randomization_to_completion') }} as median_days_randomization_to_completion
    from enrollments
    group by 1, 2, 3
)

select
    counted.source_instance_id,
    counted.study_id,
    counted.site_id,
    studies.name as study_name,
    sites.name as site_name,
    counted.subjects,
    counted.screened,
    counted.enrolled,
    counted.randomized,
    counted.completed,
    counted.screen_failed,
    counted.dropped,
    counted.active,
    {{ ratio('counted.screened::numeric', 'counted.subjects') }} as screened_share,
    {{ ratio('counted.enrolled::numeric', 'counted.screened') }} as enrolled_share,
    {{ ratio('counted.randomized::numeric', 'counted.enrolled') }} as randomized_share,
    {{ ratio('counted.completed::numeric', 'counted.randomized') }} as completed_share,
    counted.median_days_screening_to_enrollment,
    counted.median_days_enrollment_to_randomization,
    counted.median_days_randomization_to_completion
from counted
left join studies
    on counted.source_instance_id = studies.source_instance_id and counted.study_id = studies.study_id
left join sites
    on counted.source_instance_id = sites.source_instance_id and counted.site_id = sites.site_id
