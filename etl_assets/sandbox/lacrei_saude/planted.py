"""What is personal in a sandbox: every value by which somebody could be known, to look for it where it must not be."""

from typing import Any

from etl_assets.sandbox.lacrei_saude.fill import mark_of
from etl_assets.sandbox.lacrei_saude.schema import quoted, tables

_OF_PROFESSIONAL = "(select user_id from lacreisaude_professional p where p.id = professional_id)"
_OWNERS = {
    "lacreiid_user": "id",
    "account_emailaddress": "user_id",
    "appointments_agreement": "user_id",
    "lacreisaude_professional": "user_id",
    "lacreisaude_clinic": _OF_PROFESSIONAL,
    "lacreisaude_contactrequest": "requester_id",
    "lacreiid_google_account": "user_id",
    "lacreiid_report": "(select user_id from lacreiid_appointment a where a.id = appointment_id)",
    "lacreisaude_waitinglist": "null",
    "payments_asaaswebhooklog": "null",
}
"""The account that a row is of; null where it is nobody's who has one."""
_COLUMNS = {
    "emails": {"lacreiid_user": "email", "account_emailaddress": "email", "lacreisaude_waitinglist": "email"},
    "names": {
        "lacreiid_user": "first_name, last_name",
        "lacreisaude_professional": "full_name",
        "appointments_agreement": "user_name",
    },
    "phones": {
        "lacreiid_user": "phone",
        "lacreisaude_clinic": "phone, phone_whatsapp, online_clinic_phone",
        "lacreisaude_contactrequest": "requester_phone_number",
    },
    "cpfs": {
        "lacreisaude_professional": "document_number",
        "appointments_agreement": "user_cpf",
        "lacreiid_report": r"substring(feedback from '\d{3}\.\d{3}\.\d{3}-\d\d')",
        "payments_asaaswebhooklog": "payload->>'customer'",
    },
    "pix_keys": {"lacreisaude_professional": "chave_pix"},
    "registrations": {
        "lacreisaude_professional": "board_registration_number",
        "appointments_agreement": "registration_number",
    },
    "addresses": {
        "lacreisaude_clinic": "address, zip_code",
        "lacreisaude_contactrequest": "host(requester_ip_address)",
    },
    "secrets": {
        "lacreiid_user": "password",
        "lacreiid_google_account": "access_token, refresh_token",
        "lacreisaude_professional": "google_calendar_credentials_json->>'token', board_certification_selfie",
    },
}
"""What is personal, by kind: the columns of each table, and where it stands within others."""


def planted(connection: Any, user: str | None = None) -> dict[str, frozenset[str]]:
    """Every personal value in a sandbox, by kind: `emails`, `names`, `phones`, `cpfs` and the others above.

    CPFs are also there without their signs, and phones without the country's code: free text says them in every way.

    Args:
        connection: An open psycopg connection to the sandbox, in either schema, whatever became of it.
        user: The key of an account, whose values alone are wanted.

    Raises:
        ValueError: The database is no sandbox.
    """
    mark = mark_of(connection)
    if mark is None:
        raise ValueError("The database is not marked as a sandbox of Lacrei Saude.")
    found: dict[str, frozenset[str]] = {}
    held = tables(mark.partition(",")[0])
    for kind, places in _COLUMNS.items():
        values: set[str] = set()
        for table, columns in ((table, columns) for table, columns in places.items() if table in held):
            for column in columns.split(", "):
                name = quoted(column) if column.isidentifier() else column
                whose = f"where {_OWNERS[table]} = %s" if user else ""
                statement = f"select distinct {name} from {table} {whose}"  # noqa: S608 (our own words)
                values |= {value for (value,) in connection.execute(statement, [user] if user else []) if value}
        found[kind] = frozenset(values | {other for value in values for other in _other_forms(kind, value)})
    return found


def _other_forms(kind: str, value: str) -> list[str]:
    if kind == "cpfs":
        return ["".join(filter(str.isdigit, value))]
    return [value.removeprefix("+55")] if kind == "phones" else []
