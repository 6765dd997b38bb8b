-- One row per study, site and month in which something happened: subjects by the day of each milestone, visits by the
-- day on which they were due, appointments by that of their beginning. 0 stands for no study or site.

{{
    config(
        unique_key=['source_instance_id', 'study_id', 'site_id', 'month_start'],
        indexes=[{'columns': ['month_start']}],
    )
}}

with

enrollments as (
    select
        source_instance_id,
        study_id,
        coalesce(site_id, 0) as site_id,
        screened_date,
        screen_failed_date,
        enrollment_date,
        randomized_date,
        completed_date,
        dropped_date
    from {{ ref('trialsync__fact_enrollment') }}
),

visits as (
    select * from {{ ref('trialsync__fact_visit_timelines') }}
),

appointments as (
    select * from {{ ref('trialsync__fact_appointments') }}
),

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null
),

sites as (
    select * from {{ ref('trialsync__dim_sites') }}
    where is_current and site_id is not null
),

milestones as (
    {{ milestones_by_month('enrollments', ['source_instance_id', 'study_id', 'site_id']) }}
),

due as (
    select
        source_instance_id,
        coalesce(study_id, 0) as study_id,
        coalesce(site_id, 0) as site_id,
        date_trunc('month', due_date)::date as month_start,
        count(*) filter (where timeliness <> 'not due') as visits_due,
        count(*) filter (where is_held) as visits_held,
        count(*) filter (where timeliness = 'on time') as visits_on_time,
        count(*) filter (where timeliness = 'missed') as visits_missed
    from visits
    where due_date is not null
    group by 1, 2, 3, 4
),

booked as (
    select
        source_instance_id,
        coalesce(study_id, 0) as study_id,
        coalesce(site_id, 0) as site_id,
        date_trunc('month', schedule_date)::date as month_start,
        count(*) as appointments,
        count(*) filter (where is_completed) as appointments_completed,
        count(*) filter (where is_cancelled) as appointments_cancelled,
        count(*) filter (where is_no_show) as no_shows
    from appointments
    where schedule_date is not null
    group by 1, 2, 3, 4
),

joined as (
    select
        source_instance_id,
        study_id,
        site_id,
        month_start,
        milestones.screened,
        milestones.screen_failed,
        milestones.enrolled,
        milestones.randomized,
        milestones.completed,
        milestones.dropped,
        due.visits_due,
        due.visits_held,
        due.visits_on_time,
        due.visits_missed,
        booked.appointments,
        booked.appointments_completed,
        booked.appointments_cancelled,
        booked.no_shows
    from milestones
    full join due using (source_instance_id, study_id, site_id, month_start)
    full join booked using (source_instance_id, study_id, site_id, month_start)
)

select
    joined.source_instance_id,
    joined.study_id,
    joined.site_id,
    joined.month_start,
    sites.name as site_name,
    studies.name as study_name,
    coalesce(joined.screened, 0)::integer as screened,
    coalesce(joined.screen_failed, 0)::integer as screen_failed,
    coalesce(joined.enrolled, 0)::integer as enrolled,
    coalesce(joined.randomized, 0)::integer as randomized,
    coalesce(joined.completed, 0)::integer as completed,
    coalesce(joined.dropped, 0)::integer as dropped,
    coalesce(joined.visits_due, 0)::integer as visits_due,
    coalesce(joined.visits_held, 0)::integer as visits_held,
    coalesce(joined.visits_on_time, 0)::integer as visits_on_time,
    coalesce(joined.visits_missed, 0)::integer as visits_missed,
    coalesce(joined.appointments, 0)::integer as appointments,
    coalesce(joined.appointments_completed, 0)::integer as appointments_completed,
    coalesce(joined.appointments_cancelled, 0)::integer as appointments_cancelled,
    coalesce(joined.no_shows, 0)::integer as no_shows,
    {{ ratio('joined.no_shows::numeric', 'joined.appointments_completed + joined.no_shows') }} as no_show_share
from joined
left join studies
    on joined.source_instance_id = studies.source_instance_id and joined.study_id = studies.study_id
left join sites
    on joined.source_instance_id = sites.source_instance_id and joined.site_id = sites.site_id
