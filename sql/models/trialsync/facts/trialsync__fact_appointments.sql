-- One row per appointment, by the day that it begins on at its site. Patient, study, site and visit are as they were
-- known on that day.

{{
    config(
        unique_key=['source_instance_id', 'appointment_id'],
        window_column='schedule_date',
        indexes=[{'columns': ['schedule_date']}],
        tags=['daily'],
    )
}}

with

appointments as (
    select * from {{ ref('trialsync__stg_appointments') }}
    where is_present
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

visits as (
    {{ dimension_versions(ref('trialsync__dim_visits'), ['source_instance_id', 'study_id', 'visit_id']) }}
),

zones as (
    select
        source_instance_id,
        site_id,
        time_zone
    from {{ ref('trialsync__dim_sites') }}
    where is_current
),

scheduled as (
    select
        appointments.*,
        (
            appointments.planned_start at time zone coalesce(zones.time_zone, '{{ var('trialsync_time_zone') }}')
        )::date as schedule_date
    from appointments
    left join zones
        on appointments.source_instance_id = zones.source_instance_id and appointments.site_id = zones.site_id
),

dated as (
    select
        *,
        {{ effective_moment('schedule_date') }} as effective_at
    from scheduled
    where {{ in_window('schedule_date') }}
)

select
    dated.source_instance_id,
    dated.appointment_id,
    dated.schedule_date,
    {{ dimension_key('studies') }} as study_key,
    {{ dimension_key('sites') }} as site_key,
    {{ dimension_key('patients') }} as patient_key,
    {{ dimension_key('visits') }} as visit_key,
    dated.study_id,
    dated.site_id,
    dated.patient_id,
    dated.visit_id,
    dated.status,
    dated.planned_start,
    dated.planned_end,
    case
        when dated.planned_end >= dated.planned_start
            then {{ minutes_between('dated.planned_start', 'dated.planned_end') }}
    end as minutes,
    coalesce(dated.status = 'Completed', false) as is_completed,
    coalesce(dated.status = 'Cancelled', false) as is_cancelled,
    coalesce(dated.status = 'NoShow', false) as is_no_show
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
{{
    join_dimension(
        'visits', ['source_instance_id', 'study_id', 'visit_id'],
        ['dated.source_instance_id', 'dated.study_id', 'dated.visit_id'],
        moment='dated.effective_at',
    )
}}
