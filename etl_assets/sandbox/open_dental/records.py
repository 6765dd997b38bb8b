"""What accumulates beside the money: letters and calls, forms, pictures, clocks, tasks, logs of all that was done."""

import hashlib
from datetime import date, datetime, timedelta

from etl_assets.sandbox.open_dental.catalogue import (
    COMMUNICATION,
    IMAGE,
    NOTES,
    PAYMENT,
    SPECIALTY,
    TASK,
)
from etl_assets.sandbox.open_dental.office import Office, Person
from etl_assets.sandbox.open_dental.rows import NO_DATE, NO_TIME, ZERO_DATE, Row, at_hour, cents_of, number_of
from etl_assets.sandbox.seeded_random import SeededRandom

LOG_ON = 83
LETTERS_A_PATIENT, FORMS_A_PATIENT = 6, 1
CLOCKED = 120
"""Days for which the clock of the staff is kept."""
OPEN_ENDED = 45
LONG = "I have read this form and I agree. \U0001f9b7 Äpfel \\ Birnen\t|\r\n"


def write(office: Office) -> None:
    """Write everything that the visits left behind, and put the logs in the order of time."""
    office.rows.settle()
    _referrals(office)
    for person in office.people:
        _letters(office, person)
        _forms(office, person)
        _chart(office, person)
    _staff(office)
    _tasks(office)
    _save_plans(office)
    _bank(office)
    _logs(office)


def _letters(office: Office, person: Person) -> None:
    rng = office.rng("letters", person.number)
    for _ in range(rng.randint(0, 2 * LETTERS_A_PATIENT)):
        at = _some_time(office, rng, person)
        mode = rng.weighted_choice((0, 1, 2, 3, 4, 5, 8), (2, 25, 5, 35, 8, 23, 2))
        call = mode == 3  # noqa: PLR2004 (by telephone)
        office.rows.add(
            "commlog",
            at,
            PatNum=person.number,
            CommDateTime=at,
            CommType=office.any_definition(COMMUNICATION, rng),
            Note=rng.choice(NOTES),
            Mode_=mode,
            SentOrReceived=rng.choice((0, 1, 1, 2)),
            UserNum=rng.choice(office.users),
            DateTimeEnd=at + timedelta(minutes=rng.randint(1, 25)) if call and rng.chance(0.6) else NO_TIME,
            CommSource=rng.weighted_choice((0, 3, 4), (7, 2, 1)),
            Signature="",
            DateTEntry=at,
        )


def _forms(office: Office, person: Person) -> None:
    """A medical history on arrival and some consents: a row a field, long text in some of them."""
    rng = office.rng("forms", person.number)
    for order in range(rng.randint(0, 2 * FORMS_A_PATIENT)):
        at = _some_time(office, rng, person)
        sheet = office.rows.add(
            "sheet",
            at,
            PatNum=person.number,
            SheetType=11 if order == 0 else 6,
            DateTimeSheet=at,
            DateTSheetEdited=at + timedelta(minutes=5),
            Width=850,
            Height=1100,
            FontSize=8.25,
            FontName="Microsoft Sans Serif",
            Description="Medical history" if order == 0 else "Consent",
            IsDeleted=int(rng.chance(0.04)),
            InternalNote="" if rng.chance(0.5) else None,
        )
        for field in range(rng.randint(8, 16)):
            _field(office, rng, sheet, field, at)


def _field(office: Office, rng: SeededRandom, sheet: Row, order: int, at: datetime) -> None:
    type_ = rng.weighted_choice((1, 2, 8, 9), (5, 2, 6, 1))
    text = {1: rng.choice(NOTES), 2: LONG * rng.randint(1, 40), 8: rng.choice(("X", "")), 9: "c2ln" * 60}[type_]
    office.rows.add(
        "sheetfield",
        at,
        SheetNum=sheet["SheetNum"],
        FieldType=type_,
        FieldName=f"field{order}",
        FieldValue=text,
        FontSize=8.25,
        FontName="Arial",
        XPos=40,
        YPos=30 * order,
        Width=300,
        Height=20,
        ItemColor=-16777216,
        UiLabelMobile="" if order % 2 else None,
        DateTimeSig=at if type_ == 9 else NO_TIME,  # noqa: PLR2004 (signed)
    )


def _chart(office: Office, person: Person) -> None:
    """Pictures, gums, missing teeth, remarks of the family's own."""
    rng = office.rng("chart", person.number)
    if person.visits and rng.chance(0.5):
        at = _some_time(office, rng, person)
        office.rows.add(
            "document",
            at,
            PatNum=person.number,
            DateCreated=at,
            DocCategory=office.any_definition(IMAGE, rng),
            Description="Bitewing" if rng.chance(0.7) else "",
            FileName=f"{person.number:05d}.png",
            ImgType=rng.choice((1, 2, 3)),
            DegreesRotated=rng.choice((0.0, 90.0, 0.5)),
            Note=None,
            RawBase64="iVBORw0KGgo" * rng.randint(1, 50) if rng.chance(0.2) else "",
        )
    if person.gums:
        _measure(office, rng, person)
    if rng.chance(0.2):
        at = _some_time(office, rng, person)
        office.rows.add("toothinitial", at, PatNum=person.number, ToothNum=str(rng.randint(1, 32)), InitialType=0)
    if rng.chance(0.15):
        at = _some_time(office, rng, person)
        office.rows.add("patfield", at, PatNum=person.number, FieldName="Favourite chair", FieldValue=rng.choice(NOTES))
    if rng.chance(0.05):
        at = _some_time(office, rng, person)
        office.rows.add("popup", at, PatNum=person.number, Description="Owes a form", PopupLevel=1, DateTimeEntry=at)
    if rng.chance(0.1):
        at = _some_time(office, rng, person)
        # Dates of before the vendor knew 0001-01-01.
        stopped = ZERO_DATE if rng.chance(0.3) else NO_DATE
        office.rows.add(
            "medicationpat", at, PatNum=person.number, MedDescript="Aspirin", DateStart=at.date(), DateStop=stopped
        )
        office.rows.add("allergydef", at, Description=f"Nuts {person.number}", SnomedType=rng.randint(0, 3))
        number = len(office.rows.tables["allergydef"])
        office.rows.add(
            "allergy", at, PatNum=person.number, AllergyDefNum=number, StatusIsActive=1, DateAdverseReaction=stopped
        )
    if rng.chance(0.01):
        person.row["AdmitDate"] = ZERO_DATE


def _measure(office: Office, rng: SeededRandom, person: Person) -> None:
    at = _some_time(office, rng, person)
    exam = office.rows.add(
        "perioexam", at, PatNum=person.number, ExamDate=at.date(), ProvNum=person.hygienist.number, DateTMeasureEdit=at
    )
    for tooth in range(1, 9):
        depths = [rng.randint(-1, 9) for _ in range(6)]
        names = ("MBvalue", "Bvalue", "DBvalue", "MLvalue", "Lvalue", "DLvalue")
        values = dict(zip(names, depths, strict=True))
        office.rows.add(
            "periomeasure",
            at,
            PerioExamNum=exam["PerioExamNum"],
            SequenceType=4,
            IntTooth=tooth,
            ToothValue=-1,
            **values,
        )


def _referrals(office: Office) -> None:
    rng = office.rng("referrals")
    names = ("Doorbell", "Lantern", "Windmill", "Search engine", "Signpost")
    for order, name in enumerate(names):
        office.add(
            "referral",
            LName=name,
            FName="" if order > 2 else "Dr.",  # noqa: PLR2004 (doctors)
            IsDoctor=int(order <= 2),  # noqa: PLR2004
            NotPerson=int(order > 2),  # noqa: PLR2004
            Specialty=office.definition(SPECIALTY, "Endodontics") if order == 0 else 0,
            IsHidden=int(order == 1),
            Telephone=f"555010{order:04d}",
            DisplayNote="",
        )
    for person in office.people:
        for order in range(rng.weighted_choice((0, 1, 2), (55, 38, 7))):
            at = _some_time(office, rng, person)
            type_ = rng.weighted_choice((0, 1, 2), (30, 65, 5))
            office.rows.add(
                "refattach",
                at,
                ReferralNum=rng.randint(1, len(names)),
                PatNum=person.number,
                ItemOrder=order + 1,
                RefDate=at.date(),
                RefType=type_,
                RefToStatus=rng.randint(0, 5) if type_ == 0 else 0,
                ProvNum=person.dentist.number if type_ == 0 else 0,
                Note="",
            )


def _staff(office: Office) -> None:
    """The clocks of the staff, with time off that is below zero and sums beyond a day."""
    for employee in office.rows.tables["employee"]:
        number = number_of(employee, "EmployeeNum")
        rng = office.rng("clock", number)
        for back in range(CLOCKED, -1, -1):
            day = office.today - timedelta(days=back)
            if not office.opens(day):
                continue
            start = at_hour(day, 7, rng.randint(30, 59))
            end = at_hour(day, 17, rng.randint(0, 59))
            still_here = back == 0 and rng.chance(0.5)
            over = end - start - timedelta(hours=10)
            office.rows.add(
                "clockevent",
                start,
                EmployeeNum=number,
                TimeEntered1=start,
                TimeDisplayed1=start,
                TimeEntered2=NO_TIME if still_here else end,
                TimeDisplayed2=NO_TIME if still_here else end,
                OTimeHours=over if over > timedelta() else timedelta(hours=-1),
                OTimeAuto=max(over, timedelta()),
                Adjust=-timedelta(minutes=rng.randint(0, 90)) if rng.chance(0.1) else timedelta(),
                Rate2Hours=timedelta(hours=-1),
                Note="" if rng.chance(0.9) else None,
            )
        for order in range(4):
            at = at_hour(office.next_open(office.today - timedelta(days=30 * order + 10)), 18)
            office.rows.add(
                "timeadjust",
                at,
                EmployeeNum=number,
                TimeEntry=at,
                RegHours=-timedelta(hours=rng.randint(1, 30), minutes=30),
                OTimeHours=timedelta(hours=rng.randint(1, 42), minutes=15, seconds=7),
                PtoHours=timedelta(hours=rng.randint(-40, 40)),
                Note="Week of the move\tcorrected",
            )


def _tasks(office: Office) -> None:
    rng = office.rng("tasks")
    folder = office.add("tasklist", Descript="Front desk", DateTL=NO_DATE, DateTimeEntry=office.now)
    for order in range(OPEN_ENDED):
        at = _some_time(office, rng, rng.choice(office.people))
        done = rng.chance(0.6)
        office.rows.add(
            "task",
            at,
            TaskListNum=folder["TaskListNum"],
            Descript=f"Call {order}: {rng.choice(NOTES)}",
            TaskStatus=2 if done else rng.choice((0, 1)),
            UserNum=rng.choice(office.users),
            DateTimeEntry=at,
            DateTimeOriginal=at,
            DateTimeFinished=at + timedelta(hours=5) if done else NO_TIME,
            PriorityDefNum=office.any_definition(TASK, rng),
        )


def _save_plans(office: Office) -> None:
    """Save some active treatment plans as they were shown and signed: the procedures are copied, with their money."""
    for person in office.people:
        rng = office.rng("saves", person.number)
        if not person.planned or not rng.chance(0.4):
            continue
        at = _some_time(office, rng, person)
        saved = office.rows.add(
            "treatplan",
            at,
            PatNum=person.number,
            TPStatus=0,
            DateTP=at.date(),
            Heading="Proposed treatment",
            Note="Fees hold for 90 days.",
            Signature="c2ln" * 20,
            DateTSigned=at if rng.chance(0.7) else NO_TIME,
            UserNumPresenter=person.dentist.user,
        )
        for order, one in enumerate(person.planned):
            office.rows.add(
                "proctp",
                at,
                TreatPlanNum=saved["TreatPlanNum"],
                PatNum=person.number,
                ProcNumOrig=one.number,
                ItemOrder=order,
                Priority=one.row["Priority"],
                ToothNumTP=one.row["ToothNum"],
                Surf=one.row["Surf"],
                ProcCode=one.code.code,
                Descript=one.code.name,
                FeeAmt=one.gross / 100,
                PatAmt=one.gross / 100,
                ProvNum=one.place[0],
                ClinicNum=one.place[1],
                DateTP=at.date(),
            )


def _bank(office: Office) -> None:
    """Take checks and cash to the bank once a week: a deposit is the sum of what it holds."""
    cash = {office.definition(PAYMENT, name) for name in ("Check", "Cash")}
    weeks: dict[date, list[tuple[str, Row, int]]] = {}
    for table, day_of, amount in (("payment", "PayDate", "PayAmt"), ("claimpayment", "CheckDate", "CheckAmt")):
        for row in office.rows.tables[table]:
            day = row[day_of]
            if isinstance(day, date) and (table == "claimpayment" or row["PayType"] in cash):
                friday = day + timedelta(days=(4 - day.weekday()) % 7)
                weeks.setdefault(friday, []).append((table, row, cents_of(row, amount)))
    for friday, held in sorted(weeks.items()):
        if friday <= office.today:
            total = sum(cents for _, _, cents in held) / 100
            at = at_hour(friday, 17, 30)
            deposit = office.rows.add(
                "deposit", at, DateDeposit=friday, Amount=total, BankAccountInfo="000-00", Memo=""
            )
            for table, row, _ in held:
                office.rows.touch(table, row, at, DepositNum=deposit["DepositNum"])


def _logs(office: Office) -> None:
    """Number the logs by time, and give each line of the audit log its hash."""
    rows = office.rows
    rows.number("histappointment", sorted(rows.tables["histappointment"], key=lambda row: str(row["HistDateTStamp"])))
    rows.number("commlog", sorted(rows.tables["commlog"], key=lambda row: str(row["CommDateTime"])))
    rng = office.rng("log")
    day = office.first
    while day <= office.today:
        if office.opens(day):
            office.seen += [(at_hour(day, 7, 45), user, 0, LOG_ON, "User logged on.") for user in office.users]
        day += timedelta(days=1)
    for at, user, patient, permission, text in sorted(office.seen):
        row = rows.add(
            "securitylog",
            at,
            LogDateTime=at,
            UserNum=user,
            PatNum=patient,
            PermType=permission,
            LogText=text if rng.chance(0.9) else f"{text} \N{RIGHTWARDS ARROW} {rng.choice(NOTES)}",
            CompName=rng.choice(("FRONT1", "FRONT2", "ROOM1", "")),
            LogSource=rng.weighted_choice((0, 7, 8, 19), (94, 2, 2, 2)),
            DateTPrevious=at - timedelta(days=1) if rng.chance(0.3) else NO_TIME,
        )
        digest = hashlib.sha256(f"{row['SecurityLogNum']}{at}{text}".encode()).hexdigest()
        rows.add("securityloghash", at, SecurityLogNum=row["SecurityLogNum"], LogHash=digest)


def _some_time(office: Office, rng: SeededRandom, person: Person) -> datetime:
    """A moment of office hours since the patient was entered."""
    days = (office.today - person.joined).days
    day = office.next_open(person.joined + timedelta(days=rng.randint(0, max(0, days - 5))))
    return at_hour(min(day, office.today), rng.randint(8, 16), rng.randint(0, 59), rng.randint(0, 59))
