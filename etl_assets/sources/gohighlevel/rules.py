"""GoHighLevel rules: what must be true of contacts and custom fields. No finding shows anything of a contact."""

from etl_assets.declare.rules import Required, Rule

RULES: tuple[Rule, ...] = (
    Required(
        table="ghl_contacts_staging",
        name="MissingRequiredFields",
        columns=("location_id", "date_added"),
        why="Contacts are asked for in the order in which they were added; one without a date has no place in it.",
    ),
    Required(
        table="ghl_custom_fields_staging",
        name="MissingRequiredFields",
        columns=("name", "data_type"),
        why="Contacts have the values of custom fields by id; without its name nobody knows what a value means.",
    ),
)
