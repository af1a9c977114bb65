"""The messages we send on the socket (`livekit_agent.proto`)."""

from typing import Final

from livekit.protocol import agent as pb
from livekit.protocol import models

_MOST_LOAD: Final = 0.65
"""LiveKit gives no job to a node whose workers all report 0.7 or more, and does not say so."""
_HALF_LOAD_JOBS: Final = 100
_ERROR_CHARS: Final = 500


def register(agent_name: str, version: str) -> pb.WorkerMessage:
    """The permissions are for the server's token, which nobody joins with: the job carries one of ours."""
    permission = models.ParticipantPermission(can_subscribe=True, can_publish_data=True, can_update_metadata=True)
    return pb.WorkerMessage(
        register=pb.RegisterWorkerRequest(
            type=pb.JT_ROOM, agent_name=agent_name, version=version, allowed_permissions=permission
        )
    )


def status(jobs: int, *, full: bool = False) -> pb.WorkerMessage:
    """What this replica has to do. CPU says nothing here: the agents live elsewhere."""
    return pb.WorkerMessage(
        update_worker=pb.UpdateWorkerStatus(
            status=pb.WS_FULL if full else pb.WS_AVAILABLE,
            load=_MOST_LOAD * jobs / (jobs + _HALF_LOAD_JOBS),
            job_count=jobs,
        )
    )


def accept(job_id: str, identity: str, name: str) -> pb.WorkerMessage:
    """We take the job. The server finds the job's participant by `identity`."""
    return pb.WorkerMessage(
        availability=pb.AvailabilityResponse(
            job_id=job_id, available=True, participant_identity=identity, participant_name=name
        )
    )


def decline(job_id: str) -> pb.WorkerMessage:
    """The server asks the next worker."""
    return pb.WorkerMessage(availability=pb.AvailabilityResponse(job_id=job_id, available=False))


def job_status(job_id: str, state: pb.JobStatus, error: str = "") -> pb.WorkerMessage:
    """How a job stands."""
    return pb.WorkerMessage(update_job=pb.UpdateJobStatus(job_id=job_id, status=state, error=error[:_ERROR_CHARS]))
