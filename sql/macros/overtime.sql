{#- Of a shift's hours, those beyond an item's threshold, where `so_far` are the hours up to and with this shift. -#}
{%- macro hours_beyond(item, hours, so_far) -%}
    {#- All that lies beyond the threshold by the end of the shift, less what did before it. -#}
    (
        greatest({{ so_far }} - {{ item }}.threshold_hours, 0)
        - greatest({{ so_far }} - {{ hours }} - {{ item }}.threshold_hours, 0)
    )
{%- endmacro -%}

{#- Over the items of a rule: hours that are overtime, which are those beyond the lowest threshold. -#}
{%- macro overtime_hours(item, hours, so_far) -%}
    sum({{ hours_beyond(item, hours, so_far) }}) filter (where {{ item }}.is_lowest)
{%- endmacro -%}

{#- Over the items of a rule: what overtime adds to the base rate. Each item adds what it pays more than the one below
    it: so many times the base rate, or so much money. -#}
{%- macro overtime_premium(item, hours, so_far, rate) -%}
    sum({{ hours_beyond(item, hours, so_far) }} * ({{ item }}.more_times * {{ rate }} + {{ item }}.more_money))
{%- endmacro -%}

{#- What the holiday hours of a shift cost on top, on its side `bill` or `pay`: at a rate of their own or at a multiple of
    the base rate; nothing where neither is agreed, and null where one is and nobody says which. -#}
{%- macro holiday_impact(shift, side) -%}
    case
        when {{ shift }}.{{ side }}_holiday_hours = 0 then 0
        else round(
            {{ shift }}.{{ side }}_holiday_hours
            * case
                when {{ shift }}.{{ side }}_holiday = 'RATE' and {{ shift }}.{{ side }}_holiday_rate is not null
                    then {{ shift }}.{{ side }}_holiday_rate - {{ shift }}.{{ side }}_rate
                when {{ shift }}.{{ side }}_holiday_multiplier is not null
                    then {{ shift }}.{{ side }}_rate * ({{ shift }}.{{ side }}_holiday_multiplier - 1)
                when {{ shift }}.{{ side }}_holiday in ('RATE', 'MULTIPLIER') then null
                else 0
            end, 2
        )
    end
{%- endmacro -%}
