-- One row per communication with or about a patient. Its note is not taken.

with

communications as (
    select * from {{ source('open_dental', 'commlog') }}
)

select
    commlognum as communication_num,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('usernum') }} as user_num,
    {{ foreign_key('referralnum') }} as referral_num,
    {{ foreign_key('commtype') }} as communication_type_num,
    {{ non_zero_timestamp('commdatetime') }} as began_at,
    {{ non_zero_timestamp('datetimeend') }} as ended_at,
    mode_ as mode_code,
    {{ enum_name('CommItemMode', 'mode_') }} as mode,
    sentorreceived as direction_code,
    {{ enum_name('CommSentOrReceived', 'sentorreceived') }} as direction,
    commsource as source_code,
    {{ enum_name('CommItemSource', 'commsource') }} as source,
    {{ non_zero_timestamp('datetentry') }} as entered_at,
    datetstamp as changed_at
from communications
