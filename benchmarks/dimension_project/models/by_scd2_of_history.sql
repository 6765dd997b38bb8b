{#- All that was ever said of a member, at each build, as a dimension made of kept documents says it. -#}
{{ config(materialized='scd2', natural_key='member_id', effective_at='changed_at') }}

select * from benchmark.members
union all
select * from benchmark.former
