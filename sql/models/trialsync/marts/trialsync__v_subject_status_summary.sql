-- One row per study and status that subjects of it have: how many do.

{{ config(materialized='view') }}

with

enrollments as (
    select * from {{ ref('trialsync__fact_enrollment') }}
),

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null
),

counted as (
    select
        source_instance_id,
        study_id,
        status,
        count(*) as subjects,
        sum(count(*)) over (partition by source_instance_id, study_id) as subjects_of_study,
        round(avg(age_at_enrollment), 2)::numeric(14, 2) as mean_age_at_enrollment
    from enrollments
    group by 1, 2, 3
)

select
    counted.source_instance_id,
    counted.study_id,
    studies.name as study_name,
    counted.status,
    counted.subjects,
    {{ ratio('counted.subjects::numeric', 'counted.subjects_of_study') }} as share_of_study,
    counted.mean_age_at_enrollment
from counted
left join studies
    on counted.source_instance_id = studies.source_instance_id and counted.study_id = studies.study_id
