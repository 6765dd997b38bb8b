-- One row per entry of the audit trail. Its text is not taken. The warehouse keeps rows that the source has purged.

with

entries as (
    select * from {{ source('open_dental', 'securitylog') }}
)

select
    securitylognum as security_log_num,
    permtype as permission_code,
    {{ decoded('EnumPermType', 'permtype') }} as permission,
    {{ reference_to('usernum') }} as user_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ real_moment('logdatetime') }} as logged_at,
    {{ real_moment('datetprevious') }} as previous_at,
    {{ cleaned('compname') }} as computer,
    {{ reference_to('fkey') }} as about_num,
    logsource as source_code,
    {{ decoded('LogSources', 'logsource') }} as source
from entries
