-- One row per position and version of it, with how it was billed and paid; -1 is the position nobody knows.
-- The client's name is the one it had at the time.

{{ config(natural_key='position_id') }}

with

positions as (
    select * from {{ ref('tracktik__stg_positions') }}
),

clients as (
    select * from {{ ref('tracktik__stg_clients') }}
),

shifts as (
    select * from {{ ref('tracktik__stg_shifts') }}
    where {{ in_work_weeks('shift_date') }}
),

known as (
    select
        positions.*,
        clients.name as client_name,
        clients.custom_id as client_custom_id,
        greatest(positions.effective_at, clients.in_force_from) as known_at
    from positions
    left join clients
        on positions.client_id = clients.client_id
        and {{ in_force_together('positions', 'clients') }}
),

met as (
    select
        position_id,
        min(started_at) as known_at
    from shifts
    where
        position_id is not null
        and started_at is not null
        and position_id not in (select positions.position_id from positions)
    group by position_id
)

select
    position_id,
    known.custom_id,
    known.name,
    known.client_id,
    known.status,
    known.position_type,
    known.client_name,
    known.client_custom_id,
    known.contract_id,
    known.non_billable,
    known.bill_rate,
    known.discount_rate,
    known.bill_breaks,
    known.bill_overtime_rule_id,
    known.bill_holiday,
    known.bill_holiday_rate,
    known.bill_holiday_multiplier,
    known.bill_holiday_group_id,
    known.pay_rate,
    known.pay_breaks,
    known.pay_overtime_rule_id,
    known.pay_holiday,
    known.pay_holiday_rate,
    known.pay_holiday_multiplier,
    known.pay_holiday_group_id,
    met.position_id is not null as is_inferred,
    known_at as effective_at
from known
full join met using (position_id, known_at)
