"""The classes of columns: what is not classified is not loaded."""

import pytest

from etl_assets.declare.privacy import NOTHING, parse_classification
from etl_assets.errors import EtlError

PEOPLE = """
people:
  purpose: who comes
  columns:
    - {class: pseudonymised, purpose: told apart, columns: id}
    - {class: loaded, purpose: counted, columns: created_at state}
    - {class: generalised, purpose: age groups, columns: birth_date}
    - {class: personal, purpose: requests of the person, columns: name}
    - {class: never, purpose: opens the account, columns: password}
secrets:
  purpose: keys
  columns:
    - {class: never, purpose: opens everything, columns: id key}
"""


def test_only_what_is_classified_and_may_leave_the_source_is_loaded() -> None:
    tables = parse_classification(PEOPLE, "privacy.yaml")
    people = tables["people"]
    columns = ["id", "created_at", "birth_date", "name", "password", "nickname"]
    assert [name for name in columns if people.leaves_out(name)] == ["password", "nickname"]
    assert people.unclassified(columns) == ["nickname"]
    assert people.personal == ["id", "birth_date", "name"]
    assert people.comments() == {
        "id": "pseudonymised: told apart",
        "created_at": "loaded: counted",
        "state": "loaded: counted",
        "birth_date": "generalised: age groups",
        "name": "personal: requests of the person",
    }
    assert [people.is_loaded, tables["secrets"].is_loaded, NOTHING.is_loaded] == [True, False, False]
    assert NOTHING.leaves_out("id")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("class: never, purpose: opens the", "class: secret, purpose: opens the"), "class 'secret' is none of loaded"),
        (("purpose: age groups, ", ""), "the classes of people cannot be read: 'purpose'"),
        (("purpose: age groups", "purpose: ''"), "class generalised lacks its purpose"),
        (("columns: name", "columns: name state"), "state stands there twice"),
        (("columns: name", "columns: Name"), "Name stands there twice, or is not in lower case"),
        (("  purpose: who comes\n", ""), "the classes of people cannot be read: 'purpose'"),
        (("secrets:", "secrets: [:"), "privacy.yaml is no classification of tables"),
        (("secrets:", "secrets: 3\nothers:"), "the classes of secrets cannot be read"),
    ],
)
def test_a_classification_that_cannot_be_read_says_where(change: tuple[str, str], says: str) -> None:
    text = PEOPLE.replace(*change)
    assert text != PEOPLE
    with pytest.raises(EtlError) as caught:
        parse_classification(text, "privacy.yaml")
    assert says in str(caught.value)
