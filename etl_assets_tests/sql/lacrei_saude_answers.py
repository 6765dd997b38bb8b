"""What Lacrei Saude's exact marts must say, counted from the facts of the stand-in and not from its tables."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from etl_assets.sandbox.lacrei_saude.community import Community, Person, Practitioner, Visit
from etl_assets.sandbox.lacrei_saude.vocabulary import SAO_PAULO

Rows = set[tuple[Any, ...]]
UNKNOWN = "N/I"
GROUPS = ((18, "<18"), (26, "18-25"), (36, "26-35"), (46, "36-45"), (61, "46-60"), (200, "60+"))


def expected_marts(community: Community, pseudonyms: Mapping[str, str]) -> dict[str, Rows]:
    """All rows of all exact marts; `pseudonyms` are those of professionals, by their keys."""
    return {
        "mart_appointments": _appointments(community.visits),
        "mart_feedback": _feedback(community.visits),
        "patients": _patients(community.patients),
        "patient_disability": _disabilities(community.patients),
        "professionals": _professionals(community, pseudonyms),
        "professional_appointments": _professional_appointments(community.visits, pseudonyms),
    }


def age_group(person: Person) -> str:
    """The group of the age on the day of signing up, by Sao Paulo's clock."""
    if person.birth_date is None:
        return UNKNOWN
    day = person.created.astimezone(SAO_PAULO).date()
    born = person.birth_date
    age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return next(group for upto, group in GROUPS if age < upto)


def sign_up_month(person: Person) -> date:
    return person.created.astimezone(SAO_PAULO).date().replace(day=1)


def _appointments(visits: Iterable[Visit]) -> Rows:
    cells = _grouped(
        visits,
        lambda visit: (visit.month, visit.type, visit.practitioner.state.code, visit.practitioner.specialty or UNKNOWN),
    )
    return {
        (
            *key,
            len(found),
            *(_of_status(found, status) for status in ("pending", "confirmed", "completed", "canceled")),
            0,
            _per_cent(_of_status(found, "completed"), len(found)),
            _per_cent(_of_status(found, "canceled"), len(found)),
            _waiting(found),
            len({visit.patient.key for visit in found}),
        )
        for key, found in cells.items()
    }


def _feedback(visits: Iterable[Visit]) -> Rows:
    counted = [visit for visit in visits if visit.status == "completed" or _ratings([visit])]
    rows = set()
    for key, found in _grouped(counted, lambda each: (each.month, each.practitioner.specialty or UNKNOWN)).items():
        ratings, completed = _ratings(found), [visit for visit in found if visit.status == "completed"]
        answered = sum(bool(_ratings([visit])) for visit in completed)
        rows.add(
            (
                *key,
                len(ratings),
                *(ratings.count(number) for number in range(1, 6)),
                _mean(ratings),
                len(completed),
                answered,
                _per_cent(answered, len(completed)),
                _raters(found),
            )
        )
    return rows


def _patients(patients: Iterable[Person]) -> Rows:
    cells = _grouped(
        patients,
        lambda person: (
            sign_up_month(person),
            age_group(person),
            person.traits.gender_identity or UNKNOWN,
            person.traits.sexuality or UNKNOWN,
            person.traits.ethnic_group or UNKNOWN,
        ),
    )
    rows = set()
    for (month, *group), found in cells.items():
        earlier = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
        before = len(cells.get((earlier, *group), ()))
        rows.add((month, *group, *_activity(found), _per_cent(len(found) - before, before)))
    return rows


def _disabilities(patients: Iterable[Person]) -> Rows:
    named = [(person, kind) for person in patients for kind in person.traits.disability_types or (UNKNOWN,)]
    cells = _grouped(named, lambda each: (sign_up_month(each[0]), each[1]))
    return {(*key, *_activity([person for person, _ in found])) for key, found in cells.items()}


def _professionals(community: Community, pseudonyms: Mapping[str, str]) -> Rows:
    rows = set()
    for one in community.practitioners:
        visits, traits = [visit for visit in community.visits if visit.practitioner is one], one.person.traits
        said = (traits.ethnic_group, traits.gender_identity, traits.sexuality, traits.pronoun)
        rows.add(
            (
                pseudonyms[one.key],
                one.specialty or UNKNOWN,
                one.state.code,
                *(answer or UNKNOWN for answer in said),
                one.status,
                one.is_active,
                _of_status(visits, "completed"),
                len(_ratings(visits)),
                _mean(_ratings(visits)),
                len({visit.patient.key for visit in visits if visit.status == "completed"}),
                _raters(visits),
            )
        )
    return rows


def _professional_appointments(visits: Iterable[Visit], pseudonyms: Mapping[str, str]) -> Rows:
    cells: dict[tuple[Any, ...], list[Visit]] = _grouped(visits, lambda visit: (visit.practitioner.key, visit.month))
    rows = set()
    for (_, month), found in cells.items():
        one: Practitioner = found[0].practitioner
        rows.add(
            (
                pseudonyms[one.key],
                month,
                one.specialty or UNKNOWN,
                one.state.code,
                len(found),
                _of_status(found, "completed"),
                *(
                    sum(visit.status == status and visit.type == kind for visit in found)
                    for status in ("completed", "canceled")
                    for kind in ("online", "in_person")
                ),
                _per_cent(_of_status(found, "completed"), len(found)),
                _per_cent(_of_status(found, "canceled"), len(found)),
                _waiting(found),
                len({visit.patient.key for visit in found}),
            )
        )
    return rows


def _grouped(items: Iterable[Any], key: Any) -> dict[tuple[Any, ...], list[Any]]:
    cells = defaultdict(list)
    for item in items:
        cells[key(item)].append(item)
    return cells


def _of_status(visits: Iterable[Visit], status: str) -> int:
    return sum(visit.status == status for visit in visits)


def _ratings(visits: Iterable[Visit]) -> list[int]:
    return [report.rating for visit in visits for report in visit.reports if report.author == "user"]


def _raters(visits: Iterable[Visit]) -> int:
    return len({visit.patient.key for visit in visits if _ratings([visit])})


def _waiting(visits: Iterable[Visit]) -> Decimal | None:
    return _mean([visit.waiting_minutes for visit in visits if visit.created <= visit.start])


def _activity(people: Collection[Person]) -> tuple[Any, ...]:
    active = sum(person.is_active for person in people)
    return len(people), active, len(people) - active, _per_cent(active, len(people))


def _mean(numbers: Sequence[int]) -> Decimal | None:
    return _to_cents(Decimal(sum(numbers)) / len(numbers)) if numbers else None


def _per_cent(part: int, whole: int) -> Decimal | None:
    return _to_cents(Decimal(100 * part) / whole) if whole else None


def _to_cents(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.01"), ROUND_HALF_UP)
