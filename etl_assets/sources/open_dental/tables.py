"""What we take from Open Dental, and how: every table that has a key, as `tables.yaml` beside this file lists them.

That file is written by `etl discover open_dental` from the live schema and from the rules here; what is said here of a
table by name wins over it. Open Dental declares no foreign keys, and its row counts say nothing about importance: a
table is important by what it holds, and the rule that says so is kept with it.

Cursor columns are the timestamps that the database itself updates (ON UPDATE). A business date is never one:
`AptDateTime` lies in the future, `DateTimeDeceased` is rarely set, and neither moves when a row is corrected. Two
timestamps are not updated so in what is published of the schema (feeschednote, schoolapproval): while the database does
not update them, their tables are read whole, which for a handful of rows costs nothing.
"""

from pathlib import Path

from etl_assets.declare.catalogue import Catalogue, ClassRule, Override
from etl_assets.declare.privacy import Owned, Subject

CLASSES = (
    ClassRule(
        importance="critical",
        why="money: what patients owe and paid",
        names="procedurelog adjustment payment paysplit payplan payplancharge statement",
    ),
    ClassRule(importance="critical", why="people: the patients", names="patient"),
    ClassRule(
        importance="critical",
        why="schedule: who is seen when",
        names="appointment histappointment schedule scheduleop operatory",
    ),
    ClassRule(
        importance="critical",
        why="clinical record: notes, charts, forms, images, letters",
        names="procnote sheet sheetfield document commlog treatplan treatplanattach proctp toothinitial perioexam"
        " periomeasure",
    ),
    ClassRule(
        importance="critical",
        why="audit: who did what, and the proof that nobody altered it",
        names="securitylog securityloghash",
    ),
    ClassRule(
        importance="important",
        why="insurance: claims, and what was paid of them",
        names="claim claimattach claimcondcodelog claimpayment claimproc claimsnapshot claimtracking claimvalcodelog"
        " eobattach etrans etrans835 etrans835attach inspending paysuitepayment paysuitepaymentdetail",
    ),
    ClassRule(
        importance="important",
        why="schedule: recalls, and what is said of appointments",
        names="recall recalltrigger apptfield",
    ),
    ClassRule(
        importance="audit",
        why="history: what was before a change, or was deleted",
        names="*hist updatehistory deletedobject",
    ),
    ClassRule(
        importance="audit",
        why="log: what was done, by whom or by what",
        names="*log loginattempt activeinstance sessiontoken databasemaintenance eservicesignal hl7msg"
        " etransmessagetext xchargetransaction *webresponse *responseweb",
    ),
    ClassRule(
        importance="audit",
        why="messages: what was sent by itself, and what came of it",
        names="*sent *tomobile *frommobile confirmationrequest patientportalinvite webschedrecall asapcomm",
    ),
    ClassRule(
        importance="reference",
        why="definitions, types and preferences",
        names="*def *type *pref definition *deflink preference *preference *template limitedbetafeature",
    ),
    ClassRule(
        importance="reference",
        why="geography, and codes that others publish",
        names="zipcode county stateabbr site language languageforeign cpt icd9 icd10 hcpcs snomed loinc rxnorm cvx ucum"
        " cdcrec sop codesystem electid canadiannetwork oid* procedurecode codegroup medication drugmanufacturer"
        " drugunit dictcustom",
    ),
    ClassRule(
        importance="reference",
        why="workings: what programs tell each other for a moment",
        names="signalod sigmessage terminalactive hiequeue scheduledprocess mobiledatabyte mobilenotification"
        " eserviceshortguid emailmessageuid sequencecounter alertitem alertread",
    ),
    ClassRule(
        importance="important",
        why="insurance: plans, coverage and fees",
        names="insplan inssub patplan benefit carrier fee feesched* insverify insbluebook discountplan*"
        " substitutionlink",
    ),
    ClassRule(
        importance="important",
        why="money: deposits, the books of the practice, plans of payment",
        names="deposit transaction transactioninvoice journalentry account reconcile payplanlink stmtlink statementprod"
        " creditcard famaging dashboardar installmentplan repeatcharge recurringcharge",
    ),
    ClassRule(
        importance="important",
        why="people: providers, staff, users and their hours",
        names="provider provider* employee employer userod userclinic usergroup usergroupattach userweb"
        " grouppermission clockevent timeadjust payperiod clinic certemployee referral",
    ),
    ClassRule(
        importance="important",
        why="clinical: what belongs to a patient's treatment",
        names="allergy medicationpat disease labcase labresult labpanel medlab* ehrlab* anesth* ortho* ehr* mount"
        " mountitem imagedraw procgroupitem procmultivisit orionproc treatplanparam refattach rx?* vitalsign vaccine*"
        " schoolapproval",
        columns="patnum procnum aptnum provnum medlabnum ehrlabnum mountnum docnum orthocasenum anestheticrecordnum"
        " labpanelnum vaccinepatnum ehrlabresultnum ehrlabspecimennum orthochartrownum",
    ),
    ClassRule(
        importance="important",
        why="work: tasks, and what staff write to each other",
        names="task task* popup chat chat* email*attach emailmessage emailsecure",
    ),
    ClassRule(
        importance="important",
        why="people: what is said of a patient",
        names="patientlink guardian custrefentry languagepat screen screengroup",
    ),
    ClassRule(importance="important", why="people: what is said of a patient", names="*", columns="patnum"),
    ClassRule(importance="reference", why="set up by the practice", names="*"),
)

CHECKSUMS_AND_IDS = (
    "securityhash loghash externalguid chartletterhash attachmentguid logguid erxguid guidmessage guidbatch"
)
"""Checksums of rows, and ids of messages and files: they prove or name something, and open nothing."""

EVENT_DATES = {
    "adjustment": "adjdate",
    "appointment": "aptdatetime",
    "claim": "dateservice",
    "claimpayment": "checkdate",
    "claimproc": "procdate",
    "commlog": "commdatetime",
    "histappointment": "histdatetstamp",
    "payment": "paydate",
    "payplancharge": "chargedate",
    "paysplit": "datepay",
    "procedurelog": "procdate",
    "recall": "datedue",
    "schedule": "scheddate",
    "securitylog": "logdatetime",
    "statement": "datesent",
}
"""The event date of each table, by which models are built: the one by which the vendor's own reports count."""

SECRET = {
    "account": "banknumber",
    "apikey": "custapikey",
    "apisubscription": "customerkey",
    "apptnewpatthankyousent": "shortguid",
    "apptthankyousent": "shortguid",
    "asapcomm": "shortguid",
    "carecreditwebresponse": "webtoken lastresponsestr",
    "centralconnection": "mysqlpassword odpassword",
    "clearinghouse": "password loginid isa02 isa04",
    "clinic": "banknumber",
    "clinicerx": "clinickey",
    "clinicpref": "valuestring",
    "confirmationrequest": "shortguid confirmcode",
    "creditcard": "xchargetoken ccnumbermasked ccexpiration payconnecttoken payconnecttokenexp paysimpletoken"
    " cardholdername",
    "deposit": "bankaccountinfo",
    "ebill": "electpassword",
    "ehrprovkey": "provkey",
    "ehrquarterlykey": "keyvalue",
    "emailaddress": "emailpassword accesstoken refreshtoken",
    "eserviceshortguid": "shortguid shorturl",
    "fhirsubscription": "apikeyhash channelheader",
    "hl7def": "sftppassword",
    "mobiledatabyte": "rawbase64code rawbase64data rawbase64tag",
    "msgtopaysent": "shortguid",
    "patient": "ssn",
    "payconnectresponseweb": "accounttoken paymenttoken paytoken expdatetoken lastresponsestr",
    "programproperty": "propertyvalue",
    "provider": "ssn",
    "referral": "ssn",
    "registrationkey": "regkey backuppasscode",
    "reseller": "resellerpassword",
    "sessiontoken": "sessiontokenhash",
    "statement": "shortguid statementshorturl statementurl",
    "supplier": "password",
    "userod": "password mobilewebpin eclipboardclinicalpin badgeid",
    "userodpref": "valuestring",
    "userweb": "password passwordresetcode",
    "webschedrecall": "shortguid",
    "xchargetransaction": "creditcardnum expiration",
    "xwebresponse": "otk hpfurl alias maskedacctnum expdate accountexpirationdate debugerror",
}
"""What opens something, or is somebody's: passwords, tokens, keys, PINs, numbers of cards, bank accounts and SSNs, and
links that open a patient's page without a password. The values of programs' and users' settings are of every kind,
passwords among them. `preference.ValueString` is loaded, for the models need it: see README.md."""

NOT_SECRET = {
    "asapcomm": "guidmessagetomobile",
    "confirmationrequest": "guidmessagefrommobile",
    "payconnectresponseweb": "istokensaved",
    "programproperty": "ismasked",
    "recurringcharge": "creditcardnum",
    "sessiontoken": "tokentype",
    "userod": "passwordisstrong ispasswordresetrequired",
    "userweb": "requirepasswordchange",
}
"""Yes-or-no answers, kinds, and references to other tables, whose names sound like a secret's."""

CATALOGUE = Catalogue(
    path=Path(__file__).with_name("tables.yaml"),
    classes=CLASSES,
    append_only={
        "procnote": "the vendor: a note is never edited or deleted; a corrected one is one more row",
        "securitylog": "the vendor: entries are never edited",
        "securityloghash": "the vendor: one hash an entry, never edited",
    },
    retain_deleted="securitylog securityloghash histappointment",
    not_secret=CHECKSUMS_AND_IDS,
    overrides={
        name: Override(
            event_date=EVENT_DATES.get(name), never_load=SECRET.get(name, ""), not_secret=NOT_SECRET.get(name, "")
        )
        for name in sorted({*EVENT_DATES, *SECRET, *NOT_SECRET})
    },
)

LISTED = CATALOGUE.read()
TABLES = tuple(LISTED.tables.values())

PARTS = {
    "anestheticrecord": "anestheticdata anesthmedsgiven anesthscore",
    "appointment": "apptfield ehraptobs",
    "claim": "claimattach claimcondcodelog claimtracking claimvalcodelog",
    "claimproc": "claimsnapshot insbluebooklog",
    "document": "imagedraw",
    "ehrlab": "ehrlabclinicalinfo ehrlabimage ehrlabnote ehrlabresult ehrlabresultscopyto ehrlabspecimen",
    "emailmessage": "emailattach",
    "etrans": "etrans835 etrans835attach",
    "labpanel": "labresult",
    "medlab": "medlabfacattach medlabresult medlabspecimen",
    "mount": "mountitem",
    "orthocase": "orthoplanlink orthoproclink",
    "patplan": "benefit",
    "payplan": "payplanlink",
    "perioexam": "periomeasure",
    "procedurelog": "insbluebook orionproc procgroupitem",
    "securitylog": "securityloghash",
    "sheet": "sheetfield",
    "statement": "statementprod stmtlink",
    "treatplan": "treatplanattach",
    "vaccinepat": "vaccineobs",
}
"""Tables without the patient's number whose rows are parts of rows that have it; by the key of these, called alike."""

SUBJECTS = (
    Subject(
        name="patient",
        table="patient",
        key="patnum",
        is_pseudonymised=False,
        key_elsewhere="patnum",
        owns=(
            *(Owned(table="patientlink", column=column) for column in ("patnumfrom", "patnumto")),
            *(Owned(table="guardian", column=column) for column in ("patnumchild", "patnumguardian")),
            *(
                Owned(table=part, column=LISTED.tables[whole].keys[0], of=whole)
                for whole, parts in PARTS.items()
                for part in parts.split()
            ),
        ),
    ),
)
"""Who is erased goes from every table that has a `PatNum`. The rows of others that name them stay: whose guarantor, or
whose subscriber they were."""
