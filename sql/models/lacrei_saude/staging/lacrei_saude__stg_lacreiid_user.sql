-- One row per account. A patient is an account, by its pseudonym.

{{ config(alias='lacreiid_user', unique_key='user_id') }}

with

users as (
    {{
        staged(
            'lacreiid_user',
            ['id', 'birth_date', 'is_active', 'logged_as', 'privacy_document_id', 'created_at', 'updated_at'],
            key='id',
        ) | indent(4)
    }}
),

documents as (
    {{ staged('lacreiid_privacydocument', ['id', 'profile_type'], key='id') | indent(4) }}
),

person_keys as (
    {{ staged('etl_person_key', ['subject', 'subject_id', 'person_key']) | indent(4) }}
)

select
    users.id::text as user_id,
    person_keys.person_key as patient_key,
    {{ finite('users.birth_date', 'date') }} as birth_date,
    {{ truth('users.is_active') }} as is_active,
    lower({{ cleaned('users.logged_as::text') }}) as logged_as,
    {{ vocabulary_id('users.privacy_document_id') }} as privacy_document_id,
    {{ conformed_profile_type('documents.profile_type::text') }} as profile_type,
    {{ finite('users.created_at') }} as created_at,
    {{ finite('users.updated_at') }} as updated_at
from users
left join documents on {{ vocabulary_id('users.privacy_document_id') }} = {{ vocabulary_id('documents.id') }}
left join person_keys on person_keys.subject = 'patient' and users.id::text = person_keys.subject_id
