-- One row per profile: what an account says of the person, as codes.

{{ config(alias='lacreiid_profile', unique_key='profile_id') }}

with

profiles as (
    {{
        staged(
            'lacreiid_profile',
            [
                'id', 'user_id', 'completed', 'created_at', 'updated_at',
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
            'lacreiid_profile_disability_types', ['profile_id', 'disabilitytype_id'],
            unless_in=['lacreiid_profile', 'disability_types'],
        ) | indent(4)
    }}
),

{{ known_answers() }},

disabilities as (
    select
        profile_id::text as profile_id,
        array_agg(disabilitytype_id::text) as answers
    from disability_rows
    group by 1
)

select
    profiles.id::text as profile_id,
    profiles.user_id::text as user_id,
    {{ truth('profiles.completed') }} as completed,
    {{ answer_code('ethnic_group', 'coalesce(profiles.ethnic_group::text, profiles.ethnic_group_id::text)') }}
        as ethnic_group,
    {{ answer_code('gender_identity', 'coalesce(profiles.gender_identity::text, profiles.gender_identity_id::text)') }}
        as gender_identity,
    {{ answer_code('sexual_orientation', 'coalesce(profiles.sexuality::text, profiles.sexual_orientation_id::text)') }}
        as sexual_orientation,
    {{ answer_code('pronoun', 'coalesce(profiles.pronoun::text, profiles.pronoun_id::text)') }} as pronoun,
    {{ answer_codes('disability_type', 'coalesce(profiles.disability_types::text[], disabilities.answers)') }}
        as disability_types,
    {{ finite('profiles.created_at') }} as created_at,
    {{ finite('profiles.updated_at') }} as updated_at
from profiles
cross join codes
left join disabilities on profiles.id::text = disabilities.profile_id
