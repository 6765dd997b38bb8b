"""The list of a service's jobs: read, counted, and refused where its lines contradict each other."""

from collections import Counter
from pathlib import Path

import pytest

from etl_assets.declare.endpoints import Bare, OnePage
from etl_assets.declare.job_list import COLUMNS, read_jobs
from etl_assets.sources.trialsync.tables import JOBS, TABLES

SHAPES = {"array": (Bare(), OnePage()), "": (Bare(), OnePage())}
STUDIES = "1|Studies|/studies|studies|yes|no||dimension|0|array|Study||||"
ARMS = "2|Arms|/studies/{studyId}/arms|arms|yes|yes|studyId=studies.data->>'id'|metadata|1|array|Arm||||"


def read(folder: Path, *lines: str):
    path = folder / "jobs.csv"
    path.write_text("\n".join(["|".join(COLUMNS), *lines]) + "\n")
    return read_jobs(path, SHAPES)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([STUDIES, ARMS.replace("studyId=studies.data->>'id'", "")], r"line 3: nothing gives \{studyId\} of /studies"),
        ([STUDIES, ARMS.replace("studyId=", "armId=")], r"line 3: nothing gives \{studyId\}"),
        ([STUDIES, ARMS.replace("studyId=", "armId=studies.id studyId=")], "does not have each of armId, studyId"),
        ([ARMS], r"job 2 \(Arms\): no job fills studies, which gives \{studyId\}"),
        ([STUDIES, ARMS.replace("|1|array", "|0|array")], "studies is filled in no phase before 0"),
        ([STUDIES, ARMS.replace("|arms|", "|studies|")], "each other's parents: studies -> studies"),
        ([STUDIES, STUDIES], "job 1 is there twice: Studies and Studies"),
        (
            [STUDIES, STUDIES.replace("1|", "3|", 1).replace("|Study|", "|StudyPreview|")],
            r"studies: two kinds of records would share it: job 1 \(Studies\) brings Study and job 3",
        ),
        ([STUDIES.replace("|Study||||", "|Study|||9|")], "it is replaced by 9, which does not fill studies"),
        ([STUDIES.replace("|yes|", "|maybe|", 1)], "line 2: active is 'maybe', and yes or no was expected"),
        ([STUDIES.replace("1|", "one|", 1)], "line 2: id is 'one', and a number was expected"),
        ([STUDIES.replace("|Study||", "|Study|50|")], "it has a page_size, and its answers are not paged"),
        ([STUDIES.replace("|Study|||", "|Study||soon|")], "timeout is 'soon', and a number was expected"),
        ([STUDIES.replace("|array|", "|page|")], "shape 'page' is none of array"),
        ([STUDIES.replace("|dimension|", "|other|")], "category 'other' is none of dimension, fact, metadata"),
        ([STUDIES + "|more"], "line 2: it has 16 fields, and the first line 15"),
        ([STUDIES, ARMS.replace("data->>'id'", "data")], "is not of the form studyId="),
    ],
)  # fmt: skip
def test_lines_that_contradict_each_other_are_refused_by_name(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, *lines)


def test_a_column_of_the_parent_is_read_from_its_path_and_the_row_number_is_taken_for_the_record_s_id(tmp_path) -> None:
    visits = (
        "3|Visits|/studies/{studyId}/subjects/{subjectId}/visits|visits|yes|yes|subjectId=subjects.id"
        " studyId=subjects.data->'study'->>'id'|fact|2|array|Visit||||"
    )
    subjects = ARMS.replace("Arms", "Subjects").replace("|arms|", "|subjects|")
    *_, job = read(tmp_path, STUDIES, subjects, visits)
    assert job.endpoint.path == "studies/{subjects.study_id}/subjects/{subjects.entity_id}/visits"
    assert job.endpoint.per is not None
    assert dict(job.endpoint.per.gives) == {"subject_id": "entity_id", "study_id": "study_id"}


def test_trialsync_has_the_90_jobs_of_its_inventory_and_seven_with_the_real_paths() -> None:
    original = [job for job in JOBS if job.id <= 176]
    assert len(original) == 90
    assert Counter(job.is_active for job in original) == {True: 76, False: 14}
    assert Counter(job.has_parameters for job in original) == {True: 40, False: 50}
    assert Counter(job.category for job in original) == {"dimension": 57, "fact": 23, "metadata": 10}
    assert len(TABLES) == 88
    replaced = {job.id: job.replaced_by for job in JOBS if job.replaced_by}
    assert sorted(replaced) == [23, 24, 132, 161, 166, 174, 175]
    assert sorted(replaced.values()) == [job.id for job in JOBS if job.id > 176]
    absent = [job.id for job in original if job.is_active and not job.record and not job.replaced_by]
    assert absent == [14, 15, 16, 17, 20, 167, 168, 169, 170, 171, 173, 176]
    assert all(job.why_off for job in original if not job.is_active)
