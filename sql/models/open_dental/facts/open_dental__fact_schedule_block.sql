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
    {{ members_of(ref('open_dental__dim_provider'), 'provider_num') }}
),

operatories as (
    {{ members_of(ref('open_dental__dim_operatory'), 'operatory_num') }}
),

placed as (
    select
        entries.*,
        {{ moment_of('entries.schedule_date') }} as counts_at,
        coalesce(links.operatory_num, chairs.operatory_num, 0) as operatory_num
    from entries
    left join links on entries.schedule_num = links.schedule_num
    left join chairs
        on links.schedule_num is null
        and entries.provider_num in (chairs.dentist_num, chairs.hygienist_num)
)

select
    placed.schedule_num,
    placed.operatory_num,
    placed.schedule_date,
    coalesce(providers.surrogate_key, -1) as provider_key,
    coalesce(operatories.surrogate_key, -1) as operatory_key,
    placed.provider_num,
    coalesce(operatories.clinic_num, placed.clinic_num) as clinic_num,
    placed.start_time,
    placed.stop_time,
    greatest(extract(epoch from placed.stop_time - placed.start_time) / 60, 0)::integer as open_minutes
from placed
left join providers
    on placed.provider_num = providers.provider_num
    and {{ in_force_at('providers', 'placed.counts_at') }}
left join operatories
    on placed.operatory_num = operatories.operatory_num
    and {{ in_force_at('operatories', 'placed.counts_at') }}
