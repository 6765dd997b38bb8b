"""A day's work in a sandbox that is in use: so that tests, and people, can watch a loader notice it."""

import hashlib
from datetime import date, datetime, timedelta

from etl_assets.errors import EtlError
from etl_assets.sandbox.open_dental.ageing import age
from etl_assets.sandbox.open_dental.catalogue import FIRST_NAMES, LAST_NAMES, PAYMENT
from etl_assets.sandbox.open_dental.database import MARK, Database
from etl_assets.sandbox.open_dental.editing import Changes, Editor, Found
from etl_assets.sandbox.open_dental.rows import at_hour
from etl_assets.sandbox.seeded_random import SeededRandom

SCHEDULED, COMPLETE, DELETED = 1, 2, 4
APPOINTMENT_CREATE, APPOINTMENT_EDIT, PAYMENT_CREATE, PAYMENT_EDIT = 25, 27, 15, 16
VISITS = 6


def live_on(url: str, day: date, *, seed: int = 1) -> Changes:
    """Let the practice work for a day: new rows, edits, hard deletions, and one edit in bulk that moves no stamp.

    Header and splits, checks and claims, balances and transactions agree again when it ends. The same day twice is a
    second day's work.

    Args:
        url: Of a database that `fill` filled, whole.
        day: The day as the practice has it; what is changed is stamped by the server's own clock.
        seed: Another one does other things.

    Returns:
        What was changed, by keys.

    Raises:
        EtlError: It is no sandbox; nothing was changed.
        TransientError: It cannot be reached.
    """
    with Database(url) as database:
        if database.mark() is None:
            raise EtlError(f"The database is not marked as a sandbox of Open Dental (preference '{MARK}').")
        work = _Day(Editor(database), day, seed)
        work.do()
        return work.editor.changes


def purge(url: str, before: date) -> int:
    """Delete the history of appointments from before a day, as a practice does that runs out of room.

    Returns:
        How many rows were deleted.

    Raises:
        EtlError: It is no sandbox; nothing was changed.
    """
    with Database(url) as database:
        if database.mark() is None:
            raise EtlError(f"The database is not marked as a sandbox of Open Dental (preference '{MARK}').")
        return len(Editor(database).delete("histappointment", "[HistDateTStamp] < %s", (at_hour(before, 0),)))


class _Day:
    """One day's work."""

    def __init__(self, editor: Editor, day: date, seed: int) -> None:
        self.editor, self._day, self._rng = editor, day, SeededRandom(seed, "live", day)
        self._user = int(editor.find("userod", "[EmployeeNum] > 0 and [IsHidden] = 0", limit=1)[0]["UserNum"])

    def do(self) -> None:
        """Do all of it, and age the accounts at the end."""
        self._register()
        self._see()
        self._book()
        self._delete_appointment()
        self._pay()
        self._split_anew()
        self._undo_payment()
        self._answer_claim()
        self._drop_plan()
        self._edit()
        self.editor.update_silently(
            "fee", {"Amount": "round(([Amount] + 1) * 100) / 100"}, "[Amount] > 0 and [FeeSched] = 1"
        )
        age(self.editor, self._day)

    def _at(self) -> datetime:
        return at_hour(self._day, self._rng.randint(8, 16), self._rng.randint(0, 59), self._rng.randint(0, 59))

    def _log(self, permission: int, patient: int, text: str) -> None:
        at = self._at()
        number = self.editor.insert(
            "securitylog",
            LogDateTime=at,
            UserNum=self._user,
            PatNum=patient,
            PermType=permission,
            LogText=text,
            CompName="FRONT1",
        )
        digest = hashlib.sha256(f"{number}{at}{text}".encode()).hexdigest()
        self.editor.insert("securityloghash", SecurityLogNum=number, LogHash=digest)

    def _remember(self, appointment: Found, action: int) -> None:
        held = {name: value for name, value in appointment.items() if name != "DateTStamp"}
        self.editor.insert(
            "histappointment", **held, HistUserNum=self._user, HistDateTStamp=self._at(), HistApptAction=action
        )

    def _register(self) -> None:
        """A new patient."""
        at = self._at()
        last = self.editor.find("patient", "[PatStatus] = 0", limit=1)[0]
        number = self.editor.insert(
            "patient",
            LName=self._rng.choice(LAST_NAMES),
            FName=self._rng.choice(FIRST_NAMES),
            Birthdate=at.date() - timedelta(days=self._rng.randint(7_000, 25_000)),
            Address="1 New Street",
            PriProv=last["PriProv"],
            SecProv=last["SecProv"],
            BillingType=last["BillingType"],
            DateFirstVisit=self._day,
            SecDateEntry=self._day,
            Email=f"new{self._day:%Y%m%d}@example.org",
        )
        self.editor.update("patient", number, Guarantor=number)
        self.editor.insert("patientnote", PatNum=number, SecDateTEntry=at)

    def _see(self) -> None:
        """Complete the next appointments that are booked, with what was planned for them."""
        for visit in self.editor.find("appointment", "[AptStatus] = 1", limit=VISITS):
            at = self._at()
            values = {"AptStatus": COMPLETE, "DateTimeArrived": at, "DateTimeSeated": at + timedelta(minutes=9)}
            values["DateTimeDismissed"] = at + timedelta(minutes=50)
            values["AptDateTime"] = at
            self.editor.update("appointment", visit["AptNum"], **values)
            self._remember(visit | values, 1)
            self._log(APPOINTMENT_EDIT, visit["PatNum"], "Appointment set complete.")
            for one in self.editor.find("procedurelog", "[AptNum] = %s and [ProcStatus] = 1", (visit["AptNum"],)):
                self._complete(one)

    def _complete(self, procedure: Found) -> None:
        number = procedure["ProcNum"]
        done = {"ProcStatus": COMPLETE, "ProcDate": self._day, "DateComplete": self._day, "DateEntryC": self._day}
        self.editor.update("procedurelog", number, **done)
        self.editor.delete("treatplanattach", "[ProcNum] = %s", (number,))
        self.editor.delete("claimproc", "[ProcNum] = %s and [Status] in (6, 8)", (number,))

    def _book(self) -> None:
        """New appointments, with one procedure each: as many as are completed and deleted."""
        codes = self.editor.find("procedurecode", "[IsHygiene] = 1", limit=5)
        people = self.editor.find("patient", "[PatStatus] = 0")
        for _ in range(VISITS + 1):
            person, code, at = self._rng.choice(people), self._rng.choice(codes), self._at()
            room = self.editor.find("operatory", "[IsHygiene] = 1", limit=1)[0]
            values = {
                "PatNum": person["PatNum"],
                "AptStatus": SCHEDULED,
                "AptDateTime": at + timedelta(days=30),
                "Pattern": "/XXXXXX/",
                "Op": room["OperatoryNum"],
                "ClinicNum": room["ClinicNum"],
                "ProvNum": person["PriProv"],
                "ProvHyg": person["SecProv"],
                "IsHygiene": 1,
                "ProcDescript": code["ProcCode"],
                "SecDateTEntry": at,
            }
            number = self.editor.insert("appointment", **values)
            self._remember(self.editor.find("appointment", "[AptNum] = %s", (number,))[0], 0)
            self._log(APPOINTMENT_CREATE, person["PatNum"], "Appointment made.")
            self.editor.insert(
                "procedurelog",
                PatNum=person["PatNum"],
                AptNum=number,
                CodeNum=code["CodeNum"],
                ProvNum=person["SecProv"],
                ClinicNum=room["ClinicNum"],
                ProcStatus=1,
                ProcFee=55.25,
                UnitQty=1,
                DateTP=self._day,
                ProcDate=self._day,
                SecDateEntry=at,
            )

    def _delete_appointment(self) -> None:
        """Delete an appointment; only its history tells of it."""
        visit = self.editor.find("appointment", "[AptStatus] = 1", limit=VISITS)[-1]
        for one in self.editor.find("procedurelog", "[AptNum] = %s", (visit["AptNum"],)):
            self.editor.update("procedurelog", one["ProcNum"], AptNum=0)
        self._remember(visit, DELETED)
        self.editor.delete("appointment", "[AptNum] = %s", (visit["AptNum"],))

    def _pay(self) -> None:
        """One payment for two of the procedures done today, and one by itself."""
        done = self.editor.find("procedurelog", "[ProcStatus] = 2 and [ProcDate] = %s", (self._day,), limit=3)
        if done:
            self._payment(done[:2], 2_525)
            self._payment(done[-1:], 1_001)

    def _payment(self, procedures: list[Found], cents: int) -> None:
        payer, type_ = procedures[0]["PatNum"], self.editor.find("definition", "[Category] = %s", (PAYMENT,), limit=1)
        number = self.editor.insert(
            "payment",
            PatNum=payer,
            PayDate=self._day,
            DateEntry=self._day,
            PayType=type_[0]["DefNum"],
            PayAmt=cents * len(procedures) / 100,
            IsSplit=int(len(procedures) > 1),
            ClinicNum=procedures[0]["ClinicNum"],
        )
        for one in procedures:
            self._split(number, one, cents)
        self._log(PAYMENT_CREATE, payer, "Payment entered.")

    def _split(self, payment: int, like: Found, cents: int) -> None:
        """A split of a payment, for the patient, provider and procedure of another row."""
        names = ("PatNum", "ProvNum", "ClinicNum", "ProcNum")
        self.editor.insert(
            "paysplit",
            PayNum=payment,
            SplitAmt=cents / 100,
            DatePay=like.get("DatePay", self._day),
            DateEntry=self._day,
            ProcDate=like["ProcDate"],
            **{name: like[name] for name in names},
        )

    def _split_anew(self) -> None:
        """Split one of the last payments anew: its split is deleted, and two take its place."""
        for payment in reversed(
            self.editor.find("payment", "[PayType] > 0 and [IsSplit] = 0 and [PayAmt] > 1", limit=9_999)
        ):
            splits = self.editor.find("paysplit", "[PayNum] = %s", (payment["PayNum"],))
            if len(splits) != 1 or splits[0]["UnearnedType"] or splits[0]["PayPlanNum"]:
                continue
            (split,) = splits
            cents = round(split["SplitAmt"] * 100)
            self.editor.delete("paysplit", "[SplitNum] = %s", (split["SplitNum"],))
            self._split(payment["PayNum"], split, cents // 3)
            self._split(payment["PayNum"], split, cents - cents // 3)
            self.editor.update("payment", payment["PayNum"], IsSplit=1, PayNote="Split anew.")
            self._log(PAYMENT_EDIT, payment["PatNum"], "Payment edited.")
            return

    def _undo_payment(self) -> None:
        """Delete a payment that was entered by mistake, and all its splits."""
        of_others = "[UnearnedType] > 0 or [PayPlanNum] > 0"
        # What was taken to the bank stays.
        where = (
            f"[PayType] > 0 and [DepositNum] = 0 and [PayNum] not in (select [PayNum] from paysplit where {of_others})"  # noqa: S608
        )
        payments = self.editor.find("payment", where, limit=9_999)
        chosen = payments[len(payments) // 2]["PayNum"]
        self.editor.delete("paysplit", "[PayNum] = %s", (chosen,))
        self.editor.delete("payment", "[PayNum] = %s", (chosen,))

    def _answer_claim(self) -> None:
        """Enter the answer to a claim, and its check at once."""
        for claim in self.editor.find("claim", "[ClaimStatus] = 'S' and [ClaimType] in ('P', 'S')", limit=50):
            lines = self.editor.find("claimproc", "[ClaimNum] = %s and [Status] = 0", (claim["ClaimNum"],))
            if not lines:
                continue
            total = sum(round(line["InsPayEst"] * 100) for line in lines)
            check = self.editor.insert(
                "claimpayment", CheckDate=self._day, CheckAmt=total / 100, CarrierName="By hand", SecDateEntry=self._day
            )
            for line in lines:
                self.editor.update(
                    "claimproc",
                    line["ClaimProcNum"],
                    Status=1,
                    InsPayAmt=line["InsPayEst"],
                    DateCP=self._day,
                    ClaimPaymentNum=check,
                )
            self.editor.update(
                "claim", claim["ClaimNum"], ClaimStatus="R", DateReceived=self._day, InsPayAmt=total / 100
            )
            return

    def _drop_plan(self) -> None:
        """Drop a patient's plan, and with it the estimates of what is only planned: both are deleted."""
        plan = self.editor.find("patplan", "[Ordinal] = 1", limit=30)[-1]
        self.editor.delete("patplan", "[PatPlanNum] = %s", (plan["PatPlanNum"],))
        self.editor.delete(
            "claimproc",
            "[PatNum] = %s and [InsSubNum] = %s and [Status] = 6 and [ClaimNum] = 0",
            (plan["PatNum"], plan["InsSubNum"]),
        )

    def _edit(self) -> None:
        """Edit here and there; and many rows within one second."""
        adjustment = self.editor.find("adjustment", "[AdjAmt] > 5", limit=5)[-1]
        self.editor.update(
            "adjustment", adjustment["AdjNum"], AdjAmt=round(adjustment["AdjAmt"] - 1.25, 2), AdjNote="Typed wrong."
        )
        for row in self.editor.find("commlog", limit=25):
            self.editor.update("commlog", row["CommlogNum"], Note=f"{row['Note'] or ''} (read {self._day})")
