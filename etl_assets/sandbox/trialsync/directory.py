"""Records that stand by themselves: studies, sites, sponsors, staff, patients, and what an installation has set up.

Each method gives the JSON of one record by its number, from 0 on. Previews are how other records name it.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache

from etl_assets.readers.rest.specification import Specification
from etl_assets.sandbox.trialsync.books import PATIENT, SITE, STUDY, Books
from etl_assets.sandbox.trialsync.numbers import draw, moment, uid
from etl_assets.sandbox.trialsync.people import person
from etl_assets.sandbox.trialsync.templates import Templates

STAFF, SPONSOR, MONITOR, SCHEDULE, ROOM = 301, 501, 71, 81, 91
ORGANIZATION = '{"Id":1,"Name":"Utopian Research"}'
_RACES = ("Asian", "Black", "White", "Other")
_PATIENT_STATUSES = ("Active",) * 16 + ("Inactive", "OnHold", "Ineligible", "Deceased")


class Directory:
    """Makes records of an instance."""

    def __init__(self, books: Books, shapes: Specification) -> None:
        self.books, self._seed, scale = books, books.seed, books.scale
        self.sponsors, self.staff = max(3, scale.studies // 4), max(8, scale.studies // 2 + 2 * scale.sites)
        self.monitors, self.schedules, self.rooms = 6, 4, 2 * scale.sites
        self.study_preview = lru_cache(2_000)(self._study_preview)
        self.site_preview = lru_cache(2_000)(self._site_preview)
        self.templates = Templates(
            shapes.models,
            books.seed,
            {
                "StudyPreviewModel": lambda number: self.study_preview(number % scale.studies),
                "SitePreviewModel": lambda number: self.site_preview(number % scale.sites),
                "StaffPreviewModel": lambda number: self.staff_preview(number % self.staff),
                "MonitorPreviewModel": lambda number: self.monitor(number % self.monitors),
                "SchedulePreviewModel": lambda number: self.schedule_preview(number % self.schedules),
                "OrganizationPreviewModel": lambda _: ORGANIZATION,
                "SponsorPreviewModel": lambda number: self.sponsor_preview(number % self.sponsors),
                "SponsorDivisionPreviewModel": lambda number: self.sponsor_preview(number % self.sponsors, "Division"),
                "SponsorTeamPreviewModel": lambda number: self.sponsor_preview(number % self.sponsors, "Team"),
            },
        )

    def record(self, model: str, number: int, values: Mapping[str, object], known_as: tuple[str, int] = ("", 0)) -> str:
        """A record of a model with some values given as JSON; its version is that of what the books know it as."""
        return self.templates.of(model, tuple(values)).fill(number + self.books.versions.get(known_as, 0), values)

    def _study_preview(self, study: int) -> str:
        """How others name a study."""
        return self._preview(1, STUDY + study, f"Study {STUDY + study}")

    def _site_preview(self, site: int) -> str:
        """How others name a site."""
        return self._preview(2, SITE + site, f"Site {SITE + site}")

    def patient_preview(self, patient: int) -> str:
        """How appointments name a patient."""
        return self._preview(3, PATIENT + patient, person(self._seed, patient).name)

    def sponsor_preview(self, sponsor: int, word: str = "Sponsor") -> str:
        """How others name a sponsor, its one division or that one's team: all go by the same number."""
        return f'{{"id":{SPONSOR + sponsor},"name":"{word} {SPONSOR + sponsor}"}}'

    def schedule_preview(self, number: int) -> str:
        """How rooms name a schedule."""
        return f'{{"id":{SCHEDULE + number},"name":"Schedule {number + 1}"}}'

    def staff_preview(self, number: int) -> str:
        """How others name somebody of the staff."""
        first, last = _staff_name(self._seed, number)
        return (
            f'{{"id":{STAFF + number},"uid":{uid(self._seed, 4, number)},"login":"staff{number}",'
            f'"firstName":"{first}","lastName":"{last}","displayName":"{last}, {first}"}}'
        )

    def monitor(self, number: int) -> str:
        """Somebody of a sponsor."""
        first, last = _staff_name(self._seed, 10_000 + number)
        return f'{{"id":{MONITOR + number},"firstName":"{first}","lastName":"{last}","displayName":"{last}, {first}"}}'

    def study(self, study: int) -> str:
        """The one record that tells when it was changed last."""
        books, identity, sponsor = self.books, STUDY + study, study % self.sponsors
        created, version = books.begins(study) - timedelta(days=90), books.versions["studies", identity]
        updated = created + timedelta(days=draw(self._seed, 6, study) % 400)
        values = {
            "id": identity, "uid": uid(self._seed, 1, identity), "name": f'"Study {identity}"',
            "status": f'"{books.study_status(study)}"', "protocolNumber": f'"UTO-{self._seed}-{identity}"',
            "nctNumber": f'"NCT9{draw(self._seed, 7, study) % 10**7:07d}"', "phase": f'"Phase {study % 4 + 1}"',
            "launchYear": created.year, "sponsor": self.sponsor_preview(sponsor),
            "sponsorDivision": self.sponsor_preview(sponsor, "Division"),
            "sponsorTeam": self.sponsor_preview(sponsor, "Team"),
            "managingSite": self.site_preview(study % books.scale.sites), "organization": ORGANIZATION,
            "createdOn": moment(created, 8),
            "lastUpdatedOn": moment(books.now, 12, version % 60) if version else moment(min(updated, books.now), 10),
        }  # fmt: skip
        return self.record("StudyViewModel", study, values, ("studies", identity))

    def site(self, site: int) -> str:
        """A site."""
        values = {**_as_json(json.loads(self.site_preview(site))), "active": "true", "timeZone": '"America/Chicago"'}
        return self.record("SiteModel", site, values, ("sites", SITE + site))

    def staff_member(self, number: int) -> str:
        """Somebody of the staff."""
        names = json.loads(self.staff_preview(number))
        return self.record("StaffViewModel", number, {**_as_json(names), "staffRoles": "[]"}, ("staff", STAFF + number))

    def staff_resource(self, number: int) -> str:
        """How personnel lists name somebody: with capital letters."""
        one = json.loads(self.staff_preview(number))
        values = {"Id": one["id"], "UID": one["uid"], "FirstName": one["firstName"], "LastName": one["lastName"]}
        return self.record("StaffResource", number, _as_json(values))

    def patient(self, patient: int) -> str:
        """A patient, with all that is personal."""
        books, one, chance = self.books, person(self._seed, patient), draw(self._seed, 8, patient)
        version = books.versions["patients", PATIENT + patient]
        status = _PATIENT_STATUSES[(chance + version) % len(_PATIENT_STATUSES)]
        studies = ",".join(map(self.study_preview, books.active_studies(patient)))
        guardian = {"name": one.guardian, "phone": one.phone, "email": one.email, "relationshipToPatient": "Parent"}
        values = {
            "id": PATIENT + patient, "uid": uid(self._seed, 3, PATIENT + patient),
            "primarySite": self.site_preview(chance // 32 % books.scale.sites), "status": f'"{status}"',
            "activeStudies": f"[{studies}]", "displayName": f'"{one.name}"', "firstName": f'"{one.first_name}"',
            "middleName": "null", "lastName": f'"{one.last_name}"', "phoneticName": "null", "preferredName": "null",
            "phone1": f'{{"rawNumber":"{one.raw_phone}","number":"{one.phone}","outOfService":false}}',
            "primaryEmail": f'{{"email":"{one.email}","doNotEmail":false}}', "dateOfBirth": moment(one.born),
            "dateOfDeath": moment(books.now - timedelta(days=1)) if status == "Deceased" else "null",
            "genderCode": f'"{one.gender}"', "race": f'"{_RACES[chance // 1024 % len(_RACES)]}"',
            "ssn": f'"{one.ssn}"', "mrn": f'"{one.mrn}"',
            "primaryInsurance": f'{{"name":"Utopia Mutual","account":"{one.insurance}"}}',
            "secondaryInsurance": "null",
            "guardian": self.record("Guardian", patient, _as_json(guardian)) if one.guardian else "null",
        }  # fmt: skip
        return self.record("PatientViewModel", patient, values, ("patients", PATIENT + patient))

    def demographics(self, patient: int) -> str:
        """How subjects name a patient."""
        one, race = person(self._seed, patient), _RACES[draw(self._seed, 8, patient) // 1024 % len(_RACES)]
        return (
            f'{{"firstName":"{one.first_name}","middleName":null,"lastName":"{one.last_name}","title":null,'
            f'"genderCode":"{one.gender}","race":"{race}","ethnicity":null,"dateOfBirth":{moment(one.born)},'
            f'"id":{PATIENT + patient},"uid":{uid(self._seed, 3, PATIENT + patient)},"name":"{one.name}"}}'
        )

    def sponsor(self, sponsor: int) -> str:
        """A sponsor with its division."""
        below = {"sponsorDivisions": f"[{self.sponsor_preview(sponsor, 'Division')}]"}
        return self._of_sponsor("SponsorViewModel", sponsor, "Sponsor", "sponsors", below)

    def division(self, sponsor: int) -> str:
        """A sponsor's division with its team."""
        around = {"sponsor": self.sponsor_preview(sponsor), "teams": f"[{self.sponsor_preview(sponsor, 'Team')}]"}
        return self._of_sponsor("SponsorDivisionViewModel", sponsor, "Division", "sponsor-divisions", around)

    def team(self, sponsor: int) -> str:
        """A division's team."""
        above = {"sponsor": self.sponsor_preview(sponsor), "sponsorDivision": self.sponsor_preview(sponsor, "Division")}
        return self._of_sponsor("SponsorTeamViewModel", sponsor, "Team", "sponsor-teams", above)

    def _of_sponsor(self, model: str, sponsor: int, word: str, kind: str, values: Mapping[str, object]) -> str:
        named = {"id": SPONSOR + sponsor, "name": f'"{word} {SPONSOR + sponsor}"', **values}
        return self.record(model, sponsor, named, (kind, SPONSOR + sponsor))

    def _preview(self, kind: int, identity: int, name: str) -> str:
        return f'{{"id":{identity},"uid":{uid(self._seed, kind, identity)},"name":"{name}"}}'


def _as_json(values: Mapping[str, object]) -> dict[str, object]:
    return {name: json.dumps(value) for name, value in values.items()}


def _staff_name(seed: int, number: int) -> tuple[str, str]:
    """First and last name of somebody who works there: no patient's, and no secret."""
    chance = draw(seed, 9, number)
    return ("Ada", "Bert", "Cleo", "Dan", "Eva", "Finn")[chance % 6], f"Worker{number}"
