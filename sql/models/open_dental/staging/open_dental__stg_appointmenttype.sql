-- One row per type of appointment.

with

types as (
    select * from {{ source('open_dental', 'appointmenttype') }}
)

select
    appointmenttypenum as appointment_type_num,
    {{ cleaned('appointmenttypename') }} as name,
    {{ pattern_minutes('pattern') }} as minutes,
    {{ flag('ishidden') }} as is_hidden
from types
