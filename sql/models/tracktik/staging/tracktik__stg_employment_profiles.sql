-- One row per employment profile and version: whether and by which rule the employee's overtime is paid.

with

documents as (
    select * from {{ source('tracktik_staging', 'employment_profiles') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as employment_profile_id,
    {{ json_relation('employee') }} as employee_id,
    coalesce({{ json_field('overtimeExempt', 'boolean') }}, false) as is_overtime_exempt,
    {{ json_relation('overtimeRule') }} as overtime_rule_id,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
