-- One row per report, a rating of an appointment, and version of it; -1 is the report nobody knows. Its words are not
-- taken.

{{ config(natural_key='report_id') }}

with

reports as (
    select * from {{ ref('lacrei_saude__stg_lacreiid_report') }}
)

select
    report_id,
    appointment_id,
    created_by,
    evaluation,
    created_at as reported_at,
    false as is_gone,
    updated_at as effective_at
from reports
