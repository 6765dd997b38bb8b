"""Three tables like those of Open Dental that cost most, in a MariaDB, with rows that the server makes up by itself."""

from etl_assets.readers.database import open_connection

ROWS = {"securitylog": 2_000_000, "paysplit": 1_000_000, "sheetfield": 500_000}
"""At scale 1."""
KEYS = {"securitylog": "SecurityLogNum", "paysplit": "SplitNum", "sheetfield": "SheetFieldNum"}
_TABLES = (
    """create table securitylog (SecurityLogNum bigint not null auto_increment primary key, PermType tinyint not null,
    UserNum bigint not null, LogDateTime datetime not null, LogText text, PatNum bigint not null, CompName varchar(255),
    FKey bigint not null, LogSource tinyint not null, DefNum bigint not null, DefNumError bigint not null,
    DateTPrevious datetime not null default '0001-01-01 00:00:00')""",
    """create table paysplit (SplitNum bigint not null auto_increment primary key, SplitAmt double not null,
    PatNum bigint not null, ProcDate date not null, PayNum bigint not null, IsDiscount tinyint unsigned not null,
    DiscountType tinyint unsigned not null, ProvNum bigint not null, PayPlanNum bigint not null, DatePay date not null,
    ProcNum bigint not null, DateEntry date not null, UnearnedType bigint not null, ClinicNum bigint not null,
    SecUserNumEntry bigint not null,
    SecDateTEdit timestamp not null default current_timestamp on update current_timestamp, FSplitNum bigint not null,
    AdjNum bigint not null, PayPlanChargeNum bigint not null, PayPlanDebitType tinyint not null,
    SecurityHash varchar(255) not null, key (SecDateTEdit))""",
    """create table sheetfield (SheetFieldNum bigint not null auto_increment primary key, SheetNum bigint not null,
    FieldType int not null, FieldName varchar(255), FieldValue text not null, FontSize float not null,
    FontName varchar(255), FontIsBold tinyint not null, XPos int not null, YPos int not null, Width int not null,
    Height int not null, GrowthBehavior int not null, RadioButtonValue varchar(255) not null,
    RadioButtonGroup varchar(255) not null, IsRequired tinyint not null, TabOrder int not null,
    ReportableName varchar(255), TextAlign tinyint not null, ItemColor int not null,
    DateTimeSig datetime not null default '0001-01-01 00:00:00', IsLocked tinyint not null,
    TabOrderMobile int not null, UiLabelMobile text not null, UiLabelMobileRadioButton text not null,
    LanguageTranslation text not null, CanElectronicallySign tinyint not null, IsSigProvRestricted tinyint not null,
    UserSigned bigint not null)""",
)
_ROWS = {
    "securitylog": """insert into securitylog select seq, seq % 200, 1 + seq * 7 % 40,
    '2015-01-01' + interval seq * 83 second,
    concat('Appointment of patient ', seq * 31 % 35000, ' moved to another day on the wish of the patient',
    if(seq % 97, '', ' to:\\n2nd chair, see C:\\\\notes\\\\7')), seq * 31 % 35000,
    concat('FRONT-', seq % 9), seq * 17 % 900000, seq % 12, 0, 0,
    '2015-01-01' + interval seq * 41 second from seq_1_to_{rows}""",
    "paysplit": """insert into paysplit select seq, round(seq * 37 % 90000 / 100 - 120, 2), seq * 31 % 35000,
    '2015-01-01' + interval seq % 4000 day, seq * 3 % 309884, 0, 0, 1 + seq % 14, 0,
    '2015-01-01' + interval seq % 4000 day, seq * 13 % 818050, '2015-01-01' + interval seq % 4000 day,
    if(seq % 50, 0, 288), 0, seq % 40,
    '2015-01-01' + interval seq * 89 second, 0, 0, 0, 0, md5(seq) from seq_1_to_{rows}""",
    "sheetfield": """insert into sheetfield select seq, seq div 40, seq % 18, concat('field', seq % 60),
    if(seq % 3, concat('value ', seq),
    repeat(concat('Informed consent, §', seq % 40, ': the patient has read — and ✓ — ', char(10)), 2 + seq % 14)),
    10 + seq % 5 / 2, 'Arial', seq % 2, seq % 800, seq % 1100, 120, 17, 0, '', '', seq % 2, seq % 90, null,
    0, -16777216, '0001-01-01', 0, 0, '', '', if(seq % 40, '', 'Español'), 0, 0, 0 from seq_1_to_{rows}""",
}


def fill(server: str, scale: float) -> int:
    """Make the database `bench` with the three tables in it; returns how many rows there are."""
    connection = open_connection(server)
    with connection.cursor() as cursor:
        cursor.execute("create database bench character set utf8mb4")
        cursor.execute("use bench")
        cursor.execute("set sql_mode = '', time_zone = '+00:00'")
        for statement in _TABLES:
            cursor.execute(f"{statement} engine=MyISAM default charset=utf8mb3")
        for table, rows in ROWS.items():
            ROWS[table] = round(rows * scale)
            cursor.execute(_ROWS[table].format(rows=ROWS[table]))
    connection.close()
    return sum(ROWS.values())
