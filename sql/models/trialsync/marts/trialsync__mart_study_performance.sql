-- One row per study and month, from its first event to the month of the day as of which it is built: what happened in
-- the month, and how things stood at its end.

{{ config(unique_key=['source_instance_id', 'study_id', 'month_start'], indexes=[{'columns': ['month_start']}]) }}

{%- set milestone_names = ['screened', 'screen_failed', 'enrolled', 'randomized', 'completed', 'dropped'] %}
{%- set subjects_by_status = {
    'Prescreened': 'subjects_prescreened',
    'Screened': 'subjects_screened',
    'RunIn': 'subjects_run_in',
    'Randomized': 'subjects_randomized',
    'FollowUp': 'subjects_follow_up',
    'NonQualified': 'subjects_non_qualified',
    'ScreenFailed': 'subjects_screen_failed',
    'RunInFailed': 'subjects_run_in_failed',
    'Dropped': 'subjects_dropped',
    'Completed': 'subjects_completed',
} %}

with

enrollments as (
    select * from {{ ref('trialsync__fact_enrollment') }}
),

changes as (
    select * from {{ ref('trialsync__fact_subject_status_changes') }}
),

studies as (
    select * from {{ ref('trialsync__dim_studies') }}
    where is_current and study_id is not null
),

-- What happened, each subject once in the month of the day.
milestones as (
    {{ milestones_by_month('enrollments', ['source_instance_id', 'study_id']) }}
),

-- A subject counts under a status from the month in which it came to it up to the month before it came to the next: so
-- many more at the end of the one, so many fewer at that of the other. Within a month it leaves no trace.
moves as (
    select
        source_instance_id,
        study_id,
        date_trunc('month', event_date)::date as month_start,
        status,
        1 as subjects
    from changes
    union all
    select
        source_instance_id,
        study_id,
        date_trunc('month', next_event_date)::date,
        status,
        -1
    from changes
    where next_event_date is not null
),

movements as (
    select
        source_instance_id,
        study_id,
        {%- for status, subjects in subjects_by_status.items() %}
        sum(subjects) filter (where status = '{{ status }}') as {{ subjects }},
        {%- endfor %}
        month_start
    from moves
    group by source_instance_id, study_id, month_start
),

bounds as (
    select
        source_instance_id,
        study_id,
        min(month_start) as first_month,
        greatest(max(month_start), date_trunc('month', {{ as_of_date() }})::date) as last_month
    from (
        select
            source_instance_id,
            study_id,
            month_start
        from milestones
        union all
        select
            source_instance_id,
            study_id,
            month_start
        from movements
    ) as active
    group by 1, 2
),

months as (
    select
        bounds.source_instance_id,
        bounds.study_id,
        month.first_day::date as month_start
    from bounds
    cross join
        lateral generate_series(bounds.first_month::timestamp, bounds.last_month::timestamp, interval '1 month')
            as month (first_day)
),

summed as (
    select
        months.source_instance_id,
        months.study_id,
        months.month_start,
        {%- for name in milestone_names %}
        coalesce(milestones.{{ name }}, 0) as {{ name }},
        sum(coalesce(milestones.{{ name }}, 0)) over timeline as cumulative_{{ name }},
        {%- endfor %}
        {%- for subjects in subjects_by_status.values() %}
        sum(coalesce(movements.{{ subjects }}, 0)) over timeline as {{ subjects }},
        {%- endfor %}
        sum(coalesce(milestones.enrolled, 0)) over recent as recently_enrolled,
        count(*) over recent as recent_months
    from months
    left join milestones
        on months.source_instance_id = milestones.source_instance_id
        and months.study_id = milestones.study_id
        and months.month_start = milestones.month_start
    left join movements
        on months.source_instance_id = movements.source_instance_id
        and months.study_id = movements.study_id
        and months.month_start = movements.month_start
    window
        timeline as (partition by months.source_instance_id, months.study_id order by months.month_start),
        recent as (
            partition by months.source_instance_id, months.study_id order by months.month_start
            rows between {{ var('trialsync_velocity_months') | int - 1 }} preceding and current row
        )
)

select
    summed.source_instance_id,
    summed.study_id,
    summed.month_start,
    studies.name as study_name,
    studies.status as study_status,
    studies.sponsor_name,
    {%- for name in milestone_names %}
    summed.{{ name }}::integer as {{ name }},
    {%- endfor %}
    {%- for name in milestone_names %}
    summed.cumulative_{{ name }}::integer as cumulative_{{ name }},
    {%- endfor %}
    {%- for subjects in subjects_by_status.values() %}
    summed.{{ subjects }}::integer as {{ subjects }},
    {%- endfor %}
    round(summed.recently_enrolled / summed.recent_months, 2)::numeric(14, 2) as enrollment_velocity,
    {{ ratio('summed.cumulative_screen_failed', 'summed.cumulative_screened') }} as screen_failure_rate,
    {{ ratio('summed.cumulative_dropped', 'summed.cumulative_enrolled') }} as dropout_rate,
    studies.enrollment_target,
    round(100.0 * summed.cumulative_enrolled / nullif(studies.enrollment_target, 0), 2)::numeric(14, 2)
        as percent_to_target
from summed
left join studies
    on summed.source_instance_id = studies.source_instance_id and summed.study_id = studies.study_id
