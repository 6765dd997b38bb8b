-- One row per subject, status and moment at which the subject came to it. An event without a moment is in no timeline.

{{
    config(
        unique_key=['source_instance_id', 'study_id', 'subject_id', 'status', 'event_at'],
        window_column='event_date',
        indexes=[{'columns': ['event_date']}],
        tags=['daily'],
    )
}}

with

-- The same moment may be written in two ways, and the key of staging is what is written.
events as (
    select distinct on (source_instance_id, study_id, subject_id, status, event_at)
        *,
        {{ subject_status_rank('status') }} as status_rank
    from {{ ref('trialsync__stg_subject_statuses') }}
    where is_present and event_at is not null
    order by source_instance_id, study_id, subject_id, status, event_at, event_sent
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

placed as (
    select
        *,
        {{ effective_moment('event_date') }} as effective_at,
        row_number() over timeline as sequence,
        lag(status) over timeline as previous_status,
        lag(event_date) over timeline as previous_event_date,
        lead(event_date) over timeline as next_event_date,
        lead(event_at) over timeline is null as is_last
    from events
    window timeline as (
        partition by source_instance_id, study_id, subject_id
        order by event_at, is_current_status, status_rank, status
    )
)

select
    placed.source_instance_id,
    placed.study_id,
    placed.subject_id,
    {{ dimension_key('studies') }} as study_key,
    {{ dimension_key('sites') }} as site_key,
    {{ dimension_key('subjects') }} as subject_key,
    placed.site_id,
    placed.event_at,
    placed.event_date,
    placed.sequence::integer as sequence,
    placed.previous_status,
    placed.status,
    placed.event_date - placed.previous_event_date as days_in_previous_status,
    placed.next_event_date,
    placed.is_current_status,
    placed.is_last
from placed
{{
    join_dimension(
        'studies', ['source_instance_id', 'study_id'], ['placed.source_instance_id', 'placed.study_id'],
        moment='placed.effective_at',
    )
}}
{{
    join_dimension(
        'sites', ['source_instance_id', 'site_id'], ['placed.source_instance_id', 'placed.site_id'],
        moment='placed.effective_at',
    )
}}
{{
    join_dimension(
        'subjects', ['source_instance_id', 'study_id', 'subject_id'],
        ['placed.source_instance_id', 'placed.study_id', 'placed.subject_id'],
        moment='placed.effective_at',
    )
}}
where {{ in_window('placed.event_date') }}
