"""What a location holds: contacts that are made of their numbers, and the custom fields that they have."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from etl_assets.sandbox.trialsync.people import person

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""Those of ids, in the order of their bytes: a contact's id grows with its number."""
_PLACES = 12
_FIRST_ADDED, _APART = datetime(2024, 1, 8, 9, 0, tzinfo=UTC), timedelta(seconds=37)
_AT_ONCE = 3
"""Contacts that were imported in one moment, so that their dates alone put them in no order."""
_MILLISECOND = timedelta(milliseconds=1)
_TYPES = ("TEXT", "SINGLE_OPTIONS", "DATE", "NUMERICAL")
_SOURCES = ("Website", "Facebook", "Referral", None)
CUSTOM_FIELDS = 6

Record = dict[str, Any]


@dataclass
class Location:
    """A location, of `contacts` contacts but for those that are changed here; whoever changes it holds `lock`."""

    seed: int = 1
    contacts: int = 120
    """The highest number that a contact has."""
    removed: set[int] = field(default_factory=set)
    """The numbers of those that are gone."""
    revised: set[int] = field(default_factory=set)
    """The numbers of those that somebody has edited."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def id(self) -> str:
        """The location's own id."""
        return _name(self.seed, "location")

    @property
    def total(self) -> int:
        """How many contacts there are."""
        return self.contacts - len(self.removed)

    def after(self, place: tuple[int, str] | None, *, back: int = 0) -> Iterator[Record]:
        """The contacts behind a place, or so many before it, in the order in which they were added; all where None."""
        first = 1
        if place:
            first = max(1, _AT_ONCE * ((place[0] - _milliseconds(1)) // (_APART // _MILLISECOND)))
            while first <= self.contacts and (_milliseconds(first), self.contact_id(first)) <= place:
                first += 1
        first = max(1, first - back)
        return (self.contact(number) for number in range(first, self.contacts + 1) if number not in self.removed)

    def contact(self, number: int) -> Record:
        """A contact, as the search gives it."""
        who, own = person(self.seed, number), self.contact_id(number)
        added = _FIRST_ADDED + _APART * (number // _AT_ONCE)
        updated = added + timedelta(days=1) * (number in self.revised)
        return {
            "id": own,
            "locationId": self.id,
            "firstNameLowerCase": who.first_name.lower(),
            "lastNameLowerCase": who.last_name.lower(),
            "email": who.email,
            "phone": f"+1{who.raw_phone}",
            "phoneLabel": None,
            "additionalEmails": [],
            "additionalPhones": [],
            "companyName": None,
            "address": f"{number} {who.last_name} Street",
            "city": "Springfield",
            "state": "IL",
            "postalCode": f"{60_000 + number % 1_000}",
            "country": "US",
            "dateOfBirth": who.born.isoformat(),
            "source": _SOURCES[number % len(_SOURCES)],
            "type": "lead",
            "tags": ["edited"] if number in self.revised else [],
            "dnd": number % 11 == 0,
            "assignedTo": None,
            "followers": [],
            "validEmail": True,
            "businessId": None,
            "customFields": [{"id": self._field_id(0), "value": who.mrn}] if number % 2 else [],
            "dateAdded": _iso(added),
            "dateUpdated": _iso(updated),
            "searchAfter": [_milliseconds(number), own],
        }

    def contact_id(self, number: int) -> str:
        """The id of a contact: 20 letters and digits."""
        digits = ""
        for _ in range(_PLACES):
            number, digit = divmod(number, len(_DIGITS))
            digits = _DIGITS[digit] + digits
        return _name(self.seed, "contact")[: 20 - _PLACES] + digits

    def custom_fields(self) -> list[Record]:
        """The custom fields, as their list gives them."""
        return [
            {
                "id": self._field_id(number),
                "name": f"Field {number}",
                "model": "contact",
                "fieldKey": f"contact.field_{number}",
                "placeholder": "",
                "dataType": _TYPES[number % len(_TYPES)],
                "position": 50 * number,
                "locationId": self.id,
                "standard": False,
                **({"picklistOptions": ["yes", "no"]} if _TYPES[number % len(_TYPES)] == "SINGLE_OPTIONS" else {}),
            }
            for number in range(CUSTOM_FIELDS)
        ]

    def _field_id(self, number: int) -> str:
        return _name(self.seed, "field", number)


def _milliseconds(number: int) -> int:
    """When a contact was added, as places have it."""
    return (_FIRST_ADDED + _APART * (number // _AT_ONCE) - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _name(*words: object) -> str:
    """Twenty letters and digits that depend on nothing but the words."""
    found = hashlib.sha256(":".join(map(str, words)).encode()).digest()
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in found[:20])
