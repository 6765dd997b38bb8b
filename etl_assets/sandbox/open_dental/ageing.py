"""The nightly ageing of a sandbox in use: what each family owes by the age of its charges, as the vendor does it.

`books` keeps what the practice noted down; this reads the rows again, because people have changed them since.
"""

from collections import defaultdict
from datetime import date

from etl_assets.sandbox.open_dental.books import Aged, Books
from etl_assets.sandbox.open_dental.editing import Editor
from etl_assets.sandbox.open_dental.people import balances_of

# Each: day, patient, cents owed more.
_TRANSACTIONS = """
select [ProcDate], [PatNum], round([ProcFee] * 100) * ([UnitQty] + [BaseUnits]) from procedurelog where [ProcStatus] = 2
union all
select line.[DateCP], line.[PatNum], -round(line.[InsPayAmt] * 100) - round(line.[WriteOff] * 100)
from claimproc as line
left join procedurelog as done on done.[ProcNum] = line.[ProcNum]
where line.[Status] in (1, 4, 5, 7) and (line.[ProcNum] = 0 or done.[ProcStatus] = 2)
union all
select [AdjDate], [PatNum], round([AdjAmt] * 100) from adjustment
union all
select [DatePay], [PatNum], -round([SplitAmt] * 100) from paysplit
where [UnearnedType] not in (select [DefNum] from definition where [Category] = 29 and [ItemValue] <> '')
union all
select [ChargeDate], case when [ChargeType] = 1 then [PatNum] else [Guarantor] end,
    case when [ChargeType] = 1 then -round([Principal] * 100)
        else round([Principal] * 100) + round([Interest] * 100) end
from payplancharge
"""
_DUE = """
select [ChargeDate], [Guarantor], round([Principal] * 100) + round([Interest] * 100) from payplancharge
where [ChargeType] = 0
union all
select [DatePay], [PatNum], -round([SplitAmt] * 100) from paysplit where [PayPlanNum] <> 0
"""
_EXPECTED = """
select line.[ProcDate], line.[PatNum], round(line.[InsPayEst] * 100) + round(line.[WriteOff] * 100)
from claimproc as line
left join procedurelog as done on done.[ProcNum] = line.[ProcNum]
where line.[Status] = 0 and (line.[ProcNum] = 0 or done.[ProcStatus] = 2)
"""


def age(editor: Editor, as_of: date) -> dict[int, Aged]:
    """Write what is owed at the end of a day into the patients' files, where it is not what stands there.

    Returns:
        What each family owes, by guarantor (PatNum).
    """
    books = _read(editor)
    aged, balances = books.aged(as_of), books.balances(as_of)
    for row in editor.find("patient", limit=10**9):
        number = int(row["PatNum"])
        wanted = balances_of(aged.get(number), balances.get(number))
        changed = {name: value for name, value in wanted.items() if row[name] != value}
        if changed:
            editor.update("patient", number, **changed)
    return aged


def _read(editor: Editor) -> Books:
    books = Books()
    books.guarantors = defaultdict(
        int, {int(row["PatNum"]): int(row["Guarantor"]) for row in editor.find("patient", limit=10**9)}
    )
    for day, patient, cents in editor.query(_TRANSACTIONS):
        books.move(day, int(patient), int(cents))
    for day, patient, cents in editor.query(_EXPECTED):
        books.expect(int(patient), day, int(cents))
    for day, patient, cents in editor.query(_DUE):
        books.due(day, int(patient), int(cents))
    return books
