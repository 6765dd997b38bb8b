-- One row per state, with the clock of it.

{{ config(alias='address_state', unique_key='state_id') }}

with

states as (
    {{ staged('address_state', ['id', 'name', 'code', 'active'], key='id') | indent(4) }}
),

zones as (
    select * from {{ ref('lacrei_saude__state_time_zone') }}
    where city is null
)

select
    {{ vocabulary_id('states.id') }} as state_id,
    upper({{ cleaned('states.code::text') }}) as code,
    {{ cleaned('states.name::text') }} as name,
    {{ truth('states.active') }} as active,
    zones.time_zone
from states
left join zones on upper({{ cleaned('states.code::text') }}) = zones.state
