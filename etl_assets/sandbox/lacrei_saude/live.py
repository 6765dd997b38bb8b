"""A sandbox that is in use: what happens in it, so that tests and people can watch a loader notice it.

A row that the site itself saves gets the server's own time as its stamp; what is done in bulk or by hand gets none.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from etl_assets.errors import EtlError
from etl_assets.sandbox.lacrei_saude.community import NOW
from etl_assets.sandbox.lacrei_saude.fill import MARK, mark_of
from etl_assets.sandbox.lacrei_saude.people import CAMPAIGN
from etl_assets.sandbox.lacrei_saude.rows import CONTENT_TYPES, answer_id
from etl_assets.sandbox.lacrei_saude.schema import NEWER, OLDER, listed_names, tables
from etl_assets.sandbox.lacrei_saude.vocabulary import DOMAIN, FIRST_NAMES, LAST_NAMES, STATES
from etl_assets.sandbox.seeded_random import SeededRandom

EARLIEST = datetime(2023, 11, 6, 13, tzinfo=NOW.tzinfo)
"""When the appointment was that is found last: before every other."""
_MAY_LEAVE = "is_active and not is_staff and privacy_document_id = 1"


@dataclass
class Changed:
    """The keys of the rows that were changed, by table."""

    inserted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    updated: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Their stamp moved."""
    silent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Updated, and their stamp did not move."""
    deleted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def advance(connection: Any, step: int) -> Changed:
    """Let the network live on for a day, in one transaction.

    Appointments are completed, moved, called off and deleted; somebody leaves who was the last of their group; somebody
    signs up and books; a professional takes another name; an appointment from before all others is found; and, without
    a stamp, prices rise in bulk and disabilities change.

    Args:
        connection: An open psycopg connection to a sandbox that `fill` filled, in either schema.
        step: Which day it is, from 1; each is to be lived once.

    Returns:
        What was changed.

    Raises:
        EtlError: It is no sandbox; nothing was changed.
    """
    work = _Step(connection, step)
    with connection.transaction():
        work.do()
    return work.changed


def reschedule(connection: Any, appointment: str, to: datetime) -> None:
    """Move an appointment to another time, as the site does: its key stays, and its stamp moves."""
    connection.execute(
        "update lacreiid_appointment set date = %s, rescheduled = true, updated_at = clock_timestamp() where id = %s",
        (to, appointment),
    )


def erase(connection: Any, user: str) -> Changed:
    """Delete an account and every row that refers to it, as the right to erasure has it; logs of payments stay."""
    work = _Step(connection, 0)
    with connection.transaction():
        work.delete("lacreiid_user", [user])
    return work.changed


class _Step:
    """One day."""

    def __init__(self, connection: Any, step: int) -> None:
        mark = mark_of(connection)
        if mark is None:
            raise EtlError(f"The database is not marked as a sandbox of Lacrei Saude (site '{MARK}').")
        self._connection, self._step = connection, step
        self._schema = NEWER if mark.startswith(NEWER) else OLDER
        self._rng = SeededRandom("live", step)
        self._day = NOW + timedelta(days=step)
        # Nobody else's appointment begins at such a second: the database takes no two of a professional at one time.
        self._slot = self._day + timedelta(seconds=step)
        self.changed = Changed()

    def do(self) -> None:
        """Do all of it."""
        for visit in self._keys("lacreiid_appointment", "status = 'confirmed'", 3):
            self._update("lacreiid_appointment", visit, status="completed")
            self._insert("lacreiid_report", appointment_id=visit, feedback="Depois do dia.", eval=4, **self._by(visit))
        for visit in self._keys("lacreiid_appointment", "status = 'pending'", 1):
            reschedule(self._connection, visit, self._slot + timedelta(days=20, minutes=self._rng.randint(1, 600)))
            self.changed.updated["lacreiid_appointment"].append(visit)
        for visit in self._keys("lacreiid_appointment", "status = 'pending' and not rescheduled", 1):
            self._update("lacreiid_appointment", visit, status="canceled")
            self._insert("lacreiid_cancellation", appointment_id=visit, reason="Mudei de ideia", **self._by(visit))
        self.delete("lacreiid_appointment", self._keys("lacreiid_appointment", "status = 'completed'", 1))
        self._leave()
        self._change_silently()
        patient = self._sign_up()
        (practitioner,) = self._keys("lacreisaude_professional", "profile_status = 'approved'", 1)
        name = f"{self._rng.choice(FIRST_NAMES)} {self._rng.choice(LAST_NAMES)}"
        self._update("lacreisaude_professional", practitioner, full_name=name)
        earlier, at = timedelta(days=self._step), self._day + timedelta(microseconds=self._step)
        self._book(patient, practitioner, EARLIEST - earlier, "completed", EARLIEST - timedelta(days=40))
        for days, status in ((3, "confirmed"), (4, "pending"), (5, "pending"), (6, "confirmed")):
            self._book(patient, practitioner, self._slot + timedelta(days=days), status, at)

    def _keys(self, table: str, where: str, number: int) -> list[str]:
        """The keys of some rows that meet a condition, by chance but the same each time."""
        found = self._connection.execute(
            f"select id from {table} where {where} order by md5(id || %s) limit {number}",  # noqa: S608 (our own words)
            (str(self._step),),
        )
        return [key for (key,) in found]

    def _by(self, visit: str) -> dict[str, Any]:
        found = self._connection.execute("select user_id from lacreiid_appointment where id = %s", (visit,))
        return {"created_by_content_type_id": CONTENT_TYPES["user"], "created_by_object_id": found.fetchone()[0]}

    def _insert(self, table: str, **values: object) -> str:
        values = {"id": f"{self._rng.randint(0, 2**32 - 1):08x}", "created_at": self._day, **values}
        values["updated_at"] = self._connection.execute("select clock_timestamp()").fetchone()[0]
        for column in tables(self._schema)[table].columns:
            if column.type == "boolean" and not column.nullable:
                values.setdefault(column.name, False)
        places = ", ".join(["%s"] * len(values))
        statement = f"insert into {table} ({listed_names(values)}) values ({places})"  # noqa: S608 (declared names)
        self._connection.execute(statement, list(values.values()))
        self.changed.inserted[table].append(str(values["id"]))
        return str(values["id"])

    def _update(self, table: str, key: str, **values: object) -> None:
        sets = ", ".join(f"{name} = %s" for name in values)
        statement = f"update {table} set {sets}, updated_at = clock_timestamp() where id = %s"  # noqa: S608
        self._connection.execute(statement, [*values.values(), key])
        self.changed.updated[table].append(key)

    def _sign_up(self) -> str:
        """A new account with its profile, in which one answer is given."""
        state = STATES[self._rng.choice(("SP", "AM"))]
        user = self._insert(
            "lacreiid_user",
            password="pbkdf2_sha256$0$invalid",  # noqa: S106 (nobody can log in with it)
            email=f"nova.{self._step}@{DOMAIN}",
            first_name=self._rng.choice(FIRST_NAMES),
            last_name=self._rng.choice(LAST_NAMES),
            birth_date=(self._day - timedelta(days=9_000 + self._step)).date(),
            is_active=True,
            last_login=self._day,
            accepted_privacy_document=True,
            privacy_document_id=1,
            phone=f"+55{state.area_code}91{self._step:07d}",
            logged_as="user",
        )
        group, code = "ethnic_group", CAMPAIGN.ethnic_group
        answers: dict[str, Any] = {group: code} if self._schema == NEWER else {f"{group}_id": answer_id(group, code)}
        self._insert("lacreiid_profile", user_id=user, completed=True, **answers)
        return user

    def _book(self, patient: str, practitioner: str, start: datetime, status: str, created: datetime) -> None:
        values = {"professional_id": practitioner, "user_id": patient, "date": start, "created_at": created}
        self._insert("lacreiid_appointment", status=status, type="online", **values)

    def delete(self, table: str, keys: list[str]) -> None:
        """Delete rows, and first all that refer to them, as Django does."""
        for child in tables(self._schema).values():
            for column in child.columns:
                if keys and column.refers_to == table:
                    found = f"select id from {child.name} where {column.name} = any(%s)"  # noqa: S608 (declared names)
                    self.delete(child.name, [key for (key,) in self._connection.execute(found, (keys,))])
        if keys:
            self._connection.execute(f"delete from {table} where id = any(%s)", (keys,))  # noqa: S608 (a declared name)
            self.changed.deleted[table] += map(str, keys)

    def _leave(self) -> None:
        """Somebody's account is deleted: the last of their group where there is one such, then anybody's."""
        alone = self._connection.execute(self._alone()).fetchall()
        (anybody,) = self._keys("lacreiid_user", _MAY_LEAVE, 1)
        user = min(key for (key,) in alone) if alone else anybody
        self.delete("lacreiid_user", [user])

    def _alone(self) -> str:
        columns = "gender_identity, sexuality, ethnic_group"
        if self._schema == OLDER:
            columns = "gender_identity_id, sexual_orientation_id, ethnic_group_id"
        return (
            f"select min(u.id) from lacreiid_user u join lacreiid_profile p on p.user_id = u.id"  # noqa: S608
            f" where {_MAY_LEAVE} and u.id not in (select reviewed_by_id from lacreisaude_professionalreview)"
            f" group by {columns} having count(*) = 1"
        )

    def _silently(self, table: str, change: str, where: str) -> None:
        found = self._connection.execute(f"update {table} set {change} where {where} returning id")  # noqa: S608
        self.changed.silent[table] += [key for (key,) in found]

    def _change_silently(self) -> None:
        """What Django does not stamp: updates of many rows at once, and rows between two tables."""
        self._silently("lacreisaude_clinic", "consult_price = consult_price + 1", "is_online_clinic")
        self._silently("lacreiid_user", "newsletter_subscribed = not newsletter_subscribed", "not is_active")
        (profile,) = self._keys("lacreiid_profile", "completed", 1)
        if self._schema == NEWER:
            self._silently("lacreiid_profile", "disability_types = '{MU,VI}'", f"id = '{profile}'")
            return
        between = "lacreiid_profile_disability_types"
        held = self._connection.execute(f"select id from {between} where profile_id = %s", (profile,))  # noqa: S608
        self.delete(between, [key for (key,) in held])
        added = self._connection.execute(
            f"insert into {between} (profile_id, disabilitytype_id) values (%s, 5), (%s, 6) returning id",  # noqa: S608
            (profile, profile),
        )
        self.changed.inserted[between] += [str(key) for (key,) in added]
