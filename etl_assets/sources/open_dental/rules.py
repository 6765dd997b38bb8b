"""Data quality rules of Open Dental. A finding never stops the good rows beside it.

What is normal there is no finding: 0 for "none" in a column that refers to another table, 0001-01-01 for "no date".
The source is MyISAM and has no snapshot of all tables at once: what was read of one table may be older than what was
read of another. So a row whose stamp is not older than the other table's last read is not looked at yet (`once_read`);
the next load brings what is missing. What may have been deleted waits for the next sweep too (`settled`), since deleted
rows are held until then, and Open Dental replaces the splits of an edited payment. The kinds and statuses are the
vendor's own enumerations.
"""

from datetime import timedelta

from etl_assets.declare.rules import DateWithin, Finds, OneOf
from etl_assets.declare.rules_between import RefersTo, SameAsParent, Settled, SumOfDetails
from etl_assets.declare.rules_of_tables import TablesTakenIn
from etl_assets.sources.open_dental.tables import LISTED

HALF_A_CENT = 0.005
"""Money is kept as double at the source: sums are off in the last digits."""
FIRST_DAY, AHEAD = "1990-01-01", timedelta(days=1)
"""Where the practice is, it may be tomorrow already."""
CLAIM_STATUSES = ("U", "H", "W", "S", "R", "I")
"""Unsent, hold until the primary is received, waiting to be sent, sent, received, hold for received plan estimates."""
PROCEDURE_STATUSES = tuple(range(1, 9))
APPOINTMENT_STATUSES = (1, 2, 3, 5, 6, 7, 8)
PAID_AND_SPLIT = Settled(updated_at="secdatetedit", relations=("open_dental.payment", "open_dental.paysplit"))

RULES = (
    TablesTakenIn(
        table="patient",
        name="TableIsLeftOut",
        left_out=LISTED.left_out,
        why="A table that is not loaded is missed by nobody until it is needed. Those that the vendor or the practice"
        " adds without a key can be declared as read whole.",
    ),
    SumOfDetails(
        table="payment",
        name="HeaderIsNotTheSumOfItsSplits",
        column="payamt",
        key="paynum",
        relation="open_dental.paysplit",
        foreign_key="paynum",
        amount="splitamt",
        tolerance=HALF_A_CENT,
        settled=PAID_AND_SPLIT,
        message="the payment is {header} and its {details} splits come to {total}",
        why="What was paid is counted by the payment, and whose it is by its splits. Where they differ, the ledger of a"
        " family and the day's deposits cannot both be right. A transfer of income is a payment of 0 whose splits"
        " cancel out.",
    ),
    RefersTo(
        table="paysplit",
        name="UnknownPayment",
        severity="error",
        column="paynum",
        relation="open_dental.payment",
        key="paynum",
        required=True,
        once_read="secdatetedit",
        message="split of payment {paynum}, which is not there",
        why="The patient's balance falls by the split, and no payment came in: what a deleted payment leaves behind.",
    ),
    SameAsParent(
        table="paysplit",
        name="DateIsNotThePayments",
        severity="warning",
        column="datepay",
        foreign_key="paynum",
        relation="open_dental.payment",
        key="paynum",
        same_as="parent.paydate",
        settled=PAID_AND_SPLIT,
        message="the split is of {looked_at.datepay} and its payment of {parent.paydate}",
        why="Income counts by the payment's date and the patient's ledger by the split's: they are to be the same, or"
        " a month's income is not the month's change of the balances.",
    ),
    DateWithin(
        table="payment",
        name="DateOutOfRange",
        severity="warning",
        column="paydate",
        first=FIRST_DAY,
        ahead=AHEAD,
        message="paid on {paydate}, and entered on {dateentry}",
        why="Money is entered when it comes. A date ahead hides it from the day's deposits, one of the last century"
        " (0001-01-01 too: a payment has a date) from every report.",
    ),
    RefersTo(
        table="claimproc",
        name="UnknownClaim",
        severity="error",
        column="claimnum",
        relation="open_dental.claim",
        key="claimnum",
        where="claimnum <> 0",
        once_read="secdatetedit",
        message="of claim {claimnum}, which is not there",
        why="What the insurance paid of it counts for a claim that nobody can look up. 0 is an estimate without claim.",
    ),
    OneOf(
        table="claim",
        name="InvalidStatus",
        column="claimstatus",
        known=CLAIM_STATUSES,
        why="By its letter a claim is outstanding or received; one that we do not know is in neither sum.",
    ),
    RefersTo(
        table="procedurelog",
        name="UnknownPatient",
        severity="error",
        column="patnum",
        relation="open_dental.patient",
        key="patnum",
        required=True,
        once_read="datetstamp",
        message="of patient {patnum}, who is not there",
        why="Patients are never deleted, only marked so: a procedure without one is of a merge that went wrong, and its"
        " fee is in no family's balance.",
    ),
    OneOf(
        table="procedurelog",
        name="InvalidStatus",
        column="procstatus",
        known=PROCEDURE_STATUSES,
        required=True,
        message="status {procstatus} is none of 1 to 8",
        why="Production is what is complete (2). A status that we do not know is in no sum, rightly or not.",
    ),
    DateWithin(
        table="procedurelog",
        name="CompleteInTheFuture",
        severity="warning",
        column="procdate",
        where="procstatus = 2",
        first=FIRST_DAY,
        ahead=AHEAD,
        message="is complete, on {procdate}",
        why="What was done was done by now, and in a year that this practice has seen; otherwise it is production of a"
        " month that nobody looks at.",
    ),
    OneOf(
        table="appointment",
        name="InvalidStatus",
        column="aptstatus",
        known=APPOINTMENT_STATUSES,
        required=True,
        message="status {aptstatus} is none of 1, 2, 3, 5, 6, 7, 8",
        why="Whether time was used, broken or only planned is said by the status. 4 was the ASAP list of old versions;"
        " it is a priority now, and an update of Open Dental converts what still has it.",
    ),
    RefersTo(
        table="patient",
        name="UnknownGuarantor",
        severity="error",
        column="guarantor",
        relation="open_dental.patient",
        key="patnum",
        required=True,
        message="guarantor is {guarantor}, who is not there",
        why="Balances are kept by family, under the guarantor; everybody has one, most often themselves. What this"
        " patient owes is in no family's ageing.",
    ),
    Finds(
        table="securitylog",
        name="EntryWithoutHash",
        severity="warning",
        exception_type="MissingValue",
        query="""
            select
                row_key,
                'loghash' as field,
                null as value,
                'has no hash in securityloghash' as message,
                row_slice
            from looked_at
            where
                securitylognum <= (select max(securitylognum) from open_dental.securityloghash)
                and not exists (
                    select from open_dental.securityloghash as hash where hash.securitylognum = looked_at.securitylognum
                )
        """,
        why="Each entry of the audit trail is written with a hash of it. A few hundred in five million have none, from"
        " programs that died in between; many of one day are entries put in by another way.",
    ),
    Finds(
        table="securityloghash",
        name="HashWithoutOneEntry",
        query="""
            select
                row_key,
                'securitylognum' as field,
                securitylognum::text as value,
                case
                    when hashes > 1 then 'is one of ' || hashes || ' hashes of entry ' || securitylognum
                    else 'is of entry ' || securitylognum || ', which is not there'
                end as message,
                row_slice
            from (
                select
                    *,
                    count(*) over (partition by securitylognum) as hashes
                from looked_at
            ) as hash
            where
                hashes > 1
                or (
                    securitylognum <= (select max(securitylognum) from open_dental.securitylog)
                    and not exists (
                        select from open_dental.securitylog where securitylog.securitylognum = hash.securitylognum
                    )
                )
        """,
        why="Nothing deletes an entry of the audit trail but a person with the database's password. The hash that was"
        " left is the proof that there was one.",
    ),
)
