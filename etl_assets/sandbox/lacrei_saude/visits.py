"""Draws appointments from a seed, and what was said of them: those odd on purpose, and as many more as asked for."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from etl_assets.sandbox.lacrei_saude.community import (
    CANCELED,
    COMPLETED,
    CONFIRMED,
    IN_PERSON,
    NOW,
    ONLINE,
    PENDING,
    START,
    Cancellation,
    Community,
    Person,
    Practitioner,
    Report,
    Visit,
)
from etl_assets.sandbox.lacrei_saude.people import Keys
from etl_assets.sandbox.lacrei_saude.vocabulary import FEEDBACKS, ODD_TEXTS, PERSONAL_FEEDBACKS, REASONS, SAO_PAULO
from etl_assets.sandbox.seeded_random import SeededRandom

HOURS = (8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 20, 21, 22)
_STATUSES = (COMPLETED, CANCELED, CONFIRMED, PENDING)
_PAST, _AHEAD = (74, 18, 5, 3), (0, 14, 46, 40)
_RATINGS = (4, 6, 12, 28, 50)


class Visits:
    """Draws appointments into a community that has its people."""

    def __init__(self, community: Community, keys: Keys) -> None:
        self._community, self._keys = community, keys
        self._rng = SeededRandom(community.seed, "visits")
        self._taken: set[tuple[str, datetime]] = set()
        self._agreements = {agreement.person.key: agreement for agreement in community.agreements}
        self._unrated = set(community.faults["unrated_practitioners"])

    def draw(self, number: int) -> None:
        """Draw so many appointments besides those that are odd on purpose."""
        self._odd()
        open_to = [one for one in self._community.practitioners if one.clinic and one.status == "approved"]
        patients = self._community.patients
        for _ in range(number):
            self._any(self._rng.choice(open_to), self._rng.choice(patients))
        faults = self._community.faults
        faults["personal_feedback"] = [one.key for one in self._community.reports if _is_personal(one.feedback)]
        faults["empty_feedback"] = [one.key for one in self._community.reports if not one.feedback]
        faults["rescheduled"] = [visit.key for visit in self._community.visits if visit.rescheduled]

    def _any(self, practitioner: Practitioner, patient: Person) -> None:
        rng, clinic = self._rng, practitioner.clinic
        first = max(practitioner.created, patient.created, START)
        created = first + timedelta(microseconds=rng.randint(0, (NOW - first) // timedelta(microseconds=1)))
        in_person = clinic is not None and clinic.in_person and (not clinic.online or rng.chance(0.45))
        day = created.date() + timedelta(days=1 + min(int(rng.lognormal(9, 0.9)), 75))
        start = self._clock(practitioner, in_person, day, rng.choice(HOURS), rng.choice((0, 30)))
        status = rng.weighted_choice(_STATUSES, _PAST if start < NOW else _AHEAD)
        who = {(practitioner.key, start), (patient.key, start)}
        if status != CANCELED and who & self._taken:
            return  # the database would refuse it
        visit = self._add(practitioner, patient, start, created=created, status=status, in_person=in_person)
        visit.rescheduled = rng.chance(0.06)
        if rng.chance(0.5):
            visit.agreement = self._agreements.get(patient.key)
        if status == COMPLETED and practitioner.key not in self._unrated:
            for author, share in (("user", 0.5), ("professional", 0.25)):
                if rng.chance(share):
                    self._report(visit, author)
        if status == CANCELED and rng.chance(0.95):
            self._cancel(visit, rng.choice(("user", "professional")))

    def _odd(self) -> None:
        practitioners, faults = self._community.practitioners, self._community.faults
        patients = sorted(self._community.patients, key=lambda person: person.created)[:9]
        first = practitioners[0]

        def odd(fault: str, practitioner: Practitioner, start: datetime, **known: Any) -> Visit:
            visit = self._add(practitioner, known.pop("patient", self._rng.choice(patients)), start, **known)
            faults.setdefault(fault, []).append(visit.key)
            return visit

        late = {"status": COMPLETED, "in_person": False}
        for month_end in (date(2025, 6, 30), date(2025, 12, 31)):
            odd("next_month_in_utc", first, self._clock(first, False, month_end, 22, 30), **late)
        odd("next_day_in_utc", first, self._clock(first, False, date(2025, 9, 10), 21, 15), **late)
        # In São Paulo, half past midnight on the island is the evening before, and a late evening in Acre the next day.
        for place, when in ((7, (date(2025, 10, 1), 0, 30)), (8, (date(2025, 10, 31), 23, 0))):
            start = self._clock(practitioners[place], True, *when)
            odd("other_day_in_sao_paulo", practitioners[place], start, status=COMPLETED, in_person=True)
        for day in (3, 4, 5):
            start = self._clock(first, False, date(2025, 8, day), 9)
            odd("created_after_date", first, start, created=start + timedelta(days=day, minutes=7), **late)
        start = self._clock(first, False, date(2025, 8, 6), 9)
        odd("no_wait", first, start, created=start, **late)
        for number in (2, 3):
            start = self._clock(first, False, date(2025, 8, 10 + number), 9)
            visit = odd("several_reports", first, start, **late)
            for author in ("user", "professional", "user")[:number]:
                self._report(visit, author)
        start = self._clock(first, False, date(2025, 8, 20), 9)
        visit = odd("several_cancellations", first, start, status=CANCELED, in_person=False)
        for author in ("user", "professional", "user"):
            self._cancel(visit, author)
        start = self._clock(first, False, date(2025, 8, 21), 9)
        odd("canceled_without_reason", first, start, status=CANCELED, in_person=False)
        rebooked = odd("rebooked", first, start, patient=patients[0], **late)
        rebooked.rescheduled = True
        start = self._clock(first, False, date(2025, 8, 22), 9)
        odd("practitioners_as_patients", first, start, patient=practitioners[1].person, **late)
        silent = practitioners[11]
        odd("never_rated", silent, self._clock(silent, False, date(2025, 8, 23), 9), **late)

    def _add(
        self,
        practitioner: Practitioner,
        patient: Person,
        start: datetime,
        *,
        status: str,
        in_person: bool,
        created: datetime | None = None,
    ) -> Visit:
        created = created or start - timedelta(days=self._rng.randint(1, 20), microseconds=self._rng.randint(1, 10**6))
        kind = IN_PERSON if in_person else ONLINE
        visit = Visit(self._keys.next("appointment"), practitioner, patient, start, created, status, kind)
        if status != CANCELED:
            self._taken |= {(practitioner.key, start), (patient.key, start)}
        self._community.visits.append(visit)
        return visit

    def _report(self, visit: Visit, author: str) -> None:
        rng = self._rng
        rating = rng.weighted_choice((1, 2, 3, 4, 5), _RATINGS)
        text = rng.choice((*FEEDBACKS, *FEEDBACKS, rng.choice(PERSONAL_FEEDBACKS), rng.choice(ODD_TEXTS)))
        if text in PERSONAL_FEEDBACKS:
            patient, practitioner = visit.patient, visit.practitioner
            text = text.format(
                name=practitioner.full_name, phone=patient.phone, cpf=patient.cpf, email=practitioner.person.email
            )
        later = timedelta(minutes=rng.randint(60, 3_000), microseconds=rng.randint(0, 999_999))
        created = min(max(visit.start, visit.created) + later, NOW)
        visit.reports.append(Report(self._keys.next("report"), author, rating, text, created))

    def _cancel(self, visit: Visit, author: str) -> None:
        rng = self._rng
        created = visit.created + timedelta(minutes=rng.randint(1, 900))
        reason = rng.choice((*REASONS, *REASONS, f"{visit.patient.name} avisou pelo {visit.patient.phone}"))
        visit.cancellations.append(Cancellation(self._keys.next("cancellation"), author, reason, created))

    @staticmethod
    def _clock(practitioner: Practitioner, in_person: bool, day: date, hour: int, minute: int = 0) -> datetime:
        """A moment by the clock that such an appointment is kept by."""
        zone = practitioner.clinic.zone if in_person and practitioner.clinic else SAO_PAULO
        return datetime.combine(day, time(hour, minute), tzinfo=zone).astimezone(UTC)


def _is_personal(feedback: str) -> bool:
    return feedback not in FEEDBACKS and feedback not in ODD_TEXTS
