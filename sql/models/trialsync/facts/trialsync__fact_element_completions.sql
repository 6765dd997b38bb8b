-- One row per element that was done at a subject's visit, by the day on which it was. What kind of thing it is, its
-- name says.

{{
    config(
        unique_key=['source_instance_id', 'patient_visit_id', 'patient_visit_element_id'],
        window_column='completed_date',
        indexes=[{'columns': ['completed_date']}],
        tags=['daily'],
    )
}}

with

done as (
    select
        *,
        {{ effective_moment('completed_date') }} as effective_at
    from {{ ref('trialsync__stg_patient_visit_elements') }}
    where is_present and completed_date is not null and {{ in_window('completed_date') }}
),

elements as (
    select * from {{ ref('trialsync__stg_elements') }}
    where is_present
),

visits as (
    select * from {{ ref('trialsync__stg_patient_visits') }}
    where is_present
),

subjects as (
    {{ dimension_versions(ref('trialsync__dim_subjects'), ['source_instance_id', 'study_id', 'subject_id']) }}
),

studies as (
    {{ dimension_versions(ref('trialsync__dim_studies'), ['source_instance_id', 'study_id']) }}
)

select
    done.source_instance_id,
    done.patient_visit_id,
    done.patient_visit_element_id,
    done.completed_date,
    done.completed_at,
    {{ dimension_key('studies') }} as study_key,
    {{ dimension_key('subjects') }} as subject_key,
    visits.study_id,
    visits.subject_id,
    visits.visit_id,
    done.element_id,
    coalesce(done.name, elements.name) as element_name,
    {{ element_category('coalesce(done.name, elements.name)') }} as category,
    elements.element_type,
    elements.cpt_code,
    done.is_required,
    done.is_repeated,
    done.minutes,
    elements.standard_minutes,
    done.minutes - elements.standard_minutes as minutes_over_standard
from done
left join elements
    on done.source_instance_id = elements.source_instance_id and done.element_id = elements.element_id
left join visits
    on done.source_instance_id = visits.source_instance_id and done.patient_visit_id = visits.patient_visit_id
{{
    join_dimension(
        'studies', ['source_instance_id', 'study_id'], ['done.source_instance_id', 'visits.study_id'],
        moment='done.effective_at',
    )
}}
{{
    join_dimension(
        'subjects', ['source_instance_id', 'study_id', 'subject_id'],
        ['done.source_instance_id', 'visits.study_id', 'visits.subject_id'],
        moment='done.effective_at',
    )
}}
