"""What the marts of Lacrei Saude count, and how they are published: nothing of fewer than five persons."""

from etl_assets.declare.publication import Count, Publication, PublishedMart
from etl_assets.sources.lacrei_saude.rules import STATUSES

APPOINTMENTS, REPORTS, PATIENTS, DISABILITIES = "appointments", "reports", "patients", "disabilities"
ACTIVE, INACTIVE = {"is_active": "true"}, {"is_active": "false"}
RATINGS = [f"rating_{number}" for number in range(1, 6)]


def _appointments(persons: str | None = "patients", **where: str) -> Count:
    return Count(APPOINTMENTS, where, persons)


def _reports(**where: str) -> Count:
    return Count(REPORTS, where, "patients")


PUBLICATION = Publication(
    exact_schema="lacreisaude_mart_exact",
    schema="lacreisaude_mart",
    reason="Suprimido: menos de {k} pessoas, ou dedutível do que se mostra (LGPD).",
    within={REPORTS: "professional_appointments"},
    marts=(
        PublishedMart(
            name="mart_appointments",
            dimensions={"month": "month", "type": "type", "state": "state", "specialty": "specialty"},
            counts={
                "total_appointments": _appointments(),
                **{status: _appointments(status=status) for status in (*STATUSES, "other")},
            },
            derived={
                "completion_rate": ("total_appointments", "completed"),
                "cancellation_rate": ("total_appointments", "canceled"),
                "avg_waiting_minutes": ("total_appointments",),
            },
        ),
        PublishedMart(
            name="mart_feedback",
            dimensions={"month": "month", "specialty": "specialty"},
            counts={
                "total_feedback": _reports(),
                **{name: _reports(rating=name[-1]) for name in RATINGS},
                "completed": _appointments(persons=None, status="completed"),
                "answered": Count("answers", persons="patients"),
            },
            derived={
                "avg_rating": ("total_feedback", *RATINGS),
                "response_rate": ("answered", "completed"),
            },
            averages={"avg_rating": ("total_feedback", "rating")},
        ),
        PublishedMart(
            name="patients",
            dimensions={
                "period_month": "month",
                "age_group": "age_group",
                "gender_identity": "gender_identity",
                "sexual_orientation": "sexual_orientation",
                "ethnic_group": "ethnic_group",
            },
            counts={
                "total_patients": Count(PATIENTS),
                "active_patients": Count(PATIENTS, ACTIVE),
                "inactive_patients": Count(PATIENTS, INACTIVE),
            },
            derived={"active_percentage": ("total_patients", "active_patients")},
            growth={"growth_rate": ("total_patients", "period_month")},
        ),
        PublishedMart(
            name="patient_disability",
            dimensions={"period_month": "month", "disability_type": "disability_type"},
            counts={
                "total_patients": Count(DISABILITIES),
                "active_patients": Count(DISABILITIES, ACTIVE),
                "inactive_patients": Count(DISABILITIES, INACTIVE),
            },
            derived={"active_percentage": ("total_patients", "active_patients")},
        ),
        PublishedMart(
            name="professionals",
            dimensions={"professional_sk": "professional"},
            partial=("professional",),
            counts={
                "total_appointments": _appointments("patients_seen", status="completed"),
                "total_feedback": _reports(),
            },
            derived={"avg_feedback_rating": ("total_feedback",)},
            averages={"avg_feedback_rating": ("total_feedback", "rating")},
            anonymous=("ethnic_group", "gender_identity", "sexual_orientation", "pronoun"),
        ),
        PublishedMart(
            name="professional_appointments",
            dimensions={
                "professional_sk": "professional",
                "appointment_period": "month",
                "specialty": "specialty",
                "state": "state",
            },
            counts={
                "total": _appointments(),
                "completed": _appointments(status="completed"),
                "completed_online": _appointments(status="completed", type="online"),
                "completed_presencial": _appointments(status="completed", type="in_person"),
                "cancelled_online": _appointments(status="canceled", type="online"),
                "cancelled_presencial": _appointments(status="canceled", type="in_person"),
            },
            derived={
                "completion_rate": ("total", "completed"),
                "cancellation_rate": ("total", "cancelled_online", "cancelled_presencial"),
                "avg_waiting_minutes": ("total",),
            },
        ),
    ),
)
