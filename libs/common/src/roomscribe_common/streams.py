"""Every stream and durable consumer, as data, and the one provisioner that makes them. Services declare nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RePublish,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    SubjectTransform,
)
from nats.js.errors import NotFoundError

_MIB = 1024 * 1024
_DAY_S = 24 * 3600.0
_LONG_S = 400 * _DAY_S
_OFFERED = "offered."


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream. `max_age_s` and `max_bytes` of None: no limit but the disk.

    A full work queue refuses new messages (the producer retries); any other stream drops its oldest.
    """

    name: str
    subjects: tuple[str, ...]
    description: str
    retention: Literal["limits", "workqueue"] = "limits"
    storage: Literal["file", "memory"] = "file"
    max_age_s: float | None = None
    max_bytes: int | None = None
    max_msg_bytes: int = _MIB
    duplicate_window_s: float = 120.0
    offered: bool = False
    """Plain subscribers hear only what the stream took, in its order, from the server itself: see `entrance`."""

    def config(self, replicas: int) -> StreamConfig:
        """What the server is told."""
        domain = self.subjects[0].split(".")[0] + ".>"
        return StreamConfig(
            name=self.name,
            description=self.description,
            subjects=[_OFFERED + subject if self.offered else subject for subject in self.subjects],
            subject_transform=SubjectTransform(src=f"{_OFFERED}>", dest=">") if self.offered else None,
            republish=RePublish(src=domain, dest=domain) if self.offered else None,
            retention=RetentionPolicy.WORK_QUEUE if self.retention == "workqueue" else RetentionPolicy.LIMITS,
            storage=StorageType(self.storage),
            discard=DiscardPolicy.NEW if self.retention == "workqueue" else DiscardPolicy.OLD,
            max_age=self.max_age_s or 0,
            max_bytes=self.max_bytes or -1,
            max_msg_size=self.max_msg_bytes,
            duplicate_window=self.duplicate_window_s,
            num_replicas=replicas,
            allow_direct=True,
        )


@dataclass(frozen=True, slots=True)
class ConsumerSpec:
    """One durable pull consumer.

    `ack_wait_s`: how long a message of a dead replica waits for the next. `handle_within_s`: how long one handler call
    may take; its claim is extended meanwhile. `max_deliveries`: after so many a message is dead-lettered by the
    service; the server itself never gives up, for it would do so in silence.
    """

    name: str
    stream: str
    filters: tuple[str, ...]
    ack_wait_s: float = 5.0
    handle_within_s: float = 30.0
    max_deliveries: int = 100
    max_claims: int = 1000
    """Messages all replicas together may hold."""

    def config(self) -> ConsumerConfig:
        """What the server is told."""
        one = len(self.filters) == 1
        return ConsumerConfig(
            durable_name=self.name,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_s,
            max_deliver=-1,
            max_ack_pending=self.max_claims,
            filter_subject=self.filters[0] if one else None,
            filter_subjects=None if one else list(self.filters),
        )


STREAMS: tuple[StreamSpec, ...] = (
    StreamSpec(
        "DISPATCH",
        ("dispatch.v1.job.>",),
        "One job per meeting and epoch, claimed by a media-ingest node",
        retention="workqueue",
        max_bytes=256 * _MIB,
    ),
    StreamSpec(
        "MEETINGS",
        ("meeting.v1.>", "agent.v1.>"),
        "Lifecycle and rosters of meetings, heartbeats of agents",
        max_age_s=_LONG_S,
    ),
    StreamSpec(
        "AUDIO",
        ("audio.v1.>",),
        # On disk: a stream in memory is gone for good once the server restarts, and with it every open utterance.
        "Utterances' audio, purged once the final is stored; worthless after minutes",
        max_age_s=300.0,
        max_bytes=512 * _MIB,
    ),
    StreamSpec(
        "STT",
        ("stt.v1.utterance.>",),
        "Utterances to recognise, claimed by an stt-worker and kept by in-progress acks",
        retention="workqueue",
        max_bytes=256 * _MIB,
    ),
    StreamSpec(
        "STT_RESULTS",
        ("stt.v1.final.>", "stt.v1.gap.>"),
        "What was recognised, or lost, per utterance",
        max_age_s=30 * _DAY_S,
    ),
    StreamSpec("LIVEKIT", ("livekit.v1.event.>",), "Verified LiveKit webhooks as received", max_age_s=30 * _DAY_S),
    StreamSpec(
        "TRANSCRIPTS",
        ("transcript.v1.final.>", "transcript.v1.revised.>", "transcript.v1.gap.>", "transcript.v1.completed.>"),
        "The product: attributed segments in order",
        max_age_s=_LONG_S,
        offered=True,  # replicas race for a number, and nobody must hear the one that lost
    ),
    StreamSpec("INSIGHTS", ("insight.v1.>",), "Minutes, answers and tool calls", max_age_s=_LONG_S),
    StreamSpec("USAGE", ("usage.v1.>",), "Tokens used and ledgers of meetings; wants synced writes"),
    StreamSpec("BILLING", ("billing.v1.>",), "Priced lines and invoices; wants synced writes"),
    StreamSpec("DEAD_LETTERS", ("dead.v1.>",), "Messages that were given up, with the reason", max_age_s=_LONG_S),
)

CONSUMERS: tuple[ConsumerSpec, ...] = (
    ConsumerSpec("media-ingest-dispatch", "DISPATCH", ("dispatch.v1.job.>",), ack_wait_s=4.0),
    # Workers that fall behind claim ahead, so that they can be fair.
    ConsumerSpec("stt-worker-stt", "STT", ("stt.v1.utterance.>",), ack_wait_s=4.0, max_claims=100_000),
    ConsumerSpec("attribution-stt-results", "STT_RESULTS", ("stt.v1.final.>", "stt.v1.gap.>")),
    # Waits for a meeting's last finals by asking to be called again, so many deliveries are normal.
    ConsumerSpec("attribution-meetings", "MEETINGS", ("meeting.v1.ended.>",), max_deliveries=3600),
    ConsumerSpec(
        "dispatcher-meetings",
        "MEETINGS",
        ("agent.v1.joined.>", "agent.v1.left.>"),
    ),
    ConsumerSpec("dispatcher-livekit", "LIVEKIT", ("livekit.v1.event.>",)),
    ConsumerSpec("summarizer-transcripts", "TRANSCRIPTS", ("transcript.v1.completed.>",), handle_within_s=300.0),
    ConsumerSpec(
        "usage-metering-meetings",
        "MEETINGS",
        ("meeting.v1.requested.>", "meeting.v1.started.>", "meeting.v1.ended.>", "agent.v1.>"),
    ),
    ConsumerSpec("usage-metering-stt-results", "STT_RESULTS", ("stt.v1.final.>",)),
    ConsumerSpec("usage-metering-livekit", "LIVEKIT", ("livekit.v1.event.>",)),
    ConsumerSpec("usage-metering-usage", "USAGE", ("usage.v1.llm.>",)),
    ConsumerSpec("gateway-meetings", "MEETINGS", ("meeting.v1.>",)),
    ConsumerSpec("gateway-transcripts", "TRANSCRIPTS", ("transcript.v1.>",)),
    ConsumerSpec("gateway-insights", "INSIGHTS", ("insight.v1.>",)),
    ConsumerSpec("gateway-usage", "USAGE", ("usage.v1.meeting.>",)),
)

CONSUMER: dict[str, ConsumerSpec] = {spec.name: spec for spec in CONSUMERS}
_OFFERED_KINDS = tuple(subject.removesuffix(">") for spec in STREAMS if spec.offered for subject in spec.subjects)


def entrance(subject: str) -> str:
    """Where to publish what a stream is to store on `subject`."""
    return _OFFERED + subject if subject.startswith(_OFFERED_KINDS) else subject


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the provisioner did, or found and left alone."""

    kind: Literal["created", "changed", "drift"]
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" + (f": {self.detail}" if self.detail else "")


async def apply(
    js: JetStreamContext,
    *,
    replicas: int = 1,
    streams: Iterable[StreamSpec] = STREAMS,
    consumers: Iterable[ConsumerSpec] = CONSUMERS,
) -> list[Finding]:
    """Creates what is missing and says so; what differs from the table is reported and left as it is, but for where a
    stream takes its messages from: producers and streams must agree on that.

    A second run finds nothing. Raises `nats.errors.Error` if the server refuses or does not answer.
    """
    findings: list[Finding] = []
    for stream in streams:
        findings += await _apply_stream(js, stream.config(replicas))
    for consumer in consumers:
        findings += await _apply_consumer(js, consumer.stream, consumer.config())
    return findings


async def _apply_stream(js: JetStreamContext, wanted: StreamConfig) -> list[Finding]:
    assert wanted.name is not None
    what = f"stream {wanted.name}"
    try:
        found = await js.stream_info(wanted.name)
    except NotFoundError:
        await js.add_stream(wanted)  # pyright: ignore[reportUnknownMemberType]  # untyped **params
        return [Finding("created", what)]
    if set(wanted.subjects or ()) <= set(found.config.subjects or ()):
        return _drift(what, wanted.as_dict(), found.config.as_dict())
    entry = {"subjects": wanted.subjects, "subject_transform": wanted.subject_transform, "republish": wanted.republish}
    await js.update_stream(replace(found.config, **entry))  # pyright: ignore[reportUnknownMemberType]  # untyped **params
    return [Finding("changed", what, f"takes {', '.join(wanted.subjects or ())}")]


async def _apply_consumer(js: JetStreamContext, stream: str, wanted: ConsumerConfig) -> list[Finding]:
    assert wanted.durable_name is not None
    what = f"consumer {wanted.durable_name} of {stream}"
    try:
        found = await js.consumer_info(stream, wanted.durable_name)
    except NotFoundError:
        await js.add_consumer(stream, wanted)  # pyright: ignore[reportUnknownMemberType]  # untyped **params
        return [Finding("created", what)]
    return _drift(what, wanted.as_dict(), found.config.as_dict())


def _drift(what: str, wanted: dict[str, object], found: dict[str, Any]) -> list[Finding]:
    return [
        Finding("drift", what, f"{key} is {found.get(key)!r}, the table says {value!r}")
        for key, value in wanted.items()
        if value is not None and found.get(key) != value
    ]
