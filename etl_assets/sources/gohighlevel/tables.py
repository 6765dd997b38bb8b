"""GoHighLevel tables: a job each, which fills the table that TrialSync's readers know.

Contacts are searched for and not listed: the vendor's list of contacts is deprecated, and its pages by number end at
10,000. They are asked for in the order in which they were added, so that one that is added meanwhile comes last.
"""

from etl_assets.declare.endpoints import Endpoint, Job, OnePage, Records, SearchAfter
from etl_assets.declare.job_list import OWN_ID
from etl_assets.declare.rest import RestTable, fields
from etl_assets.declare.tables import Field, Full

PAGE = 500
"""Contacts of a page: the vendor's most."""
MAX_LOST = 0.5
"""A list that loses half of its records is not believed."""
_ID = Field(name=OWN_ID, type="text", path="id")
_EMPTY = (
    "{} of GoHighLevel; none before ETL_GOHIGHLEVEL_INSTANCES names a location: see etl_assets/sources/gohighlevel."
)

CONTACTS = Job(
    id=196,
    name="GoHighLevel contacts",
    path="/contacts/search",
    table="ghl_contacts_staging",
    category="dimension",
    record="Contact",
    endpoint=Endpoint(
        path="contacts/search",
        body={"locationId": "{location_id}", "sort": [{"field": "dateAdded", "direction": "asc"}]},
        envelope=Records(at="contacts"),
        paging=SearchAfter(limit="pageLimit", after="searchAfter", at="searchAfter", count="total", size=PAGE),
    ),
)
CUSTOM_FIELDS = Job(
    id=197,
    name="GoHighLevel custom fields",
    path="/locations/{locationId}/customFields",
    table="ghl_custom_fields_staging",
    category="metadata",
    record="CustomField",
    endpoint=Endpoint(
        path="locations/{location_id}/customFields", envelope=Records(at="customFields"), paging=OnePage()
    ),
)

TABLES = (
    RestTable(
        name=CONTACTS.table,
        description="Contacts of a location, with the values of their custom fields, as GoHighLevel has them.",
        key=OWN_ID,
        load=Full(shrink_floor=1 - MAX_LOST),
        endpoint=CONTACTS.endpoint,
        fields=(_ID, *fields(text="locationId", timestamptz="dateAdded")),
        jobs=[CONTACTS],
        personal_document=True,
        unoffered=_EMPTY.format("Contacts"),
    ),
    RestTable(
        name=CUSTOM_FIELDS.table,
        description="Which custom fields the contacts of a location have, without their values.",
        key=OWN_ID,
        load=Full(shrink_floor=1 - MAX_LOST),
        endpoint=CUSTOM_FIELDS.endpoint,
        fields=(_ID, *fields(text="name dataType")),
        jobs=[CUSTOM_FIELDS],
        unoffered=_EMPTY.format("Custom fields"),
    ),
)
