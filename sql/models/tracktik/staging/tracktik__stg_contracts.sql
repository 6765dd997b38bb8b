-- One row per contract and version.

with

documents as (
    select * from {{ source('tracktik_staging', 'contracts') }}
),

versions as (
    {{ document_versions('documents') }}
)

select
    versions.id as contract_id,
    {{ json_field('customId') }} as custom_id,
    {{ json_field('name') }} as name,
    {{ json_relation('account') }} as client_id,
    {{ json_field('billingFrequency') }} as billing_frequency,
    {{ json_field('billingFrequencyType') }} as billing_frequency_type,
    {{ json_field('billingStartDate', 'date') }} as billing_start_date,
    {{ json_field('paymentTerms') }} as payment_terms,
    {{ json_field('serviceStartDate', 'date') }} as service_start_date,
    {{ json_field('serviceEndDate', 'date') }} as service_end_date,
    case when versions.is_deleted then 'DELETED' else upper({{ json_field('status') }}) end as status,
    versions.is_deleted,
    versions.effective_at,
    versions.in_force_from,
    versions.in_force_to
from versions
