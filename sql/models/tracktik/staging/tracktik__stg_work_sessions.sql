-- One row per clock-in, those that the source deleted left out.

{{ config(tags=['periodic']) }}

with

documents as (
    select * from {{ source('tracktik_staging', 'work_sessions') }}
    where {{ is_not_deleted() }}
)

select
    documents.id as work_session_id,
    {{ json_relation('shift') }} as shift_id,
    {{ json_relation('employee') }} as employee_id,
    {{ json_relation('position') }} as position_id,
    documents.slice as session_date,
    span.started_at,
    span.ended_at,
    {{ hours_between('span.started_at', 'span.ended_at') }} as session_hours,
    upper({{ json_field('status') }}) as status,
    {{ json_field('clockInMethod') }} as clock_in_method,
    {{ json_field('clockOutMethod') }} as clock_out_method
from documents
-- `limit 1` has the moments worked out once a row; without it PostgreSQL would do so at every mention.
inner join lateral (
    select
        {{ json_field('startedOn', 'timestamptz') }} as started_at,
        {{ json_field('endedOn', 'timestamptz') }} as ended_at
    limit 1
) as span on true
