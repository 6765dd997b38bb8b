-- One row per fee schedule.

with

schedules as (
    select * from {{ source('open_dental', 'feesched') }}
)

select
    feeschednum as fee_schedule_num,
    {{ cleaned('description') }} as name,
    feeschedtype as fee_schedule_type_code,
    {{ enum_name('FeeScheduleType', 'feeschedtype') }} as fee_schedule_type,
    {{ flag('ishidden') }} as is_hidden,
    {{ flag('isglobal') }} as is_global,
    secdatetedit as changed_at
from schedules
