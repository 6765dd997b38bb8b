-- One row per subject of whom a status is known: the first day of each status, and the last of all. What befell a
-- subject is in the dates of the statuses alone; the subject's own record says only how things stand.

with

events as (
    select
        *,
        {{ subject_status_rank('status') }} as status_rank
    from {{ ref('trialsync__stg_subject_statuses') }}
    where is_present and event_at is not null
),

milestones as (
    select
        source_instance_id,
        study_id,
        subject_id,
        min(event_date) as first_event_date,
        min(event_date) filter (where status = 'Prescreened') as prescreened_date,
        min(event_date) filter (where status = 'Screened') as screened_date,
        min(event_date) filter (where status = 'RunIn') as run_in_date,
        min(event_date) filter (where status = 'Randomized') as randomized_date,
        min(event_date) filter (where status = 'FollowUp') as follow_up_date,
        min(event_date) filter (where status = 'Completed') as completed_date,
        min(event_date) filter (where status = 'Dropped') as dropped_date,
        min(event_date) filter (where status = 'ScreenFailed') as screen_failed_date,
        min(event_date) filter (where status = 'NonQualified') as non_qualified_date,
        min(event_date) filter (where status = 'RunInFailed') as run_in_failed_date,
        {{ latest_value('status', '(event_at, is_current_status, status_rank)') }} as last_status,
        {{ latest_value('event_date', '(event_at, is_current_status, status_rank)') }} as last_event_date
    from events
    group by 1, 2, 3
)

select
    *,
    case when {{ is_final_status('last_status') }} then last_event_date end as ended_date
from milestones
