from datetime import UTC, datetime

from roomscribe_common.contracts.base import AnyEvent, Track
from roomscribe_media_ingest.room.people import Kind, Person
from roomscribe_media_ingest.room.place import Place
from roomscribe_media_ingest.room.roster import Roster

TRACK = Track(id="TR_1", source="microphone")


def person(sid: str = "PA_1", identity: str = "ada", name: str = "Ada", kind: Kind = "standard") -> Person:
    return Person(sid, identity, name, kind)


class Told(list[AnyEvent]):
    """What a roster told."""

    def __init__(self, epoch: int = 1) -> None:
        super().__init__()
        self.roster = Roster(Place("acme", "mtg_1", "kitchen", epoch), self.append, lambda: datetime.now(UTC))

    @property
    def brief(self) -> list[str]:
        return [f"{event.TYPE.split('.')[2]} {event.data.participant_sid}" for event in self]


def test_who_is_told_twice_is_told_once():
    told = Told()
    for _ in range(2):
        told.roster.joined(person())
    for _ in range(2):
        told.roster.left("PA_1", "ada", "")
    assert told.brief == ["participant_joined PA_1", "participant_left PA_1"]


def test_a_new_connection_of_the_same_identity_ends_the_old_one_whose_own_end_is_then_no_news():
    told = Told()
    told.roster.joined(person("PA_1"))
    told.roster.joined(person("PA_2"))
    told.roster.left("PA_1", "ada", "late")
    assert told.brief == ["participant_joined PA_1", "participant_left PA_1", "participant_joined PA_2"]
    assert told.roster.humans == 1


def test_after_a_lost_connection_only_what_changed_is_told():
    told = Told()
    told.roster.people([person("PA_1", "ada"), person("PA_2", "bob", "Bob")])
    told.clear()
    told.roster.people([person("PA_2", "bob", "Robert"), person("PA_3", "eve")])
    assert sorted(told.brief) == ["participant_joined PA_3", "participant_left PA_1", "participant_renamed PA_2"]


def test_a_twin_of_the_same_epoch_tells_arrivals_under_the_same_ids_and_the_next_epoch_under_others():
    ids: list[str] = []
    for epoch in (1, 1, 2):
        told = Told(epoch)
        told.roster.joined(person())
        ids += [event.id for event in told]
    assert ids[0] == ids[1] != ids[2]


def test_neither_agents_nor_egress_keep_a_meeting_going():
    told = Told()
    for number, kind in enumerate(("agent", "egress", "sip", "standard")):
        told.roster.joined(person(f"PA_{number}", f"p{number}", kind=kind))
    assert told.roster.humans == 2
    assert len(told) == 4


def test_a_track_that_was_never_muted_is_not_told_to_be_unmuted():
    told = Told()
    told.roster.joined(person())
    told.roster.muted(person(), TRACK, False)
    told.roster.muted(person(), TRACK, True)
    told.roster.muted(person(), TRACK, True)
    told.roster.muted(person(), TRACK, False)
    assert [event.data.muted for event in told[1:]] == [True, False]


def test_a_closed_room_is_an_empty_one():
    told = Told()
    told.roster.people([person("PA_1", "ada"), person("PA_2", "bob")])
    told.roster.empty("room_closed")
    assert told.roster.humans == 0
    assert {event.data.reason for event in told[2:]} == {"room_closed"}
