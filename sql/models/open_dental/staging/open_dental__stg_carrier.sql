-- One row per insurance carrier.

with

carriers as (
    select * from {{ source('open_dental', 'carrier') }}
)

select
    carriernum as carrier_num,
    {{ cleaned('carriername') }} as name,
    {{ cleaned('electid') }} as electronic_id,
    {{ flag('ishidden') }} as is_hidden,
    secdatetedit as changed_at
from carriers
