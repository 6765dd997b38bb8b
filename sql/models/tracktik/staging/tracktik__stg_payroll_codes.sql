-- One row per payroll code and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'payroll_codes') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as payroll_code_id,
    {{ json_field('code') }} as code,
    {{ json_field('name') }} as name,
    {{ json_field('type') }} as code_type,
    {{ json_field('multiplier', 'numeric(6, 4)') }} as multiplier,
    {{ json_field('payable', 'boolean') }} as is_payable,
    {{ json_field('billable', 'boolean') }} as is_billable,
    {{ json_field('impactsOvertime', 'boolean') }} as impacts_overtime,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
