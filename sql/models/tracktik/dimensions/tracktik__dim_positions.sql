-- One row per position and version of it, with how it was billed and paid; -1 is the position nobody knows.
-- The client's name is the one it had at the time.

{{ config(natural_key='position_id', window_from=['tracktik__stg_shifts']) }}

with

positions as (
    select * from {{ ref('tracktik__stg_positions') }}
),

clients as (
    select * from {{ ref('tracktik__stg_clients') }}
),

shifts as (
    select * from {{ ref('tracktik__stg_shifts') }}
    where {{ in_overtime_window('shift_date') }}
),

-- Positions with the name of their client, whenever either changed.
described as (
    select
        positions.*,
        clients.name as client_name,
        clients.custom_id as client_custom_id,
        greatest(positions.effective_at, clients.in_force_from) as known_at
    from positions
    left join clients
        on positions.client_id = clients.client_id
        and {{ described_by('positions', 'clients') }}
),

referenced_ids as (
    select
        position_id,
        started_at as referenced_at
    from shifts
),

inferred as (
    {{ inferred_members('position_id', referenced='referenced_ids', described='positions') }}
)

-- The full join matches nothing: it appends the inferred members, by name.
select
    position_id,
    described.custom_id,
    described.name,
    described.client_id,
    described.status,
    described.position_type,
    described.client_name,
    described.client_custom_id,
    described.contract_id,
    described.non_billable,
    described.bill_rate,
    described.discount_rate,
    described.bill_breaks,
    described.bill_overtime_rule_id,
    described.bill_holiday,
    described.bill_holiday_rate,
    described.bill_holiday_multiplier,
    described.bill_holiday_group_id,
    described.pay_rate,
    described.pay_breaks,
    described.pay_holiday,
    described.pay_holiday_rate,
    described.pay_holiday_multiplier,
    described.pay_holiday_group_id,
    inferred.position_id is not null as is_inferred,
    known_at as effective_at
from described
full join inferred using (position_id, known_at)
