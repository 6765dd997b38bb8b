"""Faults of a service: it answers with errors, cuts answers off, gives a page twice, or does not answer at all."""

from urllib.parse import urlsplit

from etl_assets.drills.rehearsal.company import PAGE, GuardCompany
from etl_assets.drills.rehearsal.night import FINE, Night, channels_of


def service_stumbles(night: Night, place: GuardCompany) -> None:
    """It answers 500 and 429, and breaks answers off."""
    with night.fault("answers 500, 429, cut off, and no JSON", place) as trouble:
        place.change()
        faults = place.service.faults
        faults.plan("status", status=500, path="clients")
        faults.plan("too_many", path="employees")
        faults.plan("cut_off", path="positions")
        faults.plan("not_json", path="regions")
        done = night.etl(*night.words(place))
        faults.clear()
        if done.code in FINE:
            trouble.pass_by("healed within the run, by asking again")
            trouble.healed = "that run"
        else:
            trouble.tell(f"the run ends with {done.code}")


def page_comes_twice(night: Night, place: GuardCompany) -> None:
    """The second page of a list is the first once more: that is not believed, and asked for again or given up."""
    with night.fault("a page comes twice", place) as trouble:
        place.change()
        planned = place.service.faults.plan("list_shifts", path="shifts", nth=2, by=PAGE)
        done = night.etl(*night.words(place))
        place.service.faults.clear()
        if planned.seen < planned.nth:
            trouble.wrong.append("a page that comes twice: the list had one page")
        elif done.code in FINE:
            trouble.pass_by("the same run reads it anew")
            trouble.healed = "that run"
        else:
            trouble.expect("page" in done.output, f"the run ends with {done.code}, the table stays as it was")
            trouble.heals_by = ("retry", place.source.name)


def service_is_down(night: Night, place: GuardCompany) -> None:
    """Nobody answers at its address for a whole run; later it is there again."""
    with night.fault("the service is down, then back", place) as trouble:
        place.change()
        port = urlsplit(place.service.address).port or 0
        place.close()
        trouble.strike()
        done = night.etl(*night.words(place))
        trouble.expect(done.code == 1, "the run ends with 1")
        early = night.look(minutes=1)
        late = night.look(minutes=12)
        news = [each for each in late if place.source.name in each.title]
        trouble.expect(news and not early, f"{channels_of(news)} 10 min later")
        place.open(port)
    night.heard.received.clear()
    over = [each for each in night.look(minutes=13) if "RESOLVED" in each.title.upper()]
    trouble.expect(over, "over")
