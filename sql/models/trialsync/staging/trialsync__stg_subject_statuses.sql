-- One row per subject, status and moment at which the subject came to it: a record without an id of its own.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_subject_statuses_staging') }}
)

select
    source_instance_id,
    study_id,
    subject_id,
    status,
    event_date as event_sent,
    {{ json_moment('eventDate') }} as event_at,
    {{ json_field('eventDate', 'date') }} as event_date,
    {{ json_field('site.id', 'bigint') }} as site_id,
    {{ json_field('isCurrentStatus', 'boolean') }} as is_current_status,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
