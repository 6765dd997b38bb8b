-- One row per clinic and version of it; -1 is the clinic nobody knows. Clinics are known by their keys, and their names
-- are not taken: two may be called alike in one city, and some have no name.

{{
    config(
        natural_key='clinic_id',
        tracked=[
            'is_presential_clinic', 'is_online_clinic', 'city', 'state', 'zip3', 'time_zone', 'consult_price',
            'duration_minutes', 'accepts_insurance_providers', 'provides_accessibility_standards',
            'online_clinic_consult_price', 'online_clinic_duration_minutes',
            'online_clinic_accepts_insurance_providers',
        ],
        post_hook=["{{ overwrite_in_all_versions('professional_key') }}"],
    )
}}

with

clinics as (
    select * from {{ ref('lacrei_saude__stg_lacreisaude_clinic') }}
),

professionals as (
    select * from {{ ref('lacrei_saude__stg_lacreisaude_professional') }}
),

states as (
    select * from {{ ref('lacrei_saude__stg_address_state') }}
),

zones as (
    select * from {{ ref('lacrei_saude__state_time_zone') }}
    where city is not null
)

select
    clinics.clinic_id,
    professionals.professional_key,
    clinics.is_presential_clinic,
    clinics.is_online_clinic,
    clinics.city,
    states.code as state,
    clinics.zip3,
    coalesce(zones.time_zone, states.time_zone, {{ network_time_zone() }}) as time_zone,
    clinics.consult_price,
    clinics.duration_minutes,
    clinics.accepts_insurance_providers,
    clinics.provides_accessibility_standards,
    clinics.online_clinic_consult_price,
    clinics.online_clinic_duration_minutes,
    clinics.online_clinic_accepts_insurance_providers,
    false as is_gone,
    clinics.updated_at as effective_at
from clinics
left join professionals on clinics.professional_id = professionals.professional_id
left join states on clinics.state_id = states.state_id
left join zones
    on states.code = zones.state
    and {{ plain_text('clinics.city') }} = {{ plain_text('zones.city') }}
