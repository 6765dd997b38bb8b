-- One row per subject: when each milestone was reached, by the statuses, and how long it took. Study, site and patient
-- are as they were known when the subject was enrolled, or else when the first status was.

{{ config(unique_key=['source_instance_id', 'study_id', 'subject_id'], indexes=[{'columns': ['enrollment_date']}]) }}

with

subjects as (
    select * from {{ ref('trialsync__stg_subjects') }}
    where is_present
),

milestones as (
    select * from {{ ref('trialsync__int_subject_milestones') }}
),

studies as (
    {{ dimension_versions(ref('trialsync__dim_studies'), ['source_instance_id', 'study_id']) }}
),

sites as (
    {{ dimension_versions(ref('trialsync__dim_sites'), ['source_instance_id', 'site_id']) }}
),

patients as (
    {{ dimension_versions(ref('trialsync__dim_patients'), ['source_instance_id', 'patient_id']) }}
),

dated as (
    select
        subjects.*,
        milestones.first_event_date,
        milestones.prescreened_date,
        milestones.screened_date,
        milestones.run_in_date,
        milestones.randomized_date,
        milestones.follow_up_date,
        milestones.completed_date,
        milestones.dropped_date,
        milestones.screen_failed_date,
        milestones.non_qualified_date,
        milestones.run_in_failed_date,
        milestones.ended_date,
        {{ effective_moment('coalesce(subjects.enrollment_date, milestones.first_event_date)') }} as effective_at
    from subjects
    left join milestones
        on subjects.source_instance_id = milestones.source_instance_id
        and subjects.study_id = milestones.study_id
        and subjects.subject_id = milestones.subject_id
)

select
    dated.source_instance_id,
    dated.study_id,
    dated.subject_id,
    {{ dimension_key('studies') }} as study_key,
    {{ dimension_key('sites') }} as site_key,
    {{ dimension_key('patients') }} as patient_key,
    dated.site_id,
    dated.patient_id,
    dated.arm_id,
    dated.status,
    dated.first_event_date,
    dated.prescreened_date,
    dated.screened_date,
    dated.run_in_date,
    dated.enrollment_date,
    dated.randomized_date,
    dated.follow_up_date,
    dated.completed_date,
    dated.dropped_date,
    dated.screen_failed_date,
    dated.non_qualified_date,
    dated.run_in_failed_date,
    dated.ended_date,
    {{ age_on('dated.enrollment_date', 'dated.birth_date') }} as age_at_enrollment,
    dated.enrollment_date - dated.screened_date as days_screening_to_enrollment,
    dated.randomized_date - dated.enrollment_date as days_enrollment_to_randomization,
    dated.completed_date - dated.randomized_date as days_randomization_to_completion,
    dated.completed_date - dated.screened_date as days_screening_to_completion,
    -- What the status says counts though its event has not come; it has no date then.
    coalesce(dated.screened_date is not null or dated.status = 'Screened', false) as is_screened,
    dated.enrollment_date is not null as is_enrolled,
    coalesce(dated.randomized_date is not null or dated.status = 'Randomized', false) as is_randomized,
    coalesce(dated.completed_date is not null or dated.status = 'Completed', false) as is_completed,
    coalesce(dated.dropped_date is not null or dated.status = 'Dropped', false) as is_dropped,
    coalesce(dated.screen_failed_date is not null or dated.status = 'ScreenFailed', false) as is_screen_failure,
    coalesce(not {{ is_final_status('dated.status') }}, true) as is_active
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
        'patients', ['source_instance_id', 'patient_id'], ['dated.source_instance_id', 'dated.patient_id'],
        moment='dated.effective_at',
    )
}}
