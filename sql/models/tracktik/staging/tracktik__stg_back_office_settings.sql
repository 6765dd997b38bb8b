-- One row per settings of a region's back office and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'back_office_settings') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as back_office_setting_id,
    {{ json_relation('region') }} as region_id,
    {{ json_relation('payrollOvertimeRule') }} as pay_overtime_rule_id,
    {{ json_field('payrollOvertimeDayOfWeek') }} as work_week_begins_on,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
