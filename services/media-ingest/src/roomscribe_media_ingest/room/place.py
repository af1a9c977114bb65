"""The meeting a room process serves, and how its events are made."""

from dataclasses import dataclass
from typing import Final

from roomscribe_common.contracts.base import DataT, Event
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.subjects import subject_of

SOURCE: Final = "roomscribe/media-ingest"


@dataclass(frozen=True, slots=True)
class Place:
    """The meeting, as seen by one epoch's agent."""

    tenant: str
    meeting_id: str
    room: str
    epoch: int

    @classmethod
    def of(cls, job: DispatchJob) -> "Place":
        """Where this job leads."""
        return cls(job.tenant, job.data.meeting_id, job.data.room, job.data.epoch)

    def event(self, event: type[Event[DataT]], id: str, data: DataT) -> Event[DataT]:
        """An event of the meeting."""
        subject = subject_of(event, self.tenant, self.meeting_id)
        return event.new(id=id, source=SOURCE, subject=subject, tenant=self.tenant, data=data)
