-- One row per entry of the schedule: a provider's hours, a holiday, a blockout.

with

entries as (
    select * from {{ source('open_dental', 'schedule') }}
)

select
    schedulenum as schedule_num,
    {{ non_zero_date('scheddate') }} as schedule_date,
    starttime as start_time,
    stoptime as stop_time,
    schedtype as schedule_type_code,
    {{ enum_name('ScheduleType', 'schedtype') }} as schedule_type,
    status as status_code,
    {{ enum_name('SchedStatus', 'status') }} as status,
    {{ foreign_key('provnum') }} as provider_num,
    {{ foreign_key('blockouttype') }} as blockout_type_num,
    {{ foreign_key('employeenum') }} as employee_num,
    coalesce(clinicnum, 0) as clinic_num,
    case when schedtype = 0 then {{ cleaned('note') }} end as note,
    datetstamp as changed_at
from entries
