-- One row per professional and version of what is known of them; -1 is the professional nobody knows. Two of one name
-- and state are two: nobody is known here by a name.

{{ config(natural_key='professional_key') }}

with

professionals as (
    select * from {{ ref('lacrei_saude__stg_lacreisaude_professional') }}
    where professional_key is not null
),

professions as (
    select * from {{ ref('lacrei_saude__stg_lacreisaude_profession') }}
),

states as (
    select * from {{ ref('lacrei_saude__stg_address_state') }}
)

select
    professionals.professional_key,
    professionals.profile_type,
    professionals.profile_status,
    professionals.active,
    professionals.published,
    professions.name as profession,
    professionals.specialty,
    states.code as state,
    professionals.ethnic_group,
    professionals.gender_identity,
    professionals.sexual_orientation,
    professionals.pronoun,
    professionals.disability_types,
    false as is_gone,
    professionals.updated_at as effective_at
from professionals
left join professions on professionals.profession_id = professions.profession_id
left join states on professionals.state_id = states.state_id
