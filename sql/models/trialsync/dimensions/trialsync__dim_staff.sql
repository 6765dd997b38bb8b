-- One row per member of the staff, as they are now, and one more of the time since they are gone; -1 is nobody.

{{ config(natural_key=['source_instance_id', 'staff_id'], tracked=['is_deleted']) }}

with

versions as (
    {{ record_versions(ref('trialsync__stg_staff')) }}
)

select
    source_instance_id,
    staff_id,
    staff_uid,
    display_name,
    first_name,
    last_name,
    profession,
    login,
    email,
    is_active,
    is_external,
    is_deleted,
    effective_at
from versions
