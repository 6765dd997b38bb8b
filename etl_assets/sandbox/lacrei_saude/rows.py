"""The rows of a schema: people, clinics, appointments and what was said of them, as its tables hold the facts.

What goes with them, such as payments and notifications, is in `records`.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from etl_assets.sandbox.lacrei_saude.community import NOW, PROFESSIONAL, Community, Person, Practitioner, Traits, Visit
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, Column, tables
from etl_assets.sandbox.lacrei_saude.vocabulary import (
    ANSWER_TYPES,
    ANSWERS,
    ARTICLES,
    LOOKUP_TABLES,
    ODD_TEXTS,
    OLDER_NAMES,
    OTHER,
    PROFESSIONS,
    STATES,
    STREETS,
)

Row = dict[str, Any]
CONTENT_TYPES = {"user": 7, "professional": 15}
"""The ids by which a report or a cancellation says whose key its author has."""
SET_UP = datetime(2021, 11, 18, 11, 30, 57, 85_000, tzinfo=NOW.tzinfo)
DOCUMENTS = {
    OLDER: {"client": (1, "lacreiid"), "professional": (2, "lacreisaude")},
    NEWER: {"client": (1, "client"), "professional": (2, "professional")},
}
"""The privacy documents, and what each schema calls whom they are for."""
_STAMPS = ("created_at", "updated_at")
_BLANKS = {"boolean": False, "text": "", "integer": 0}


class Rows:
    """All rows of a schema, by table."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.tables: dict[str, list[Row]] = {name: [] for name in tables(schema)}

    def add(self, table: str, *stamps: datetime, **values: object) -> Row:
        """Add a row; what is not said of it is null where it may be, and else nothing.

        Args:
            table: Of this schema.
            stamps: When it was made, and when it was changed if it was.
            values: By the columns' names.

        Raises:
            KeyError: The table has no such column.
        """
        row = {column.name: self._blank(table, column) for column in tables(self.schema)[table].columns}
        unknown = values.keys() - row.keys()
        if unknown:
            raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
        if stamps:
            row |= {name: at for name, at in zip(_STAMPS, (stamps[0], stamps[-1]), strict=True) if name in row}
        row.update(values)
        self.tables[table].append(row)
        return row

    def _blank(self, table: str, column: Column) -> object:
        if column.is_identity:
            return len(self.tables[table]) + 1
        return None if column.nullable else _BLANKS.get(column.type, "" if column.type.startswith("varchar") else None)


def write_core(rows: Rows, community: Community) -> None:
    """Add the rows of the lookup lists, of everybody, and of all appointments."""
    _write_lists(rows)
    for person in community.people:
        _write_person(rows, person)
    for practitioner in community.practitioners:
        _write_practitioner(rows, practitioner)
    for plan in community.agreements:
        rows.add(
            "appointments_agreement",
            plan.person.created + timedelta(hours=5),
            id=plan.key,
            user_id=plan.person.key,
            name=plan.name,
            user_name=plan.person.name,
            registration_number=plan.number,
            expiration_date=plan.expires,
            user_cpf=plan.person.cpf,
        )
    for visit in community.visits:
        write_visit(rows, visit)


def _write_lists(rows: Rows) -> None:
    rows.add("address_country", SET_UP, name="Brasil", code="BR", active=True)
    for state in STATES.values():
        values = {"name": state.name, "code": state.code, "active": state.code == "SP"}
        rows.add("address_state", SET_UP, id=state.id, country_id=1, **values)
    for name in PROFESSIONS:
        rows.add("lacreisaude_profession", SET_UP, name=name, search_synonym=f"['{name.lower()}']")
    for number, profile_type in DOCUMENTS[rows.schema].values():
        url = f"https://lacrei.invalid/{number}"
        rows.add("lacreiid_privacydocument", SET_UP, privacy_policy=url, terms_of_use=url, profile_type=profile_type)
    if rows.schema == OLDER:
        for attribute, table in LOOKUP_TABLES.items():
            for answer in ANSWERS[attribute]:
                values = {"badge": "", "position_order": answer.id}
                if attribute == "pronoun":
                    rows.add(table, SET_UP, article=ARTICLES[answer.code], pronoun=answer.label, **values)
                else:
                    rows.add(table, SET_UP, name=answer.label, **values)


def _write_person(rows: Rows, person: Person) -> None:
    updated = min(person.created + timedelta(days=9, microseconds=1), NOW)
    is_grown = None
    if person.birth_date:
        years = person.created.year - person.birth_date.year
        is_grown = years - (f"{person.created:%m%d}" < f"{person.birth_date:%m%d}") >= 18  # noqa: PLR2004 (of age)
    token = {"phone_verification_token": "424242", "phone_verification_token_expires_at": updated}
    rows.add(
        "lacreiid_user",
        person.created,
        updated,
        id=person.key,
        password=f"pbkdf2_sha256$0$invalid${person.key}",
        is_superuser=person.is_staff,
        is_staff=person.is_staff,
        is_active=person.is_active,
        logged_as="professional" if person.privacy == PROFESSIONAL else "user",
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        birth_date=person.birth_date,
        is_18_years_old_or_more=is_grown,
        last_login=updated,
        email_verified=True,
        accepted_privacy_document=person.privacy is not None,
        privacy_document_id=DOCUMENTS[rows.schema][person.privacy][0] if person.privacy else None,
        newsletter_subscribed=person.is_active,
        phone=person.phone,
        phone_verified=person.is_active,
        **({} if person.is_active else token),
    )
    profile = rows.add(
        "lacreiid_profile",
        person.created,
        updated,
        id=person.profile_key,
        user_id=person.key,
        completed=person.traits != Traits(),
        photo=f"profile_photos/{person.profile_key}.jpg" if person.is_active else None,
        photo_description=ODD_TEXTS[len(rows.tables["lacreiid_profile"]) % len(ODD_TEXTS)],
    )
    _write_traits(rows, profile, person.traits, "lacreiid_profile", "profile_id")
    if rows.schema == NEWER:
        for attribute, text in person.traits.own_words:
            keys = {"user_id": person.key, "profile_id": person.profile_key}
            kind = ANSWER_TYPES[attribute]
            rows.add("lacreiid_otherprofileanswer", **keys, answer_type=kind, custom_value=text)


def _write_traits(rows: Rows, row: Row, traits: Traits, table: str, column: str) -> None:
    """Say in a profile's row, and in what belongs to it, what somebody answered."""
    if rows.schema == NEWER:
        row |= {name: getattr(traits, name) for name in ANSWERS if name != "disability_types"}
        row["disability_types"] = list(traits.disability_types) or None
        legacy = {"lacreiid_profile": "lacreiid_legacyprofiledata"}.get(table, "lacreisaude_legacyprofessionaldata")
        names = {name: _label(name, getattr(traits, name)) for name in ANSWERS if name != "disability_types"}
        rows.add(
            legacy,
            NOW,
            **{column: row["id"]},
            **{f"{OLDER_NAMES.get(name, name)}_name": label for name, label in names.items() if name != "pronoun"},
            pronoun_text=names["pronoun"],
            article_text=ARTICLES.get(traits.pronoun or ""),
            disability_types_names=", ".join(str(_label("disability_types", one)) for one in traits.disability_types),
            **_own_words(traits),
        )
        return
    row |= _own_words(traits)
    for attribute in ANSWERS:
        if attribute != "disability_types":
            row[f"{OLDER_NAMES.get(attribute, attribute)}_id"] = answer_id(attribute, getattr(traits, attribute))
    for code in traits.disability_types:
        kind = answer_id("disability_types", code)
        rows.add(f"{table}_disability_types", **{column: row["id"]}, disabilitytype_id=kind)


def _own_words(traits: Traits) -> dict[str, str]:
    said = {f"other_{OLDER_NAMES.get(name, name)}": text for name, text in traits.own_words}
    return said | ({"other_article": "e"} if traits.pronoun == OTHER else {})


def answer_id(attribute: str, code: str | None) -> int | None:
    """The id that the older schema has for an answer; None where there is none."""
    return next((answer.id for answer in ANSWERS[attribute] if answer.code == code), None)


def _label(attribute: str, code: str | None) -> str | None:
    return next((answer.label for answer in ANSWERS[attribute] if answer.code == code), None)


def _write_practitioner(rows: Rows, practitioner: Practitioner) -> None:
    person, place = practitioner.person, len(rows.tables["lacreisaude_professional"])
    kind, pix = practitioner.pix or (None, None)
    row = rows.add(
        "lacreisaude_professional",
        practitioner.created,
        min(practitioner.created + timedelta(days=30, microseconds=place), NOW),
        id=practitioner.key,
        user_id=person.key,
        full_name=practitioner.full_name,
        about_me=f"{practitioner.full_name}: {ODD_TEXTS[place % len(ODD_TEXTS)]}",
        profile_status=practitioner.status,
        state_id=practitioner.state.id,
        active=practitioner.is_active,
        published=practitioner.is_active,
        document_number=person.cpf,
        profession_id=PROFESSIONS.index(practitioner.profession) + 1,
        board_registration_number=f"REG-{practitioner.state.code}-{place:06d}",
        accepted_privacy_document=True,
        privacy_document_id=DOCUMENTS[rows.schema][PROFESSIONAL][0],
        safety_measures="Máscara e álcool",
        specialty=practitioner.specialty,
        specialty_number_rqe=f"{place:05d}" if practitioner.specialty else None,
        board_certification_selfie=f"board_certification_selfie/{practitioner.key}.jpg",
        google_calendar_credentials_json=json.dumps(
            {"token": f"secret-{practitioner.key}", "scopes": ["a", 1.5, None]}
        ),
        chave_pix=pix,
        tipo_chave_pix=kind,
        income_value=None if place % 3 else "5432.10",
    )
    _write_traits(rows, row, person.traits, "lacreisaude_professional", "professional_id")
    if clinic := practitioner.clinic:
        rows.add(
            "lacreisaude_clinic",
            practitioner.created,
            id=clinic.key,
            professional_id=practitioner.key,
            is_presential_clinic=clinic.in_person,
            is_online_clinic=clinic.online,
            name=clinic.name,
            zip_code=f"{practitioner.state.area_code:02d}000-{place:03d}" if clinic.city else None,
            registered_neighborhood_id=1 if clinic.city == "São Paulo" else None,
            neighborhood="Bairro das Violetas",
            city=clinic.city,
            state_id=clinic.state.id if clinic.state else None,
            address=f"{STREETS[place % len(STREETS)]}, {place + 1}",
            phone=person.phone,
            phone_whatsapp=person.phone,
            consult_price=clinic.price,
            duration_minutes=50,
            accepts_insurance_providers=bool(place % 2),
            provides_accessibility_standards=bool(place % 3),
            online_clinic_phone=person.phone if clinic.online else None,
            online_clinic_consult_price=clinic.price if clinic.online else None,
            online_clinic_duration_minutes=45 if clinic.online else None,
        )


def write_visit(rows: Rows, visit: Visit) -> None:
    """Add the rows of an appointment, its reports and its cancellations."""
    changed = [visit.created, *(one.created for one in visit.reports), *(one.created for one in visit.cancellations)]
    newer = {
        "cancellation_policy_accepted": True,
        "health_insurance_details": json.dumps({"name": visit.agreement.name}) if visit.agreement else None,
    }
    rows.add(
        "lacreiid_appointment",
        visit.created,
        max(changed),
        id=visit.key,
        professional_id=visit.practitioner.key,
        user_id=visit.patient.key,
        date=visit.start,
        status=visit.status,
        type=visit.type,
        rescheduled=visit.rescheduled,
        external_reference=f"ref-{visit.key}",
        agreement_id=visit.agreement.key if visit.agreement else None,
        **(newer if rows.schema == NEWER else {}),
    )
    authors = {"user": visit.patient.key, "professional": visit.practitioner.key}
    for report in visit.reports:
        rows.add(
            "lacreiid_report",
            report.created,
            id=report.key,
            appointment_id=visit.key,
            created_by_content_type_id=CONTENT_TYPES[report.author],
            created_by_object_id=authors[report.author],
            feedback=report.feedback,
            eval=report.rating,
        )
    for cancellation in visit.cancellations:
        rows.add(
            "lacreiid_cancellation",
            cancellation.created,
            id=cancellation.key,
            appointment_id=visit.key,
            created_by_content_type_id=CONTENT_TYPES[cancellation.author],
            created_by_object_id=authors[cancellation.author],
            reason=cancellation.reason,
        )
