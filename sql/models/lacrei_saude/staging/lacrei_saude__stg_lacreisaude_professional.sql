-- One row per professional, with what they say of themselves, as codes.

{{ config(alias='lacreisaude_professional', unique_key='professional_id') }}

with

professionals as (
    {{
        staged(
            'lacreisaude_professional',
            [
                'id', 'user_id', 'profile_status', 'active', 'published', 'specialty', 'profession_id', 'state_id',
                'privacy_document_id', 'created_at', 'updated_at',
                'ethnic_group', 'gender_identity', 'sexuality', 'pronoun', 'disability_types',
                'ethnic_group_id', 'gender_identity_id', 'sexual_orientation_id', 'pronoun_id',
            ],
            key='id',
            unless={
                'ethnic_group_id': 'ethnic_group', 'gender_identity_id': 'gender_identity',
                'sexual_orientation_id': 'sexuality', 'pronoun_id': 'pronoun',
            },
        ) | indent(4)
    }}
),

disability_rows as (
    {{
        staged(
            'lacreisaude_professional_disability_types', ['professional_id', 'disabilitytype_id'],
            unless_in=['lacreisaude_professional', 'disability_types'],
        ) | indent(4)
    }}
),

documents as (
    {{ staged('lacreiid_privacydocument', ['id', 'profile_type'], key='id') | indent(4) }}
),

person_keys as (
    {{ staged('etl_person_key', ['subject', 'subject_id', 'person_key']) | indent(4) }}
),

{{ known_answers() }},

disabilities as (
    select
        professional_id::text as professional_id,
        array_agg(disabilitytype_id::text) as answers
    from disability_rows
    group by 1
)

select
    professionals.id::text as professional_id,
    person_keys.person_key as professional_key,
    professionals.user_id::text as user_id,
    lower({{ cleaned('professionals.profile_status::text') }}) as profile_status,
    {{ truth('professionals.active') }} as active,
    {{ truth('professionals.published') }} as published,
    {{ cleaned('professionals.specialty::text') }} as specialty,
    {{ vocabulary_id('professionals.profession_id') }} as profession_id,
    {{ vocabulary_id('professionals.state_id') }} as state_id,
    {{ conformed_profile_type('documents.profile_type::text') }} as profile_type,
    {{ answer_code('ethnic_group', 'coalesce(professionals.ethnic_group::text, professionals.ethnic_group_id::text)') }}
        as ethnic_group,
    {{
        answer_code(
            'gender_identity',
            'coalesce(professionals.gender_identity::text, professionals.gender_identity_id::text)',
        )
    }} as gender_identity,
    {{
        answer_code(
            'sexual_orientation', 'coalesce(professionals.sexuality::text, professionals.sexual_orientation_id::text)'
        )
    }} as sexual_orientation,
    {{ answer_code('pronoun', 'coalesce(professionals.pronoun::text, professionals.pronoun_id::text)') }} as pronoun,
    {{ answer_codes('disability_type', 'coalesce(professionals.disability_types::text[], disabilities.answers)') }}
        as disability_types,
    {{ finite('professionals.created_at') }} as created_at,
    {{ finite('professionals.updated_at') }} as updated_at
from professionals
cross join codes
left join disabilities on professionals.id::text = disabilities.professional_id
left join documents on {{ vocabulary_id('professionals.privacy_document_id') }} = {{ vocabulary_id('documents.id') }}
left join person_keys on person_keys.subject = 'professional' and professionals.id::text = person_keys.subject_id
