"""Invented patients, whose personal values can be recognised wherever they turn up.

No social security number begins with 9, no surname with Zq, and the numbers from 555-0100 on belong to nobody.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from etl_assets.sandbox.trialsync.numbers import draw

PLANTED = re.compile(r"9\d\d-\d\d-\d{4}|INS9\d{9}|MRN9\d{8}|\(555\) 01\d-\d{4}|55501\d{5}|Z[qg][a-z]{4,}", re.ASCII)
"""Matches every value of `planted_values`, in whatever text."""

_FIRST = ("Anna", "Boris", "Chloe", "Dario", "Edith", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leon")
_SYLLABLES = tuple(f"{consonant}{vowel}" for consonant in "bdfgklmnprst" for vowel in "aeiou")
_OLDEST, _KINDS = date(1938, 1, 1), ("M", "F")


class Person(NamedTuple):
    """Who a patient is."""

    first_name: str
    last_name: str
    gender: str
    born: date
    ssn: str
    mrn: str
    insurance: str
    phone: str
    guardian: str | None
    """One in eight has one."""

    @property
    def name(self) -> str:
        """As lists show it."""
        return f"{self.last_name}, {self.first_name}"

    @property
    def raw_phone(self) -> str:
        """The telephone number's digits."""
        return f"{self.phone[1:4]}{self.phone[6:9]}{self.phone[10:]}"

    @property
    def email(self) -> str:
        """An address that is nobody's."""
        return f"{self.last_name.lower()}@example.org"


def person(seed: int, number: int) -> Person:
    """A patient by number; the same number is another person in an instance of another seed."""
    chance = draw(seed, 1, number)
    own, area = number * 7 + seed % 7, seed % 100
    return Person(
        first_name=_FIRST[chance % len(_FIRST)],
        last_name="Zq" + _word(own),
        gender=_KINDS[chance // 16 % 2],
        born=_OLDEST + timedelta(days=chance // 64 % 24_000),
        ssn=f"9{area:02d}-{own // 10_000 % 100:02d}-{own % 10_000:04d}",
        mrn=f"MRN9{own % 10**8:08d}",
        insurance=f"INS9{area:02d}{own % 10**7:07d}",
        phone=f"(555) 01{own // 10_000 % 10}-{own % 10_000:04d}",
        guardian="Zg" + _word(own) if chance // 32 % 8 == 0 else None,
    )


def planted_values(seed: int, patients: int) -> Iterator[str]:
    """What must turn up nowhere where it does not belong: of so many patients, all that is theirs alone."""
    for number in range(patients):
        one = person(seed, number)
        yield from (one.ssn, one.insurance, one.mrn, one.phone, one.raw_phone, one.last_name)
        if one.guardian:
            yield one.guardian


def _word(number: int) -> str:
    """A pronounceable name of its own for each number."""
    text, rest = "", number
    while rest or len(text) < 4:  # noqa: PLR2004 (two syllables at least)
        rest, last = divmod(rest, len(_SYLLABLES))
        text += _SYLLABLES[last]
    return text
