-- One row per clinic, whether it has a name or none. A price that is no number (NaN) is null, and has_unusable_price
-- says so.

{{ config(alias='lacreisaude_clinic', unique_key='clinic_id') }}

with

clinics as (
    {{
        staged(
            'lacreisaude_clinic',
            [
                'id', 'professional_id', 'is_presential_clinic', 'is_online_clinic', 'zip_code', 'city', 'state_id',
                'consult_price', 'duration_minutes', 'accepts_insurance_providers', 'provides_accessibility_standards',
                'online_clinic_consult_price', 'online_clinic_duration_minutes',
                'online_clinic_accepts_insurance_providers', 'created_at', 'updated_at',
            ],
            key='id',
        ) | indent(4)
    }}
)

select
    id::text as clinic_id,
    professional_id::text as professional_id,
    {{ truth('is_presential_clinic') }} as is_presential_clinic,
    {{ truth('is_online_clinic') }} as is_online_clinic,
    case
        when length(regexp_replace(zip_code::text, '\D', '', 'g')) = 8
            then left(regexp_replace(zip_code::text, '\D', '', 'g'), 3)
    end as zip3,
    {{ cleaned('city::text') }} as city,
    {{ vocabulary_id('state_id') }} as state_id,
    {{ price('consult_price') }} as consult_price,
    duration_minutes::integer as duration_minutes,
    {{ truth('accepts_insurance_providers') }} as accepts_insurance_providers,
    {{ truth('provides_accessibility_standards') }} as provides_accessibility_standards,
    {{ price('online_clinic_consult_price') }} as online_clinic_consult_price,
    online_clinic_duration_minutes::integer as online_clinic_duration_minutes,
    {{ truth('online_clinic_accepts_insurance_providers') }} as online_clinic_accepts_insurance_providers,
    {{ is_no_number('consult_price') }} or {{ is_no_number('online_clinic_consult_price') }} as has_unusable_price,
    {{ finite('created_at') }} as created_at,
    {{ finite('updated_at') }} as updated_at
from clinics
