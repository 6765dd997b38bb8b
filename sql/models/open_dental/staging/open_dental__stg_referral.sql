-- One row per referrer.

with

referrals as (
    select * from {{ source('open_dental', 'referral') }}
)

select
    referralnum as referral_num,
    {{ cleaned('lname') }} as last_name,
    {{ cleaned('fname') }} as first_name,
    {{ cleaned('businessname') }} as business_name,
    {{ foreign_key('patnum') }} as patient_num,
    {{ foreign_key('specialty') }} as specialty_num,
    {{ flag('isdoctor') }} as is_doctor,
    {{ foreign_key('patnum') }} is not null as is_patient,
    not {{ flag('notperson') }} as is_person,
    {{ flag('ispreferred') }} as is_preferred,
    {{ flag('ishidden') }} as is_hidden,
    datetstamp as changed_at
from referrals
