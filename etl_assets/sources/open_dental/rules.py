"""Data quality rules of Open Dental. A finding never stops the good rows beside it.

What is normal there is no finding: 0 for "none" in a column that refers to another table, 0001-01-01 for "no date".
The source is MyISAM and has no snapshot of all tables at once: what was read of one table may be older than what was
read of another. So a row whose stamp is not older than the other table's last read (`etl.extraction`) is not looked at
yet; the next load brings what is missing. Sums over rows that may have been deleted wait for the next sweep, since
deleted rows are held until then, and Open Dental replaces the splits of an edited payment. The kinds and statuses
are the vendor's own enumerations.
"""

from etl_assets.declare.rules import Finds, OneOf

HALF_A_CENT = 0.005
"""Money is kept as double at the source: sums are off in the last digits."""
FIRST_YEAR = 1990
CLAIM_STATUSES = ("U", "H", "W", "S", "R", "I")
"""Unsent, hold until the primary is received, waiting to be sent, sent, received, hold for received plan estimates."""

RULES = (
    Finds(
        table="payment",
        name="HeaderIsNotTheSumOfItsSplits",
        query="""
            select
                payment.row_key,
                'payamt' as field,
                round(payment.payamt::numeric, 2)::text as value,
                'the payment is ' || round(payment.payamt::numeric, 2) || ' and its ' || count(paysplit.splitnum)
                || ' splits come to ' || round(coalesce(sum(paysplit.splitamt), 0)::numeric, 2) as message,
                payment.row_slice
            from looked_at as payment
            left join open_dental.paysplit
                on paysplit.paynum = payment.paynum
            group by payment.row_key, payment.row_slice, payment.payamt, payment.secdatetedit
            having
                abs(payment.payamt - coalesce(sum(paysplit.splitamt), 0)) > %(tolerance)s
                and greatest(payment.secdatetedit, max(paysplit.secdatetedit)) < coalesce(
                    (
                        select min(least(read_until, swept_at))
                        from etl.extraction
                        where relation in ('open_dental.payment', 'open_dental.paysplit')
                    ),
                    'infinity'
                )
        """,
        parameters={"tolerance": HALF_A_CENT},
        why="What was paid is counted by the payment, and whose it is by its splits. Where they differ, the ledger of a"
        " family and the day's deposits cannot both be right. A transfer of income is a payment of 0 whose splits"
        " cancel out.",
    ),
    Finds(
        table="paysplit",
        name="UnknownPayment",
        query="""
            select
                row_key,
                'paynum' as field,
                paynum::text as value,
                'split of payment ' || coalesce(paynum::text, '?') || ', which is not there' as message,
                row_slice
            from looked_at
            where
                not exists (select from open_dental.payment where payment.paynum = looked_at.paynum)
                and secdatetedit < coalesce(
                    (select read_until from etl.extraction where relation = 'open_dental.payment'), 'infinity'
                )
        """,
        why="The patient's balance falls by the split, and no payment came in: what a deleted payment leaves behind.",
    ),
    Finds(
        table="paysplit",
        name="DateIsNotThePayments",
        severity="warning",
        query="""
            select
                split.row_key,
                'datepay' as field,
                split.datepay::text as value,
                'the split is of ' || split.datepay || ' and its payment of ' || payment.paydate as message,
                split.row_slice
            from looked_at as split
            inner join open_dental.payment
                on payment.paynum = split.paynum
            where
                split.datepay <> payment.paydate
                and greatest(split.secdatetedit, payment.secdatetedit) < coalesce(
                    (
                        select min(least(read_until, swept_at))
                        from etl.extraction
                        where relation in ('open_dental.payment', 'open_dental.paysplit')
                    ),
                    'infinity'
                )
        """,
        why="Income counts by the payment's date and the patient's ledger by the split's: they are to be the same, or"
        " a month's income is not the month's change of the balances.",
    ),
    Finds(
        table="payment",
        name="DateOutOfRange",
        kind="OutOfRange",
        severity="warning",
        query="""
            select
                row_key,
                'paydate' as field,
                paydate::text as value,
                'paid on ' || paydate || ', and entered on ' || coalesce(dateentry::text, '?') as message,
                row_slice
            from looked_at
            where extract(year from paydate) < %(first)s or paydate > current_date + 1
        """,
        parameters={"first": FIRST_YEAR},
        why="Money is entered when it comes. A date ahead hides it from the day's deposits, one of the last century"
        " (0001-01-01 too: a payment has a date) from every report.",
    ),
    Finds(
        table="claimproc",
        name="UnknownClaim",
        query="""
            select
                row_key,
                'claimnum' as field,
                claimnum::text as value,
                'of claim ' || claimnum || ', which is not there' as message,
                row_slice
            from looked_at
            where
                claimnum <> 0
                and not exists (select from open_dental.claim where claim.claimnum = looked_at.claimnum)
                and secdatetedit < coalesce(
                    (select read_until from etl.extraction where relation = 'open_dental.claim'), 'infinity'
                )
        """,
        why="What the insurance paid of it counts for a claim that nobody can look up. 0 is an estimate without claim.",
    ),
    OneOf(
        table="claim",
        name="InvalidStatus",
        column="claimstatus",
        known=CLAIM_STATUSES,
        why="By its letter a claim is outstanding or received; one that we do not know is in neither sum.",
    ),
    Finds(
        table="procedurelog",
        name="UnknownPatient",
        query="""
            select
                row_key,
                'patnum' as field,
                patnum::text as value,
                'of patient ' || coalesce(patnum::text, '?') || ', who is not there' as message,
                row_slice
            from looked_at
            where
                not exists (select from open_dental.patient where patient.patnum = looked_at.patnum)
                and datetstamp < coalesce(
                    (select read_until from etl.extraction where relation = 'open_dental.patient'), 'infinity'
                )
        """,
        why="Patients are never deleted, only marked so: a procedure without one is of a merge that went wrong, and its"
        " fee is in no family's balance.",
    ),
    Finds(
        table="procedurelog",
        name="InvalidStatus",
        query="""
            select
                row_key,
                'procstatus' as field,
                procstatus::text as value,
                'status ' || coalesce(procstatus::text, 'null') || ' is none of 1 to 8' as message,
                row_slice
            from looked_at
            where procstatus is null or procstatus not between 1 and 8
        """,
        why="Production is what is complete (2). A status that we do not know is in no sum, rightly or not.",
    ),
    Finds(
        table="procedurelog",
        name="CompleteInTheFuture",
        kind="OutOfRange",
        severity="warning",
        query="""
            select
                row_key,
                'procdate' as field,
                procdate::text as value,
                'is complete, on ' || procdate as message,
                row_slice
            from looked_at
            where procstatus = 2 and (procdate > current_date + 1 or extract(year from procdate) < %(first)s)
        """,
        parameters={"first": FIRST_YEAR},
        why="What was done was done by now, and in a year that this practice has seen; otherwise it is production of a"
        " month that nobody looks at.",
    ),
    Finds(
        table="appointment",
        name="InvalidStatus",
        query="""
            select
                row_key,
                'aptstatus' as field,
                aptstatus::text as value,
                'status ' || coalesce(aptstatus::text, 'null') || ' is none of 1, 2, 3, 5, 6, 7, 8' as message,
                row_slice
            from looked_at
            where aptstatus is null or aptstatus not in (1, 2, 3, 5, 6, 7, 8)
        """,
        why="Whether time was used, broken or only planned is said by the status. 4 was the ASAP list of old versions;"
        " it is a priority now, and an update of Open Dental converts what still has it.",
    ),
    Finds(
        table="patient",
        name="UnknownGuarantor",
        query="""
            select
                row_key,
                'guarantor' as field,
                guarantor::text as value,
                'guarantor is ' || coalesce(guarantor::text, '?') || ', who is not there' as message,
                row_slice
            from looked_at
            where not exists (select from open_dental.patient as other where other.patnum = looked_at.guarantor)
        """,
        why="Balances are kept by family, under the guarantor; everybody has one, most often themselves. What this"
        " patient owes is in no family's ageing.",
    ),
    Finds(
        table="securitylog",
        name="EntryWithoutHash",
        severity="warning",
        kind="MissingValue",
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
