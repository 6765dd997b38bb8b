"""How the practice is set up before the first patient comes: lists, people, rooms, fees, plans."""

from datetime import date, timedelta

from etl_assets.sandbox.open_dental.catalogue import (
    BLOCKOUT,
    CARRIERS,
    CODES,
    DEFINITIONS,
    FIRST_NAMES,
    GROUPS,
    LAST_NAMES,
    PROCEDURE,
    SPECIALTY,
    TOWNS,
    Code,
)
from etl_assets.sandbox.open_dental.office import Chair, Office, Plan, Provider
from etl_assets.sandbox.open_dental.rows import Value, money, number_of

UCR, ALLOWED = "Our fees", "Allowed"
WHOLE_WEEK, EARLY, LATE = (0, 1, 2, 3, 4), (0, 1, 2), (2, 3, 4)
PRACTICE, PROVIDER, BLOCKED, EMPLOYEE = range(4)
MONTH, YEAR = 65536, 16777216
# description, interval, procedures, codes that reset it;
# an interval is days + 256 weeks + 65536 months + 16777216 years
RECALLS = (
    ("Prophy", 6 * MONTH + 1, "D0120,D1110", ("D1110", "D0150")),
    ("Child Prophy", 6 * MONTH, "D0120,D1120,D1206", ("D1120",)),
    ("Perio", 3 * MONTH + 1, "D4910", ("D4910", "D4341")),
    ("Four bitewings", YEAR + 1, "D0274", ("D0274",)),
    ("Full mouth", 5 * YEAR + 1, "D0210", ("D0210",)),
    ("Check of a splint", 2 * 256 + 3, "", ()),
)
PREFERENCES = (
    ("PracticeTitle", "Larkfield Dental"),
    ("PayPlansVersion", "2"),
    ("AgingProcLifo", "0"),
    ("AgingCalculatedMonthlyInsteadOfDaily", "0"),
    ("PayPlansBillInAdvanceDays", "0"),
    ("ReportsPPOwriteoffDefaultToProcDate", "0"),
    ("AppointmentTimeIncrement", "10"),
    ("DataBaseVersion", "24.3.10.0"),
    ("EasyNoClinics", "1"),
)


def set_up(office: Office, patients: int) -> None:
    """Set up a practice for so many patients."""
    _definitions(office)
    _preferences(office)
    _codes(office)
    _fee_schedules(office)
    _clinics(office)
    _staff(office, patients)
    _rooms(office)
    _fees(office)
    _carriers(office)
    _recall_types(office)


def _definitions(office: Office) -> None:
    for category, listed in DEFINITIONS.items():
        for order, (name, value, hidden) in enumerate(listed):
            row = office.add(
                "definition",
                Category=category,
                ItemOrder=order,
                ItemName=name,
                ItemValue=value,
                IsHidden=int(hidden),
                ItemColor=-1 if order % 2 else 0,
            )
            office.definitions[category, name] = number_of(row, "DefNum")


def _preferences(office: Office) -> None:
    for name, value in PREFERENCES:
        office.add("preference", PrefName=name, ValueString=value)
    office.add("preference", PrefName="DateLastAging", ValueString=office.today.isoformat())


def _codes(office: Office) -> None:
    for code in CODES:
        row = office.add(
            "procedurecode",
            ProcCode=code.code,
            Descript=code.name,
            AbbrDesc=code.name[:10],
            ProcTime=code.pattern,
            ProcCat=office.definition(PROCEDURE, code.category),
            TreatArea=code.area,
            IsHygiene=int(code.hygiene),
            NoBillIns=int(code.code[0] not in "D"),
            PaintText=None,
            BaseUnits=int(code.code == "D9243"),
        )
        office.code_numbers[code.code] = number_of(row, "CodeNum")
    for order, category in enumerate(("General", "Diagnostic", "Preventive", "Basic", "Major")):
        office.add("covcat", Description=category, CovOrder=order, DefaultPercent=(-1, 100, 100, 80, 50)[order])


def _fee_schedules(office: Office) -> None:
    names = [(UCR, 0), ("Specialist's fees", 0), ("Copays", 1)]
    names += [(f"{ALLOWED}: {name}", 0) for name, type_, *_ in CARRIERS if type_ == "p"]
    for order, (name, type_) in enumerate([*names, ("Fees of old", 0)]):
        office.add(
            "feesched", Description=name, FeeSchedType=type_, ItemOrder=order, IsHidden=int(name == "Fees of old")
        )


def _clinics(office: Office) -> None:
    for number in range(1, office.clinics + 1):
        town, state, zip_code = TOWNS[number % len(TOWNS)]
        office.add(
            "clinic",
            Description=f"Larkfield {town}",
            Abbr=town,
            City=town,
            State=state,
            Zip=zip_code,
            Phone="5550100100",
        )


def _staff(office: Office, patients: int) -> None:
    """Pairs of a dentist and a hygienist, an endodontist, and the practice itself, which is no person."""
    pairs = max(2, patients // 200)
    for number in range(pairs * 2):
        hygienist = number % 2 == 1
        works = EARLY if number // 2 % 2 else LATE
        _provider(office, hygienist, WHOLE_WEEK if number < 2 else works)  # noqa: PLR2004 (the first pair)
    practice = office.add("provider", Abbr="LARK", LName="Larkfield Dental", IsNotPerson=1, FeeSched=1, ItemOrder=90)
    office.nobody = number_of(practice, "ProvNum")
    office.add(
        "provider", Abbr="GONE", LName="Retired", FName="Dr.", IsHidden=1, ProvStatus=1, FeeSched=1, ItemOrder=91
    )
    for number, name in enumerate(("Admins", "Desk", "Clinicians"), start=1):
        office.add("usergroup", Description=name, UserGroupNum=number)
    for provider in office.providers:
        provider.user = _user(office, f"{provider.name.lower()}", provider=provider.number, groups=(3,))
    rng = office.rng("employees")
    for number in range(1, 4 + patients // 200):
        employee = office.add(
            "employee",
            LName=rng.choice(LAST_NAMES),
            FName=rng.choice(FIRST_NAMES),
            ClockStatus="Working",
            PhoneExt=100 + number,
            IsHidden=int(number == 1),
            EmailWork=f"desk{number}@larkfield.example.org",
        )
        hidden = number == 1
        user = _user(office, f"desk{number}", employee=number_of(employee, "EmployeeNum"), groups=(1, 2), hidden=hidden)
        if not hidden:
            office.users.append(user)
    _user(office, "service", groups=(1,))


def _provider(office: Office, hygienist: bool, works: tuple[int, ...]) -> None:
    order = len(office.providers)
    rng = office.rng("provider", order)
    name = f"{'HYG' if hygienist else 'DOC'}{order // 2 + 1}"
    schedule = 2 if order == 2 else 1  # noqa: PLR2004 (the second dentist has fees of his own)
    row = office.add(
        "provider",
        Abbr=name,
        ItemOrder=order,
        LName=rng.choice(LAST_NAMES),
        FName=rng.choice(FIRST_NAMES),
        Suffix="RDH" if hygienist else "DDS",
        FeeSched=schedule,
        Specialty=office.definition(SPECIALTY, "Hygienist" if hygienist else "General"),
        IsSecondary=int(hygienist),
        SigOnFile=1,
        NationalProvID=f"000000{order:04d}",
        HourlyProdGoalAmt=150.0 if hygienist else 450.5,
    )
    office.providers.append(Provider(number_of(row, "ProvNum"), name, hygienist, works, schedule))


def _user(
    office: Office,
    name: str,
    *,
    provider: int = 0,
    employee: int = 0,
    groups: tuple[int, ...],
    hidden: bool = False,
) -> int:
    row = office.add(
        "userod",
        UserName=name,
        Password="none",  # noqa: S106 (nobody logs on to it)
        ProvNum=provider,
        EmployeeNum=employee,
        IsHidden=int(hidden),
        DateTLastLogin=office.now,
    )
    for group in groups:
        office.add("usergroupattach", UserNum=number_of(row, "UserNum"), UserGroupNum=group)
    return number_of(row, "UserNum")


def _rooms(office: Office) -> None:
    for order, provider in enumerate(office.providers):
        clinic = order // 2 % (office.clinics + 1)
        row = office.add(
            "operatory",
            OpName=f"Room {order + 1}",
            Abbrev=f"R{order + 1}",
            ItemOrder=order,
            ProvDentist=0 if provider.hygienist else provider.number,
            ProvHygienist=provider.number if provider.hygienist else 0,
            IsHygiene=int(provider.hygienist),
            ClinicNum=clinic,
        )
        office.chairs.append(Chair(number_of(row, "OperatoryNum"), clinic, provider))
    office.add("operatory", OpName="Old darkroom", Abbrev="OLD", ItemOrder=99, IsHidden=1)


def _fees(office: Office) -> None:
    """Every schedule has most fees; some are blank on purpose (-1), and of some codes there is none."""
    allowed = {f"{ALLOWED}: {name}": share for name, type_, share, _ in CARRIERS if type_ == "p"}
    for schedule in office.rows.tables["feesched"]:
        name, number = str(schedule["Description"]), number_of(schedule, "FeeSchedNum")
        for code in CODES:
            cents = _fee(code, name, allowed.get(name, 100))
            if cents is not None:
                office.add("fee", FeeSched=number, CodeNum=office.code_numbers[code.code], Amount=cents)
    # A fee of one clinic or of one provider.
    crown = office.code_numbers["D2740"]
    office.add("fee", FeeSched=1, CodeNum=crown, Amount=1299.0, ProvNum=office.providers[0].number)
    if office.clinics:
        office.add("fee", FeeSched=1, CodeNum=crown, Amount=1325.0, ClinicNum=1)


def _fee(code: Code, schedule: str, share: int) -> float | None:
    if schedule == UCR:
        return code.cents / 100
    if schedule == "Copays":
        return 15.0 if code.covered == 80 else None  # noqa: PLR2004 (per cent)
    if code.code == "D6010":
        return -1.0
    if code.covered == 0:
        return None
    return code.cents * (110 if schedule.startswith("Spec") else share) // 100 / 100


def _carriers(office: Office) -> None:
    schedules = {str(row["Description"]): number_of(row, "FeeSchedNum") for row in office.rows.tables["feesched"]}
    for number, (name, type_, share, plans) in enumerate(CARRIERS, start=1):
        carrier = office.add(
            "carrier",
            CarrierName=name,
            Address=f"{number} Mill Lane",
            City="Greyport",
            State="ZZ",
            Zip="00102",
            Phone=f"555010{number:04d}",
            ElectID=f"9900{number}",
            IsHidden=int(name == "Carrier Nobody Uses"),
        )
        for order in range(plans):
            rng = office.rng("plan", number, order)
            plan = Plan(
                number=0,
                carrier=number_of(carrier, "CarrierNum"),
                type=type_,
                allowed=share,
                maximum=rng.choice((100_000, 150_000, 200_000)),
                deductible=rng.choice((0, 5_000, 10_000)),
                fee_schedule=schedules.get(f"{ALLOWED}: {name}", 0),
            )
            _plan(office, plan, rng.choice(GROUPS), order)
            if number < len(CARRIERS):
                office.plans.append(plan)


def _plan(office: Office, plan: Plan, group: str, order: int) -> None:
    employer = office.add("employer", EmpName=group, City="Fernhollow", State="ZZ")
    row = office.add(
        "insplan",
        CarrierNum=plan.carrier,
        EmployerNum=employer["EmployerNum"],
        GroupName=group,
        GroupNum=f"{plan.carrier:02d}-{order + 1:03d}",
        PlanType=plan.type,
        FeeSched=plan.fee_schedule,
        CopayFeeSched=3 if plan.type == "c" else 0,
        PlanNote="Waiting period:\tnone\r\n" if order else None,
        IsBlueBookEnabled=1,
    )
    plan.number = number_of(row, "PlanNum")
    for category, percent in ((2, 100), (3, 100), (4, 80), (5, 50)):
        _benefit(office, plan, CovCatNum=category, BenefitType=1, Percent=percent)
    _benefit(office, plan, CovCatNum=1, BenefitType=5, MonetaryAmt=money(plan.maximum), CoverageLevel=1)
    if plan.deductible:
        _benefit(office, plan, CovCatNum=1, BenefitType=2, MonetaryAmt=money(plan.deductible), CoverageLevel=1)
    bitewings = office.code_numbers["D0274"]
    _benefit(office, plan, CodeNum=bitewings, BenefitType=5, QuantityQualifier=5, Quantity=12)


def _benefit(office: Office, plan: Plan, **values: Value) -> None:
    """A line of what the plan covers, by calendar year."""
    office.add("benefit", PlanNum=plan.number, TimePeriod=2, **values)


def _recall_types(office: Office) -> None:
    for description, interval, procedures, codes in RECALLS:
        row = office.add(
            "recalltype",
            Description=description,
            DefaultInterval=interval,
            TimePattern="/XXXXXXXX/",
            Procedures=procedures,
            AppendToSpecial=int(description == "Four bitewings"),
        )
        for code in codes:
            office.add(
                "recalltrigger", RecallTypeNum=number_of(row, "RecallTypeNum"), CodeNum=office.code_numbers[code]
            )


def schedule_days(office: Office, ahead: timedelta) -> None:
    """Make the schedule of every day: blocks of each provider, with their rooms, and the practice's holidays."""
    day, last = office.first, office.today + ahead
    while day <= last:
        if day in office.holidays:
            office.add("schedule", SchedDate=day, SchedType=PRACTICE, Status=2, Note="Closed")
        elif office.opens(day):
            for chair in office.chairs:
                if day.weekday() in chair.provider.works:
                    _blocks(office, day, chair)
            _rest(office, day)
        day += timedelta(days=1)


def _blocks(office: Office, day: date, chair: Chair) -> None:
    for start, stop in ((8, 12), (13, 17)):
        row = office.add(
            "schedule",
            SchedDate=day,
            SchedType=PROVIDER,
            ProvNum=chair.provider.number,
            StartTime=timedelta(hours=start),
            StopTime=timedelta(hours=stop),
            ClinicNum=chair.clinic,
        )
        office.add("scheduleop", ScheduleNum=number_of(row, "ScheduleNum"), OperatoryNum=chair.number)


def _rest(office: Office, day: date) -> None:
    """What else the schedule says of a day: whose hours the desk has, what is blocked, what the staff should know."""
    desk = office.rows.tables["employee"][1 + day.toordinal() % (len(office.rows.tables["employee"]) - 1)]
    start, stop = timedelta(hours=7, minutes=30), timedelta(hours=17, minutes=30)
    if day > office.today - timedelta(days=90):
        hours = {"StartTime": start, "StopTime": stop}
        office.add("schedule", SchedDate=day, SchedType=EMPLOYEE, EmployeeNum=desk["EmployeeNum"], **hours)
    if day.weekday() == 2:  # noqa: PLR2004 (Wednesday)
        lunch = office.definition(BLOCKOUT, "Lunch")
        hours = {"StartTime": timedelta(hours=12), "StopTime": timedelta(hours=13)}
        row = office.add("schedule", SchedDate=day, SchedType=BLOCKED, BlockoutType=lunch, **hours)
        office.add("scheduleop", ScheduleNum=number_of(row, "ScheduleNum"), OperatoryNum=office.chairs[0].number)
    if day.day == 1:
        office.add("schedule", SchedDate=day, SchedType=PRACTICE, Note="Count the stock.")
