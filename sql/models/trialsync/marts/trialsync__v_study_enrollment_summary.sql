-- One row per study that its instance still has: how many subjects it has, and how far they came.

{{ config(materialized='view') }}

with

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null and not is_deleted
),

enrollments as (
    select * from {{ ref('trialsync__fact_enrollment') }}
),

counted as (
    select
        source_instance_id,
        study_id,
        count(*) as subjects,
        count(*) filter (where is_screened) as screened,
        count(*) filter (where is_screen_failure) as screen_failed,
        count(*) filter (where is_enrolled) as enrolled,
        count(*) filter (where is_randomized) as randomized,
        count(*) filter (where is_completed) as completed,
        count(*) filter (where is_dropped) as dropped,
        count(*) filter (where is_active) as active,
        min(enrollment_date) as first_enrollment_date,
        max(enrollment_date) as last_enrollment_date,
        round(avg(age_at_enrollment), 2)::numeric(14, 2) as mean_age_at_enrollment
    from enrollments
    group by 1, 2
)

select
    studies.source_instance_id,
    studies.study_id,
    studies.name as study_name,
    studies.status as study_status,
    studies.protocol_number,
    studies.phase,
    studies.sponsor_name,
    studies.managing_site_name,
    coalesce(counted.subjects, 0) as subjects,
    coalesce(counted.screened, 0) as screened,
    coalesce(counted.screen_failed, 0) as screen_failed,
    coalesce(counted.enrolled, 0) as enrolled,
    coalesce(counted.randomized, 0) as randomized,
    coalesce(counted.completed, 0) as completed,
    coalesce(counted.dropped, 0) as dropped,
    coalesce(counted.active, 0) as active,
    {{ ratio('counted.screen_failed::numeric', 'counted.screened') }} as screen_failure_rate,
    studies.enrollment_target,
    round(100.0 * coalesce(counted.enrolled, 0) / nullif(studies.enrollment_target, 0), 2)::numeric(14, 2)
        as percent_to_target,
    counted.first_enrollment_date,
    counted.last_enrollment_date,
    counted.mean_age_at_enrollment
from studies
left join counted
    on studies.source_instance_id = counted.source_instance_id and studies.study_id = counted.study_id
