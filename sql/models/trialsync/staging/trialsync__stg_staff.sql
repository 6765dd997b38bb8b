-- One row per member of the staff that an instance has, or had.

with

documents as (
    select
        *,
        data as raw_data
    from {{ source('trialsync_staging', 'dim_staff_staging') }}
)

select
    source_instance_id,
    entity_id as staff_id,
    {{ json_field('uid', 'uuid') }} as staff_uid,
    {{ json_field('displayName') }} as display_name,
    {{ json_field('firstName') }} as first_name,
    {{ json_field('lastName') }} as last_name,
    {{ json_field('profession') }} as profession,
    {{ json_field('login') }} as login,
    {{ json_field('email') }} as email,
    {{ json_field('isStatusActive', 'boolean') }} as is_active,
    {{ json_field('isStaffExternal', 'boolean') }} as is_external,
    {{ is_in_its_list() }} as is_present,
    loaded_at,
    vanished_at
from documents
