"""Draws accounts and professionals from a seed: those who are odd on purpose, and as many more as are asked for."""

import unicodedata
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from etl_assets.sandbox.lacrei_saude.community import (
    NOW,
    PROFESSIONAL,
    START,
    TODAY,
    Agreement,
    Clinic,
    Community,
    Person,
    Practitioner,
    Traits,
)
from etl_assets.sandbox.lacrei_saude.vocabulary import (
    ANSWERS,
    CITIES,
    CLINICS,
    DOMAIN,
    FIRST_NAMES,
    LAST_NAMES,
    NORONHA,
    OTHER,
    PROFESSIONS,
    SPECIAL_KEYS,
    SPECIALTIES,
    STATES,
    WEIGHTS,
    State,
)
from etl_assets.sandbox.seeded_random import SeededRandom

DAY = timedelta(days=1)
RARE_CELLS = (("AM", 1), ("IN", 2), ("PR", 3), ("PA", 4))
"""Of travestis who are demissexual, how many there are of an ethnic group; nobody else is."""
CAMPAIGN = Traits("PA", "FL", "PA", "EU", ("NP",))
"""What nobody is but one who signed up in a month, and twelve in the next: a growth of 1,100 per cent."""
RESERVED = {("TV", "DE"), (CAMPAIGN.gender_identity, CAMPAIGN.sexuality)}


class Keys:
    """Keys of eight hexadecimal digits as the source makes them; of each table the first ones look like numbers."""

    def __init__(self, *seed: object) -> None:
        self._seed = seed
        self._streams: dict[str, Iterator[str]] = {}

    def next(self, table: str) -> str:
        """A key that the table does not have yet. Of those that look like numbers, two tables have the same."""
        return next(self._streams.setdefault(table, self._stream(table)))

    def _stream(self, table: str) -> Iterator[str]:
        yield from SPECIAL_KEYS
        given, rng = set(SPECIAL_KEYS), SeededRandom(*self._seed, table)
        while True:
            key = f"{rng.randint(0, 2**32 - 1):08x}"
            if key not in given:
                given.add(key)
                yield key


class People:
    """Draws accounts and professionals into a community."""

    def __init__(self, community: Community, keys: Keys) -> None:
        self._community, self._keys = community, keys
        self._rng = SeededRandom(community.seed, "people")

    def draw(self, patients: int) -> None:
        """Draw everybody: so many patients besides those who are odd on purpose."""
        self._odd_patients()
        for _ in range(patients):
            self.person()
        staff = self.person(created=START, privacy=None)
        staff.is_staff = True
        self._practitioners(max(14, patients // 12))
        for person in self._community.patients[::5]:
            number = f"{self._rng.randint(0, 10**9):010d}"
            expires = None if self._rng.chance(0.3) else TODAY + self._rng.randint(-90, 400) * DAY
            name = self._rng.choice(("Plano Girassol", "Saúde Horizonte", "Convênio Mar Aberto"))
            self._community.agreements.append(Agreement(self._keys.next("agreement"), person, name, number, expires))

    def person(self, **known: Any) -> Person:
        """Draw an account; what is known of it is as it is said."""
        rng, number = self._rng, len(self._community.people)
        state = STATES[
            rng.choice(("SP", "SP", "SP", "RJ", "RJ", "BA", "PE", "AM", "AC", "MT", rng.choice(list(STATES))))
        ]
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        values: dict[str, Any] = {
            "key": self._keys.next("user"),
            "profile_key": self._keys.next("profile"),
            "first_name": first,
            "last_name": last,
            "birth_date": None if rng.chance(0.02) else date(1950, 1, 1) + rng.randint(0, 20_800) * DAY,
            "state": state,
            "phone": f"+55{state.area_code}90{number:07d}",
            "cpf": cpf_of(rng.randint(100_000_000, 999_999_999)),
            "email": f"{_plain(first)}.{_plain(last)}.{number}@{DOMAIN}",
            "created": self._moment(START, NOW),
            "traits": self._traits(),
            "is_active": not rng.chance(0.08),
        }
        person = Person(**(values | known))
        self._community.people.append(person)
        return person

    def _odd_patients(self) -> None:
        faults = self._community.faults
        named: dict[str, Any] = {"first_name": "Dindará", "last_name": "Moringueira", "birth_date": date(1991, 5, 17)}
        faults["namesakes"] = [self.person(**named).key for _ in range(2)]
        births = (date(2008, 2, 29), date(2012, 7, 1), date(2010, 12, 31))
        faults["under_18"] = [self.person(birth_date=birth).key for birth in births]
        faults["birthday_today"] = [self.person(birth_date=date(2000, 2, 27)).key]
        faults["no_birth_date"] = [self.person(birth_date=None).key]
        faults["no_answers"] = [self.person(traits=Traits()).key]
        faults["no_privacy_document"] = [self.person(privacy=None).key]
        for ethnic_group, size in RARE_CELLS:
            traits = Traits(ethnic_group, "TV", "DE", "EA", ("NP",))
            faults[f"cell_of_{size}"] = [self.person(traits=traits, is_active=True).key for _ in range(size)]
        faults["campaign"] = [
            self.person(
                created=datetime(2025, month, 3, 15, day, 7, day, tzinfo=NOW.tzinfo),
                traits=CAMPAIGN,
                birth_date=date(1995, 3, 1),
                is_active=True,
            ).key
            for month, number in ((3, 1), (4, 12))
            for day in range(1, number + 1)
        ]

    def _practitioners(self, number: int) -> None:
        faults = self._community.faults
        for place in range(number):
            created = self._moment(START - 90 * DAY, START)
            person = self.person(created=created, privacy=PROFESSIONAL, is_active=True)
            practitioner = self._practitioner(person)
            self._community.practitioners.append(practitioner)
            if place in (3, 4):  # two of one name and state, and two clinics of one name and place
                practitioner.full_name, practitioner.state = "Umbuzélia Tigelone", STATES["SP"]
                practitioner.clinic = self._clinic(STATES["SP"], CLINICS[0], "São Paulo")
        by_place = self._community.practitioners
        faults["equal_practitioners"] = [one.key for one in by_place[3:5]]
        faults["equal_clinics"] = [one.clinic.key for one in by_place[3:5] if one.clinic]
        by_place[5].clinic = self._clinic(STATES["RJ"], None, "Niterói")
        by_place[6].clinic = self._clinic(None, "Consultório sem lugar", None)
        by_place[7].clinic = self._clinic(STATES["PE"], "Pousada do Cuidado", NORONHA)
        by_place[8].clinic = self._clinic(STATES["AC"], "Clínica do Poente", "Rio Branco")
        by_place[9].clinic = self._clinic(STATES["SP"], "Clínica sem preço", "Campinas")
        by_place[9].clinic.price = Decimal("NaN")
        for name, place in (("unnamed_clinics", 5), ("placeless_clinics", 6), ("island_clinics", 7), ("nan_prices", 9)):
            clinic = by_place[place].clinic
            faults[name] = [clinic.key] if clinic else []
        by_place[10].clinic, by_place[10].status, by_place[10].is_active = None, "pending", False
        faults["without_clinic"] = [by_place[10].key]
        faults["unrated_practitioners"] = [by_place[11].key]
        faults["empty_specialty"] = [one.key for one in by_place if one.specialty is None]

    def _practitioner(self, person: Person) -> Practitioner:
        rng = self._rng
        profession = rng.choice((*PROFESSIONS, "Psicologia", "Psicologia", "Medicina"))
        kind = rng.choice(("CPF", "EMAIL", "PHONE", "EVP"))
        random = f"{rng.randint(0, 2**32 - 1):08x}-0000-4000-8000-{rng.randint(0, 2**48 - 1):012x}"
        pix = {"CPF": person.cpf, "EMAIL": person.email, "PHONE": person.phone, "EVP": random}[kind]
        return Practitioner(
            key=self._keys.next("professional"),
            person=person,
            full_name=person.name,
            state=person.state,
            profession=profession,
            specialty=rng.choice((*SPECIALTIES.get(profession, ()), None)),
            status=rng.weighted_choice(("approved", "in_review", "rejected"), (90, 6, 4)),
            is_active=not rng.chance(0.05),
            pix=None if rng.chance(0.1) else (kind, pix),
            clinic=self._clinic(person.state, rng.choice(CLINICS), CITIES.get(person.state.code)),
            created=person.created + timedelta(minutes=rng.randint(5, 600)),
        )

    def _clinic(self, state: State | None, name: str | None, city: str | None) -> Clinic:
        in_person = city is not None or name is not None
        price = Decimal(self._rng.randint(60, 480)) + Decimal("0.50")
        key = self._keys.next("clinic")
        return Clinic(key, name, city, state, in_person, self._rng.chance(0.7), price)

    def _traits(self) -> Traits:
        rng = self._rng
        drawn: dict[str, str | None] = {}
        while not drawn or (drawn["gender_identity"], drawn["sexuality"]) in RESERVED:
            drawn = {
                attribute: None
                if rng.chance(0.04)
                else rng.weighted_choice([answer.code for answer in ANSWERS[attribute]], weights)
                for attribute, weights in WEIGHTS.items()
            }
        disabilities = ("NP",)
        if rng.chance(0.12):
            codes = [answer.code for answer in ANSWERS["disability_types"][1:]]
            disabilities = tuple(sorted({rng.choice(codes), rng.choice(codes)}))  # type: ignore[assignment]
        own = {name: "nas minhas palavras" for name, code in drawn.items() if code == OTHER}
        if OTHER in disabilities:
            own["disability_types"] = "uma só minha"
        return Traits(**drawn, disability_types=disabilities, own_words=tuple(own.items()))

    def _moment(self, first: datetime, last: datetime) -> datetime:
        span = (last - first) // timedelta(microseconds=1)
        return first + timedelta(microseconds=self._rng.randint(0, span))


def cpf_of(number: int) -> str:
    """A number of nine digits as a CPF, check digits and all: 529.982.247-25."""
    digits = [int(digit) for digit in f"{number:09d}"]
    for _ in range(2):
        total = sum(digit * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1), strict=True))
        digits.append(total * 10 % 11 % 10)
    text = "".join(map(str, digits))
    return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return "".join(filter(str.isalnum, letters)).lower()
