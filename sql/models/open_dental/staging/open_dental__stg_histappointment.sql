-- One row per change of an appointment, with the appointment as it was after it. The warehouse keeps rows that the
-- source has purged.

with

events as (
    select * from {{ source('open_dental', 'histappointment') }}
)

select
    histapptnum as appointment_event_num,
    histdatetstamp as happened_at,
    histapptaction as action_code,
    {{ enum_name('HistAppointmentAction', 'histapptaction') }} as action,
    {{ foreign_key('histusernum') }} as user_num,
    apptsource as source_code,
    {{ enum_name('EServiceTypes', 'apptsource') }} as source,
    {{ appointment_columns() }}
from events
