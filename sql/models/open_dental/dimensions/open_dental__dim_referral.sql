-- One row per referrer and version of it; -1 is the referrer nobody knows, and none.

{{ config(natural_key='referral_num') }}

with

referrals as (
    select * from {{ ref('open_dental__stg_referral') }}
),

definitions as (
    select * from {{ ref('open_dental__stg_definition') }}
)

select
    referrals.referral_num,
    referrals.last_name,
    referrals.first_name,
    referrals.business_name,
    referrals.patient_num,
    referrals.specialty_num,
    definitions.item_name as specialty,
    referrals.is_doctor,
    referrals.is_patient,
    referrals.is_person,
    referrals.is_preferred,
    referrals.is_hidden,
    false as is_gone,
    referrals.changed_at as effective_at
from referrals
left join definitions on referrals.specialty_num = definitions.definition_num
