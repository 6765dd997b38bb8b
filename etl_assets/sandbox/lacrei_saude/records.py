"""The rows that go with people and appointments: e-mail addresses, payments, messages, and what Django keeps."""

import json
from datetime import date, time, timedelta
from decimal import Decimal
from uuid import UUID

from etl_assets.sandbox.lacrei_saude.community import CANCELED, NOW, ONLINE, TODAY, Community, Visit
from etl_assets.sandbox.lacrei_saude.people import Keys
from etl_assets.sandbox.lacrei_saude.rows import CONTENT_TYPES, SET_UP, Row, Rows
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER
from etl_assets.sandbox.lacrei_saude.vocabulary import DOMAIN, ODD_TEXTS, STATES

LABELS = {
    OLDER: {"user": "lacreiid", "professional": "lacreisaude"},
    NEWER: {"user": "client", "professional": "professional"},
}
"""The Django apps that accounts and professionals belong to."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri")


def write_records(rows: Rows, community: Community) -> None:
    """Add them; each table has some."""
    keys = Keys(community.seed, "records")
    _write_django(rows, community)
    _write_places(rows)
    _write_accounts(rows, community, keys)
    _write_practice(rows, community, keys)
    _write_complaints(rows, community, keys)
    for visit in community.visits:
        if visit.type == ONLINE:
            _write_payment(rows, visit, keys)
    _write_payment_service(rows, community)


def _write_django(rows: Rows, community: Community) -> None:
    rows.add("django_site", domain="lacrei.invalid", name="Lacrei Saude")
    for model, number in CONTENT_TYPES.items():
        rows.add("django_content_type", id=number, app_label=LABELS[rows.schema][model], model=model)
        rows.add("auth_permission", name=f"Can view {model}", content_type_id=number, codename=f"view_{model}")
    rows.add("auth_group", name="Atendimento")
    rows.add("auth_group_permissions", group_id=1, permission_id=1)
    for person in community.people:
        if person.is_staff:
            rows.add("lacreiid_user_groups", user_id=person.key, group_id=1)
            rows.add("lacreiid_user_user_permissions", user_id=person.key, permission_id=2)


def _write_places(rows: Rows) -> None:
    rows.add("address_city", SET_UP, name="São Paulo", state_id=STATES["SP"].id, ibge_code=3550308, active=True)
    rows.add("address_neighborhood", SET_UP, name="Bairro das Violetas", city_id=1)
    values = {"address_line_1": "Rua da Peneira Azul", "neighborhood_name": "Bairro das Violetas"}
    rows.add("address_zipcode", SET_UP, code="11000-000", city_id=1, neighborhood_id=1, **values)


def _write_accounts(rows: Rows, community: Community, keys: Keys) -> None:
    for number, person in enumerate(community.people):
        at, own = person.created, {"user_id": person.key}
        first = rows.add("account_emailaddress", email=person.email, verified=True, primary=True, **own)
        if number % 10 == 0:
            second = f"segunda.{person.email}"
            rows.add("account_emailaddress", email=second, verified=False, primary=False, **own)
            values: Row = {"created": at, "sent": at + timedelta(seconds=2), "key": f"confirm-{person.key}"}
            rows.add("account_emailconfirmation", email_address_id=first["id"], **values)
        if number % 4 == 0:
            rows.add(
                "notification_notification",
                at,
                id=keys.next("notification"),
                template_prefix="account/welcome",
                send_to=[person.email, f'"{person.name}" <{person.email}>'] if number % 8 else [person.email],
                subject=f"Boas-vindas, {person.first_name}!",
                pickled_context=b"\x80\x04N.\x00\xff" if number % 3 else None,
                json_context=json.dumps({"name": person.name, "values": [1, 2.50, None], "odd": ODD_TEXTS[0]}),
                status="success" if number % 5 else "error",
                recipient_id=person.key,
                error_message=None if number % 5 else f"550 mailbox of {person.email} is full",
            )
        if number % 9 == 0:
            values = {"profession_id": 1 + number % 7, "state_id": person.state.id}
            rows.add("lacreisaude_waitinglist", at, email=f"espera.{number}@{DOMAIN}", **values)
        if rows.schema == NEWER and number % 6 == 0:
            tokens: Row = {"access_token": f"secret-a-{person.key}", "refresh_token": f"secret-r-{person.key}"}
            expires = at + timedelta(hours=1)
            rows.add("lacreiid_google_account", at, id=keys.next("google"), expires_at=expires, **own, **tokens)
            rows.add(
                "lacreiid_google_calendar_event",
                at,
                id=keys.next("event"),
                event_id=f"event-{person.key}",
                summary=f"Consulta de {person.name}",
                description=None if number % 12 else ODD_TEXTS[4],
                start_time=at + timedelta(days=3),
                end_time=at + timedelta(days=3, minutes=50),
                **own,
            )
        if number % 5 == 0:
            rows.add("payments_customer", id=f"cus_{person.key}", id_user_id=person.key)


def _write_practice(rows: Rows, community: Community, keys: Keys) -> None:
    staff = next(person for person in community.people if person.is_staff)
    for place, practitioner in enumerate(community.practitioners):
        at, own = practitioner.created + timedelta(days=1), {"professional_id": practitioner.key}
        decision = "approved" if practitioner.status == "approved" else "rejected"
        name: Row = {"professional_name": practitioner.full_name}
        rows.add(
            "lacreisaude_professionalreview",
            at,
            id=keys.next("review"),
            reviewed_by_id=staff.key,
            profession_id=1 + place % 7,
            internal_note=f"Conferido com {practitioner.person.phone}",
            status=decision,
            rejected_professional_data=None if decision == "approved" else json.dumps({"cpf": practitioner.person.cpf}),
            step="post_registration_data" if place % 2 else None,
            **own,
            **name,
        )
        statuses = dict.fromkeys(("general", "commercial_info", "bank_account", "documentation"), "APPROVED")
        account = rows.add(
            "lacreisaude_professionalsubaccount",
            at,
            id=keys.next("subaccount"),
            asaas_id=f"acc_{practitioner.key}",
            onboarding_url=f"https://asaas.invalid/{practitioner.key}",
            **own,
            **{f"status_{name}": status for name, status in statuses.items()},
        )
        rows.add(
            "lacreisaude_subaccountdocument",
            at,
            id=keys.next("document"),
            subaccount_id=account["id"],
            document_type="IDENTIFICATION",
            file=f"subaccount_documents/{practitioner.key}.pdf",
            asaas_id=f"doc_{practitioner.key}",
            status="pending",
        )
        rows.add(
            "watson_searchentry",
            engine_slug="default",
            content_type_id=CONTENT_TYPES["professional"],
            object_id=practitioner.key,
            title=practitioner.full_name,
            content=f"{practitioner.full_name} {practitioner.profession}",
            meta_encoded="{}",
        )
        for weekday in WEEKDAYS[: 1 + place % 5] if practitioner.clinic else ():
            rows.add(
                "lacreisaude_clinicopeningschedule",
                at,
                id=keys.next("schedule"),
                schedule_type="online" if place % 2 else "presential",
                weekday=weekday,
                clinic_id=practitioner.clinic.key if practitioner.clinic else None,
                opening_time=time(8, 30),
                closing_time=time(22, 0, 0, 500_000) if place % 4 else time(18),
            )


def _write_complaints(rows: Rows, community: Community, keys: Keys) -> None:
    partner = rows.add("appointments_partner", SET_UP, id=keys.next("partner"), name="Coletivo Arco")
    for number, code in enumerate(("ORGULHO28", "VISIBILIDADE29"), start=1):
        values: Row = {"discount": 10 * number, "limit_date": TODAY, "usages_limit": 50, "usages": number}
        rows.add("lacreiid_coupon", SET_UP, id=keys.next("coupon"), code=code, partner_id=partner["id"], **values)
    for number, visit in enumerate(community.visits[::40]):
        patient, at = visit.patient, visit.created
        rows.add(
            "lacreisaude_contactrequest",
            at,
            id=keys.next("contact"),
            requester_id=patient.key,
            requester_ip_address=f"192.0.2.{number % 250 + 1}" if number % 2 else f"2001:db8::{number + 1:x}",
            requester_phone_number=patient.phone,
            requester_user_agent="Mozilla/5.0 (Invented)",
            professional_id=visit.practitioner.key,
            validation_code=f"{number:06d}",
            code_confirmed=bool(number % 3),
            expires_at=at + timedelta(days=7),
        )
        if number % 5 == 0:
            rows.add(
                "lacreisaude_complaint",
                at,
                id=keys.next("complaint"),
                complaint_types="['discriminação']",
                incident_date=date(2025, 1, 1) + timedelta(days=number),
                incident_time=time(15, 4, 5),
                reported_by_id=patient.key,
                description=f"{patient.name} conta: {ODD_TEXTS[number % len(ODD_TEXTS)]}",
                professional_id=visit.practitioner.key,
            )


def _write_payment(rows: Rows, visit: Visit, keys: Keys) -> None:
    clinic, at = visit.practitioner.clinic, visit.created
    # A payment holds four digits before the point; that of a clinic whose price is no number is what people pay there.
    value = clinic.price if clinic and clinic.price.is_finite() else Decimal("99.90")
    refunded = visit.status == CANCELED
    payment = rows.add(
        "payments_payment",
        at,
        id=keys.next("payment"),
        appointment_id=visit.key,
        asaas_id=f"pay_{visit.key}",
        value=value,
        status="pending" if visit.start > NOW else "payed",
        method="pix" if visit.waiting_minutes % 2 else "credit_card",
        transferred_payment=not refunded and visit.start < NOW,
        refund_status="processed" if refunded else "none",
        refund_reason=f"Pedido de {visit.patient.name}" if refunded else None,
        refund_requested_at=at + timedelta(hours=1) if refunded else None,
        refund_requested_by_id=visit.patient.key if refunded else None,
        patient_refund_amount=value if refunded else Decimal(0),
        professional_amount=Decimal(0) if refunded else (value * 9 / 10).quantize(Decimal("0.01")),
        lacrei_amount=Decimal(0) if refunded else value - (value * 9 / 10).quantize(Decimal("0.01")),
    )
    own = {"payment_id_id": payment["id"]}
    rows.add("payments_billingstatus", at, id=keys.next("billing"), status="RECEIVED", **own)
    if visit.status == "completed":
        values: Row = {"appointment_id": visit.key, "professional_id": visit.practitioner.key, "status": "DONE"}
        rows.add("payments_paymentsrelease", visit.start, amount=payment["professional_amount"], **values)
    if visit.status == "pending":
        attempts: Row = {"attempt_count": 2, "last_error": "timeout", "next_attempt_at": NOW, "status": "scheduled"}
        rows.add("payments_paymentreprocess", at, payment_id=payment["id"], **attempts)


def _write_payment_service(rows: Rows, community: Community) -> None:
    rows.add("payments_bank", SET_UP, code="000", name="Banco da Invenção", ispb="00000000")
    for number, visit in enumerate(community.visits[:30]):
        payload = {"payment": f"pay_{visit.key}", "customer": visit.patient.cpf, "value": 1e-7 * number}
        rows.add(
            "payments_asaaswebhooklog",
            id=UUID(int=(number + 1) * 2**64 + int(visit.key, 16)),
            event_id=f"evt_{visit.key}",
            event_type="PAYMENT_RECEIVED",
            payload=json.dumps(payload, ensure_ascii=False),
            status="PROCESSED" if number % 4 else "FAILED",
            received_at=visit.created,
            processing_log=None if number % 4 else ODD_TEXTS[0],
        )
        rows.add(
            "payments_idempotencykey",
            visit.created,
            key=f"idem-{visit.key}",
            appointment_id=visit.key,
            method="pix",
            value=Decimal("10.00"),
            response_status=200,
            response_body=json.dumps([]),
            expires_at=visit.created + timedelta(days=1),
        )
