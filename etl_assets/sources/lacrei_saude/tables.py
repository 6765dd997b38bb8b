"""What we take from Lacrei Saude, and how: what `privacy.yaml` lets leave the source, as `tables.yaml` lists it.

The source's own stamp (`updated_at`) is moved by its application, and not by the database: bulk updates, raw SQL and
lists of many to many rows leave it as it was. So no table is read by it.
"""

from datetime import timedelta
from pathlib import Path

from etl_assets.declare.catalogue import Catalogue, ClassRule, Override
from etl_assets.declare.privacy import Classification, KeyKind, Owned, Subject

CLASSES = (
    ClassRule(
        importance="critical",
        why="care: who sees whom, when, and what became of it",
        names="lacreiid_appointment lacreiid_cancellation lacreiid_report",
    ),
    ClassRule(
        importance="critical",
        why="people: patients and professionals",
        names="lacreiid_user lacreiid_profile lacreiid_profile_disability_types lacreisaude_professional"
        " lacreisaude_professional_disability_types",
    ),
    ClassRule(importance="important", why="places: where patients are seen", names="lacreisaude_clinic"),
    ClassRule(importance="reference", why="a vocabulary of the source", names="*"),
)

KEPT_FOR = timedelta(days=3_653)
"""Ten years: after that no claim can be made any more (Brazil's Civil Code, art. 205)."""

CATALOGUE = Catalogue(
    path=Path(__file__).with_name("tables.yaml"),
    classes=CLASSES,
    append_only={},
    in_some_versions="lacreiid_*type lacreiid_*group lacreiid_*identity lacreiid_*orientation lacreiid_pronoun"
    " *_disability_types lacreiid_google_* lacreiid_otherprofileanswer *_legacy*",
    replaced_by={
        "lacreiid_profile_disability_types": "lacreiid_profile.disability_types",
        "lacreisaude_professional_disability_types": "lacreisaude_professional.disability_types",
    },
    classification=Classification(Path(__file__).with_name("privacy.yaml")),
    overrides={
        "lacreiid_appointment": Override(event_date="date", keep_for=KEPT_FOR),
        "lacreiid_cancellation": Override(event_date="created_at", keep_for=KEPT_FOR),
        "lacreiid_report": Override(event_date="created_at", keep_for=KEPT_FOR),
    },
)


def _created_by(table: str, model: str) -> Owned:
    """Rows that somebody has created, who is a user or a professional: Django's generic foreign key."""
    kind = KeyKind(column="created_by_content_type_id", table="django_content_type", name="model", value=model)
    return Owned(table=table, column="created_by_object_id", when=kind)


SUBJECTS = (
    Subject(
        name="patient",
        table="lacreiid_user",
        owns=(
            Owned(table="lacreiid_profile", column="user_id"),
            Owned(table="lacreiid_profile_disability_types", column="profile_id", of="lacreiid_profile"),
            Owned(table="lacreiid_appointment", column="user_id"),
            Owned(table="lacreiid_cancellation", column="appointment_id", of="lacreiid_appointment"),
            Owned(table="lacreiid_report", column="appointment_id", of="lacreiid_appointment"),
            _created_by("lacreiid_cancellation", "user"),
            _created_by("lacreiid_report", "user"),
        ),
    ),
    Subject(
        name="professional",
        table="lacreisaude_professional",
        same_as={"user_id": "patient"},
        owns=(
            Owned(table="lacreisaude_professional_disability_types", column="professional_id"),
            Owned(table="lacreisaude_clinic", column="professional_id"),
            Owned(table="lacreiid_appointment", column="professional_id"),
            _created_by("lacreiid_cancellation", "professional"),
            _created_by("lacreiid_report", "professional"),
        ),
    ),
)
"""Whoever is a professional has an account like a patient's: who is erased as one is erased as the other."""

LISTED = CATALOGUE.read()
TABLES = tuple(LISTED.tables.values())
