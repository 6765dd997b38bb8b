"""Records from shapes: what the books do not say is drawn once, and records are made by filling in what they do.

A model has some templates, texts of JSON with named holes; a record takes one of them by its number. So a thousand
records take a few milliseconds, whatever they consist of.
"""

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache

from etl_assets.readers.rest.specification import ApiType, Model
from etl_assets.sandbox.seeded_random import SeededRandom
from etl_assets.sandbox.trialsync.numbers import moment, uid

VARIANTS = 8
_DEEPEST = 6
_FIRST_DAY, _DAYS = date(2022, 1, 10), 1_400
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "islet", "jade", "knoll", "larch")
_FORMS: Mapping[str, str] = {
    "email": "{word}{number}@example.org",
    "phone": "(555) 02{number}",
    "fax": "(555) 03{number}",
    "url": "https://{word}.example.org",
    "zip": "00{number}",
    "country": "Utopia",
    "timezone": "UTC",
    "gendercode": "F",
    "code": "{letters}{number}",
    "login": "{word}{number}",
    "username": "{word}{number}",
    "version": "1.{number}",
    "comment": '{word} \u2013 "{other}" & co., caf\u00e9\nsecond line',
}
"""What a text looks like whose name ends so; the last is what a text may hold that JSON must escape."""


_DRAWN: Mapping[str, Callable[[SeededRandom], str]] = {
    "int": lambda rng: str(rng.randint(1, 12)),
    "num": lambda rng: f"{rng.randint(0, 400)}.{rng.randint(0, 99):02d}",
    "bool": lambda rng: rng.choice(("true", "false")),
    "datetime": lambda rng: moment(
        _FIRST_DAY + timedelta(days=rng.randint(0, _DAYS)), rng.randint(7, 18), rng.randint(0, 59)
    ),
    "uuid": lambda rng: uid(rng.randint(1, 1 << 30), 0, rng.randint(1, 1 << 30)),
    "object": lambda _: "{}",
}


class Template:
    """The templates of one model with the same holes."""

    def __init__(self, variants: tuple[str, ...]) -> None:
        self._variants = variants

    def fill(self, number: int, values: Mapping[str, object]) -> str:
        """A record as JSON.

        Args:
            number: Which variant, counted round.
            values: JSON of each hole.
        """
        return self._variants[number % VARIANTS] % values


class Templates:
    """Templates of all models, for one seed."""

    def __init__(self, models: Mapping[str, Model], seed: int, known: Mapping[str, Callable[[int], str]]) -> None:
        """Draw nothing yet.

        Args:
            models: By name.
            seed: Another one draws other values.
            known: Models whose records are not drawn: any number gives the JSON of one that exists.
        """
        self._models, self._seed, self._known = models, seed, known
        self.of = lru_cache(None)(self._make)

    def _make(self, model: str, holes: tuple[str, ...]) -> Template:
        """The templates of a model with these fields as holes.

        Raises:
            ValueError: The model has no such field.
        """
        variants = []
        for variant in range(VARIANTS):
            left = set(holes)
            rng = SeededRandom(self._seed, "template", model, variant)
            variants.append(self._object(rng, model, left, 0))
            if left:
                raise ValueError(f"{model} has no fields {sorted(left)}")
        return Template(tuple(variants))

    def _object(self, rng: SeededRandom, model: str, holes: set[str], depth: int) -> str:
        fields = []
        for name, kind in self._models[model].items():
            if name in holes:
                holes.remove(name)
                value = f"%({name})s"
            elif kind.is_list:
                count = rng.randint(0, 2) if depth < _DEEPEST else 0
                value = f"[{','.join(self._value(rng, name, kind, depth) for _ in range(count))}]"
            elif (kind.is_model and depth >= _DEEPEST) or rng.chance(0.2):
                value = "null"
            else:
                value = self._value(rng, name, kind, depth)
            fields.append(f"{json.dumps(name)}:{value}")
        return "{" + ",".join(fields) + "}"

    def _value(self, rng: SeededRandom, name: str, kind: ApiType, depth: int) -> str:
        """A value, or one of a list, as JSON in which a percent sign stands twice."""
        if kind.name in self._known:
            return _escaped(self._known[kind.name](rng.randint(0, 999)))
        if kind.is_model:
            return self._object(rng, kind.name, set(), depth + 1)
        if kind.name == "int" and name.lower().endswith("id"):
            return str(rng.randint(1, 40))
        return _escaped(_scalar(rng, name, kind))


def _scalar(rng: SeededRandom, name: str, kind: ApiType) -> str:
    """A value that is neither object nor list, as JSON."""
    if kind.name in _DRAWN:
        return _DRAWN[kind.name](rng)
    if kind.name == "enum":
        return json.dumps(rng.choice(kind.values))
    form = next((each for end, each in _FORMS.items() if name.lower().endswith(end)), "{word} {other}")
    word, other, number = rng.choice(_WORDS), rng.choice(_WORDS), f"{rng.randint(0, 999):03d}"
    return json.dumps(form.format(word=word, other=other, number=number, letters=word[:2].upper()), ensure_ascii=False)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
