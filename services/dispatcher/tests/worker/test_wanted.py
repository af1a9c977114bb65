"""What dispatch metadata and rules ask for."""

import json

import pytest
from livekit.protocol import models
from pydantic import ValidationError
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.ids import is_token, new_id
from roomscribe_dispatcher.worker import wanted

ROOM = models.Room(name="planning", sid="RM_1", creation_time_ms=1_795_000_000_000)


def command(metadata: object, dispatch: str = "AD_1", room: models.Room = ROOM) -> StartMeeting:
    text = metadata if isinstance(metadata, str) else json.dumps(metadata)
    return wanted.of_dispatch(text, room, dispatch, "home")


@pytest.mark.parametrize("empty", ["", "  \n", "{}"])
def test_no_metadata_is_a_meeting_of_the_default_tenant(empty: str) -> None:
    made = command(empty)
    assert (made.tenant, made.spec.room, made.spec.mode, made.spec.title) == ("home", "planning", "listen", "")


def test_a_meeting_id_and_a_tenant_in_the_metadata_are_the_meetings() -> None:
    made = command({"meeting_id": "mtg_mine", "tenant": "acme"})
    assert (made.spec.meeting_id, made.tenant) == ("mtg_mine", "acme")


def test_the_host_is_kept_unless_the_metadata_names_another() -> None:
    assert command({"host": "ana"}).spec.metadata == {"host": "ana"}
    assert command({"host": "ana", "metadata": {"host": "ben", "crm": "1"}}).spec.metadata == {
        "host": "ben",
        "crm": "1",
    }


def test_a_dispatch_leads_to_one_meeting_however_often_it_is_read() -> None:
    ids = {command("", dispatch).spec.meeting_id for dispatch in ("AD_1", "AD_1", "AD_2")}
    assert len(ids) == 2
    assert all(is_token(id) for id in ids)


def test_a_dispatchs_meeting_sorts_among_the_others_by_the_time_its_room_was_made() -> None:
    now = new_id("mtg")
    later = models.Room(name="later", sid="RM_2", creation_time_ms=int(now[4:15], 16) + 1)
    assert command("", room=ROOM).spec.meeting_id < now < command("", room=later).spec.meeting_id
    assert len(command("").spec.meeting_id) == len(now)


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ("{not json", "metadata"),
        ('["a list"]', "metadata"),
        ({"titel": "Secret plans"}, "titel"),
        ({"tenant": "Secret plans"}, "tenant"),
        ({"meeting_id": "Secret.plans"}, "meeting_id"),
        ({"mode": "Secret plans"}, "mode"),
        ({"title": "Secret plans" * 100}, "title"),
        ({"host": "Secret plans" * 100}, "metadata.host"),
        ({"keyterms": ["Secret plans" * 20]}, "keyterms.0"),
        ({"keyterms": "Secret plans"}, "keyterms"),
        ({"empty_room_timeout_s": 0}, "empty_room_timeout_s"),
    ],
)
def test_what_cannot_be_used_is_named_without_its_value(metadata: object, named: str) -> None:
    with pytest.raises(wanted.BadMetadata) as refused:
        command(metadata)
    assert str(refused.value).startswith(f"{named}: ")
    assert "Secret" not in str(refused.value)


def test_the_first_rule_that_matches_counts_and_case_does() -> None:
    rules = [wanted.AutoRule(room="stand*", title="first"), wanted.AutoRule(room="*", title="second")]
    titles: list[str] = []
    for name in ("standup", "Standup"):
        made = wanted.of_rules(rules, models.Room(name=name, sid="RM_1"), "home")
        assert made is not None
        titles.append(made.spec.title)
    assert titles == ["first", "second"]
    assert wanted.of_rules(rules[:1], ROOM, "home") is None


@pytest.mark.parametrize(
    "rule", [{"title": "no room"}, {"room": ""}, {"room": "*", "titel": ""}, {"room": "*", "title": "x" * 600}]
)
def test_a_rule_that_could_start_nothing_is_refused_at_once(rule: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        wanted.AutoRule.model_validate(rule)
