-- One row per employee and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'employees') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as employee_id,
    {{ json_field('customId') }} as custom_id,
    {{ json_field('firstName') }} as first_name,
    {{ json_field('lastName') }} as last_name,
    {{ json_field('jobTitle') }} as job_title,
    {{ json_field('email') }} as email,
    {{ json_field('primaryPhone') }} as phone,
    {{ json_relation('region') }} as region_id,
    case when versions.is_deleted then 'DELETED' else upper({{ json_field('status') }}) end as status,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
