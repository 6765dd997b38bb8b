-- One row per entry of a provider's hours and operatory that they are in. An entry that names no operatory is for those
-- that the provider has by default; operatory 0 where there is none.

{{ config(unique_key=['schedule_num', 'operatory_num'], indexes=[{'columns': ['schedule_date']}]) }}

with

entries as (
    select * from {{ ref('open_dental__stg_schedule') }}
    where schedule_type = 'Provider' and schedule_date is not null
),

links as (
    select distinct
        schedule_num,
        operatory_num
    from {{ ref('open_dental__stg_scheduleop') }}
    where operatory_num <> 0
),

chairs as (
    select * from {{ ref('open_dental__stg_operatory') }}
    where not is_hidden
),

providers as (
    {{ dimension_versions(ref('open_dental__dim_provider'), 'provider_num') }}
),

operatories as (
    {{ dimension_versions(ref('open_dental__dim_operatory'), 'operatory_num') }}
),

blocks as (
    select
        entries.*,
        {{ effective_moment('entries.schedule_date') }} as effective_at,
        coalesce(links.operatory_num, chairs.operatory_num, 0) as operatory_num
    from entries
    left join links on entries.schedule_num = links.schedule_num
    left join chairs
        on links.schedule_num is null
        and entries.provider_num in (chairs.dentist_num, chairs.hygienist_num)
)

select
    blocks.schedule_num,
    blocks.operatory_num,
    blocks.schedule_date,
    {{ dimension_key('providers') }} as provider_key,
    {{ dimension_key('operatories') }} as operatory_key,
    blocks.provider_num,
    coalesce(operatories.clinic_num, blocks.clinic_num) as clinic_num,
    blocks.start_time,
    blocks.stop_time,
    greatest(extract(epoch from blocks.stop_time - blocks.start_time) / 60, 0)::integer as open_minutes
from blocks
{{ join_dimension('providers', 'provider_num', 'blocks.provider_num', moment='blocks.effective_at') }}
{{ join_dimension('operatories', 'operatory_num', 'blocks.operatory_num', moment='blocks.effective_at') }}
