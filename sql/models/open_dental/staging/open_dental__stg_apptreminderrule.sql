-- One row per rule by which patients are reminded.

with

rules as (
    select * from {{ source('open_dental', 'apptreminderrule') }}
)

select
    apptreminderrulenum as reminder_rule_num,
    typecur as reminder_type_code,
    {{ enum_name('ApptReminderType', 'typecur') }} as reminder_type,
    {{ ticks_to_interval('tsprior') }} as time_before,
    {{ ticks_to_interval('donotsendwithin') }} as not_within,
    coalesce(clinicnum, 0) as clinic_num,
    {{ flag('isenabled') }} as is_enabled,
    {{ flag('issendall') }} as is_sent_by_all_ways
from rules
