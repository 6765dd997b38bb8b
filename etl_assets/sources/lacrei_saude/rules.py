"""Data quality rules of Lacrei Saude. A finding never stops the good rows beside it, and shows nothing of a person.

Statuses and kinds are the choices of the source's own models; both versions of its schema have the same. No rule looks
at rows whose key is a person's: a finding names the row by its key.
"""

from etl_assets.declare.rules import InOrder, OneOf, RowCheck
from etl_assets.declare.rules_between import RefersTo

STATUSES = ("pending", "confirmed", "canceled", "completed")
TYPES = ("in_person", "online")
SCHEMA = "lacreisaude_staging_01"

RULES = (
    OneOf(
        table="lacreiid_appointment",
        name="UnknownStatus",
        column="status",
        known=STATUSES,
        required=True,
        why="Marts count appointments by status: one that they do not know is in none of their columns.",
    ),
    OneOf(
        table="lacreiid_appointment",
        name="UnknownType",
        column="type",
        known=TYPES,
        required=True,
        why="Marts count visits in person and online: one of another kind is in none of their columns.",
    ),
    InOrder(
        table="lacreiid_appointment",
        name="CreatedAfterItsDate",
        pairs=(("created_at", "date"),),
        severity="warning",
        why="Whoever enters an appointment afterwards did not wait for it: its waiting time counts in no average.",
    ),
    RefersTo(
        table="lacreiid_appointment",
        name="UnknownPatient",
        column="user_id",
        relation=f"{SCHEMA}.lacreiid_user",
        required=True,
        why="An appointment without its patient is in no group of patients.",
    ),
    RefersTo(
        table="lacreiid_appointment",
        name="UnknownProfessional",
        column="professional_id",
        relation=f"{SCHEMA}.lacreisaude_professional",
        required=True,
        why="An appointment without its professional has neither a speciality nor a state.",
    ),
    RefersTo(
        table="lacreiid_cancellation",
        name="UnknownAppointment",
        column="appointment_id",
        relation=f"{SCHEMA}.lacreiid_appointment",
        why="A cancellation of nothing is counted nowhere.",
    ),
    RefersTo(
        table="lacreiid_report",
        name="UnknownAppointment",
        column="appointment_id",
        relation=f"{SCHEMA}.lacreiid_appointment",
        why="A rating of nothing is counted nowhere.",
    ),
    RowCheck(
        table="lacreiid_report",
        name="RatingOutOfRange",
        column="eval",
        holds="eval between 1 and 5",
        why="Ratings go from 1 to 5: another one moves every average that it is in.",
    ),
)
