-- Sums of a mart that are not those of the fact it was made of.

{{ config(meta={'dagster': {'ref': {'name': 'operating_room__mart_monthly_by_service'}}}) }}

with

cases as (
    select * from {{ ref('operating_room__fact_case') }}
    where is_performed
),

facts as (
    select
        count(*) as cases,
        sum(in_room_minutes) as minutes,
        count(*) filter (where scheduled_minutes is not null) as booked_cases,
        count(*) filter (where room_id is not null) as cases_in_rooms
    from cases
),

first_cases as (
    select count(*) as first_cases from {{ ref('operating_room__fact_first_case_start') }}
    where is_on_time is not null
),

turnovers as (
    select count(*) as turnovers from {{ ref('operating_room__fact_turnover') }}
    where is_counted
),

blocks as (
    select sum(available_minutes) as minutes from {{ ref('operating_room__fact_block_utilization') }}
    where is_measured
),

cancellations as (
    select count(*) as cancellations from {{ ref('operating_room__fact_cancellation') }}
),

by_service as (
    select
        sum(cases) as cases,
        sum(in_room_minutes) as minutes,
        sum(first_cases) as first_cases,
        sum(turnovers) as turnovers,
        sum(canceled_cases) as cancellations
    from {{ ref('operating_room__mart_monthly_by_service') }}
),

by_surgeon as (
    select
        sum(cases) as cases,
        sum(in_room_minutes) as minutes
    from {{ ref('operating_room__mart_monthly_by_surgeon') }}
),

by_room as (
    select
        sum(turnovers) as turnovers,
        sum(first_cases) as first_cases
    from {{ ref('operating_room__mart_monthly_by_room') }}
),

by_owner as (
    select sum(available_minutes) as minutes from {{ ref('operating_room__mart_monthly_by_block_owner') }}
),

accuracy as (
    select sum(cases) as cases from {{ ref('operating_room__mart_schedule_accuracy') }}
),

board as (
    select sum(performed_cases) as cases from {{ ref('operating_room__mart_daily_board') }}
),

compared as (
    select
        sums.what,
        coalesce(sums.of_fact, 0) as of_fact,
        coalesce(sums.of_mart, 0) as of_mart
    from facts
    cross join first_cases
    cross join turnovers
    cross join blocks
    cross join cancellations
    cross join by_service
    cross join by_surgeon
    cross join by_room
    cross join by_owner
    cross join accuracy
    cross join board
    cross join lateral (
        values
        ('cases by service', facts.cases, by_service.cases),
        ('minutes by service', facts.minutes, by_service.minutes),
        ('first cases by service', first_cases.first_cases, by_service.first_cases),
        ('turnovers by service', turnovers.turnovers, by_service.turnovers),
        ('cancellations by service', cancellations.cancellations, by_service.cancellations),
        ('cases by surgeon', facts.cases, by_surgeon.cases),
        ('minutes by surgeon', facts.minutes, by_surgeon.minutes),
        ('turnovers by room', turnovers.turnovers, by_room.turnovers),
        ('first cases by room', first_cases.first_cases, by_room.first_cases),
        ('block minutes by owner', blocks.minutes, by_owner.minutes),
        ('booked cases by procedure', facts.booked_cases, accuracy.cases),
        ('cases on the board', facts.cases_in_rooms, board.cases)
    ) as sums (what, of_fact, of_mart)
)

select * from compared
where of_fact <> of_mart
