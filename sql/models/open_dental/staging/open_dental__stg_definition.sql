-- One row per definition: the practice's own lists, told apart by their category.

with

definitions as (
    select * from {{ source('open_dental', 'definition') }}
)

select
    defnum as definition_num,
    category as category_code,
    {{ enum_name('DefCat', 'category') }} as category,
    {{ cleaned('itemname') }} as item_name,
    {{ cleaned('itemvalue') }} as item_value,
    itemorder as item_order,
    {{ flag('ishidden') }} as is_hidden
from definitions
