-- One row per entry of the audit trail. Its text is not taken. The warehouse keeps rows that the source has purged.

with

entries as (
    select * from {{ source('open_dental', 'securitylog') }}
)

select
    securitylognum as security_log_num,
    permtype as permission_code,
    {{ enum_name('EnumPermType', 'permtype') }} as permission,
    {{ foreign_key('usernum') }} as user_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ non_zero_timestamp('logdatetime') }} as logged_at,
    {{ non_zero_timestamp('datetprevious') }} as previous_at,
    {{ cleaned('compname') }} as computer,
    {{ foreign_key('fkey') }} as about_num,
    logsource as source_code,
    {{ enum_name('LogSources', 'logsource') }} as source
from entries
