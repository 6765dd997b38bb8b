-- One row per communication with or about a patient. Its note is not taken.

with

communications as (
    select * from {{ source('open_dental', 'commlog') }}
)

select
    commlognum as communication_num,
    {{ reference_to('patnum') }} as patient_num,
    {{ reference_to('usernum') }} as user_num,
    {{ reference_to('referralnum') }} as referral_num,
    {{ reference_to('commtype') }} as communication_type_num,
    {{ real_moment('commdatetime') }} as began_at,
    {{ real_moment('datetimeend') }} as ended_at,
    mode_ as mode_code,
    {{ decoded('CommItemMode', 'mode_') }} as mode,
    sentorreceived as direction_code,
    {{ decoded('CommSentOrReceived', 'sentorreceived') }} as direction,
    commsource as source_code,
    {{ decoded('CommItemSource', 'commsource') }} as source,
    {{ real_moment('datetentry') }} as entered_at,
    datetstamp as changed_at
from communications
