-- One row per visit of a subject, by the day that it is due on: whether it was held, and whether in time. Without an
-- earliest or a latest day the due day itself is meant. What was planned for after a subject's end in the study, such
-- as when it was dropped, is not due.

{{
    config(
        unique_key=['source_instance_id', 'patient_visit_id'],
        window_column='due_date',
        indexes=[{'columns': ['due_date']}],
        tags=['daily'],
    )
}}

with

visits as (
    select * from {{ ref('trialsync__stg_patient_visits') }}
    where is_present
),

elements as (
    select * from {{ ref('trialsync__stg_patient_visit_elements') }}
    where is_present
),

milestones as (
    select * from {{ ref('trialsync__int_subject_milestones') }}
),

members as (
    select * from {{ ref('trialsync__stg_subjects') }}
    where is_present
),

subjects as (
    {{ dimension_versions(ref('trialsync__dim_subjects'), ['source_instance_id', 'study_id', 'subject_id']) }}
),

studies as (
    {{ dimension_versions(ref('trialsync__dim_studies'), ['source_instance_id', 'study_id']) }}
),

sites as (
    {{ dimension_versions(ref('trialsync__dim_sites'), ['source_instance_id', 'site_id']) }}
),

planned_visits as (
    {{ dimension_versions(ref('trialsync__dim_visits'), ['source_instance_id', 'study_id', 'visit_id']) }}
),

-- A visit that no appointment tells the day of was held when something was first done at it.
work as (
    select
        source_instance_id,
        patient_visit_id,
        min(completed_date) as first_done_date
    from elements
    where completed_date is not null
    group by 1, 2
),

dated as (
    select
        visits.*,
        members.site_id,
        milestones.ended_date,
        visits.target_due_date as due_date,
        coalesce(visits.min_due_date, visits.target_due_date) as earliest_date,
        coalesce(visits.max_due_date, visits.target_due_date) as latest_date,
        coalesce(visits.status in ('Completed', 'Started'), false) as is_held,
        coalesce(visits.held_date, work.first_done_date) as done_date,
        {{ effective_moment('visits.target_due_date') }} as effective_at
    from visits
    left join members
        on visits.source_instance_id = members.source_instance_id
        and visits.study_id = members.study_id
        and visits.subject_id = members.subject_id
    left join milestones
        on visits.source_instance_id = milestones.source_instance_id
        and visits.study_id = milestones.study_id
        and visits.subject_id = milestones.subject_id
    left join work
        on visits.source_instance_id = work.source_instance_id
        and visits.patient_visit_id = work.patient_visit_id
    where {{ in_window('visits.target_due_date') }}
)

select
    dated.source_instance_id,
    dated.patient_visit_id,
    dated.due_date,
    {{ dimension_key('studies') }} as study_key,
    {{ dimension_key('sites') }} as site_key,
    {{ dimension_key('subjects') }} as subject_key,
    {{ dimension_key('planned_visits') }} as visit_key,
    dated.study_id,
    dated.site_id,
    dated.subject_id,
    dated.visit_id,
    dated.visit_name,
    dated.sequence,
    dated.is_mandatory,
    dated.status,
    dated.min_due_date,
    dated.max_due_date,
    dated.appointments,
    dated.is_held,
    case when dated.is_held then dated.done_date end as held_date,
    case when dated.is_held then dated.done_date - dated.due_date end as days_from_due,
    case
        when dated.is_held and dated.done_date < dated.earliest_date then 'early'
        when dated.is_held and dated.done_date > dated.latest_date then 'late'
        when dated.is_held and dated.done_date between dated.earliest_date and dated.latest_date then 'on time'
        when not dated.is_held and dated.ended_date < dated.earliest_date then 'not due'
        when not dated.is_held and dated.latest_date < {{ as_of_date() }} then 'missed'
        when not dated.is_held and dated.latest_date is not null then 'pending'
        else 'unknown'
    end as timeliness
from dated
{{
    join_dimension(
        'studies', ['source_instance_id', 'study_id'], ['dated.source_instance_id', 'dated.study_id'],
        moment='dated.effective_at',
    )
}}
{{
    join_dimension(
        'sites', ['source_instance_id', 'site_id'], ['dated.source_instance_id', 'dated.site_id'],
        moment='dated.effective_at',
    )
}}
{{
    join_dimension(
        'subjects', ['source_instance_id', 'study_id', 'subject_id'],
        ['dated.source_instance_id', 'dated.study_id', 'dated.subject_id'],
        moment='dated.effective_at',
    )
}}
{{
    join_dimension(
        'planned_visits', ['source_instance_id', 'study_id', 'visit_id'],
        ['dated.source_instance_id', 'dated.study_id', 'dated.visit_id'],
        moment='dated.effective_at',
    )
}}
