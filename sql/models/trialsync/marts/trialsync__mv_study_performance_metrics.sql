-- One row per study: what happened in the last days, as many as the var trialsync_recent_days says, up to and with the
-- day as of which it is built.

{{ config(unique_key=['source_instance_id', 'study_id']) }}

with

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null and not is_deleted
),

enrollments as (
    select * from {{ ref('trialsync__fact_enrollment') }}
),

visits as (
    select * from {{ ref('trialsync__fact_visit_timelines') }}
),

span as (
    select
        {{ as_of_date() }} - {{ var('trialsync_recent_days') }} + 1 as first_date,
        {{ as_of_date() }} as last_date
),

happened as (
    select
        enrollments.source_instance_id,
        enrollments.study_id,
        count(*) filter (where enrollments.screened_date between span.first_date and span.last_date) as screened,
        count(*) filter (where enrollments.screen_failed_date between span.first_date and span.last_date)
            as screen_failed,
        count(*) filter (where enrollments.enrollment_date between span.first_date and span.last_date) as enrolled,
        count(*) filter (where enrollments.randomized_date between span.first_date and span.last_date) as randomized,
        count(*) filter (where enrollments.completed_date between span.first_date and span.last_date) as completed,
        count(*) filter (where enrollments.dropped_date between span.first_date and span.last_date) as dropped,
        count(*) filter (where enrollments.is_active) as active_subjects,
        count(*) filter (where enrollments.is_enrolled) as total_enrolled
    from enrollments
    cross join span
    group by 1, 2
),

due as (
    select
        visits.source_instance_id,
        visits.study_id,
        count(*) filter (where visits.timeliness <> 'not due') as visits_due,
        count(*) filter (where visits.timeliness = 'on time') as visits_on_time,
        count(*) filter (where visits.timeliness in ('early', 'late')) as visits_off_time,
        count(*) filter (where visits.timeliness = 'missed') as visits_missed
    from visits
    inner join span on visits.due_date between span.first_date and span.last_date
    group by 1, 2
)

select
    studies.source_instance_id,
    studies.study_id,
    studies.name as study_name,
    studies.status as study_status,
    span.first_date,
    span.last_date,
    coalesce(happened.screened, 0)::integer as screened,
    coalesce(happened.screen_failed, 0)::integer as screen_failed,
    coalesce(happened.enrolled, 0)::integer as enrolled,
    coalesce(happened.randomized, 0)::integer as randomized,
    coalesce(happened.completed, 0)::integer as completed,
    coalesce(happened.dropped, 0)::integer as dropped,
    coalesce(happened.active_subjects, 0)::integer as active_subjects,
    coalesce(happened.total_enrolled, 0)::integer as total_enrolled,
    studies.enrollment_target,
    round(100.0 * coalesce(happened.total_enrolled, 0) / nullif(studies.enrollment_target, 0), 2)::numeric(14, 2)
        as percent_to_target,
    coalesce(due.visits_due, 0)::integer as visits_due,
    coalesce(due.visits_on_time, 0)::integer as visits_on_time,
    coalesce(due.visits_missed, 0)::integer as visits_missed,
    {{ ratio('due.visits_on_time::numeric', 'due.visits_on_time + due.visits_off_time + due.visits_missed') }}
        as on_time_share
from studies
cross join span
left join happened
    on studies.source_instance_id = happened.source_instance_id and studies.study_id = happened.study_id
left join due
    on studies.source_instance_id = due.source_instance_id and studies.study_id = due.study_id
