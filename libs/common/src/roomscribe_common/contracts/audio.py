"""Audio on the bus: raw 16-bit little-endian mono PCM in the body, its place in the utterance in the headers."""

from collections.abc import Mapping
from dataclasses import dataclass

SAMPLE_RATE = 16_000
"""Samples a second of all audio on the bus."""


@dataclass(frozen=True, slots=True)
class ChunkHeaders:
    """Headers of one audio chunk. Samples count from the utterance's first sample, at `SAMPLE_RATE`.

    `pause`: the speaker seems to pause after this chunk, so a decode may begin; more audio may follow.
    `last`: nothing follows; `speech_end_sample` is where speech ended, without the silence waited for.
    `truncated`: a last chunk that is not the speaker's: a worker has waited long enough, and ends the utterance here.
    Each chunk is stored only behind the one before it (`Nats-Expected-Last-Subject-Sequence`), so a speaker who is not
    done learns of it, and goes on as another utterance.
    `sent_at_ms`: when the chunk was cut, Unix milliseconds; for measuring only.
    """

    utterance_id: str
    seq: int
    first_sample: int
    pause: bool = False
    last: bool = False
    speech_end_sample: int | None = None
    sent_at_ms: int = 0
    truncated: bool = False

    def to_headers(self) -> dict[str, str]:
        """As NATS message headers."""
        headers = {
            "Rs-Utterance": self.utterance_id,
            "Rs-Seq": str(self.seq),
            "Rs-First-Sample": str(self.first_sample),
            "Rs-Rate": str(SAMPLE_RATE),
            "Rs-Sent-At-Ms": str(self.sent_at_ms),
        }
        if self.pause:
            headers["Rs-Pause"] = "1"
        if self.speech_end_sample is not None:
            headers["Rs-Speech-End-Sample"] = str(self.speech_end_sample)
        if self.last:
            headers["Rs-Last"] = "1"
        if self.truncated:
            headers["Rs-Truncated"] = "1"
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, str] | None) -> "ChunkHeaders":
        """Parsed from a NATS message; raises `ValueError` saying which header is missing or wrong."""
        if headers is None:
            raise ValueError("audio chunk without headers")
        try:
            if int(headers["Rs-Rate"]) != SAMPLE_RATE:
                raise ValueError(f"Rs-Rate is {headers['Rs-Rate']}, expected {SAMPLE_RATE}")
            end = headers.get("Rs-Speech-End-Sample")
            chunk = cls(
                utterance_id=headers["Rs-Utterance"],
                seq=int(headers["Rs-Seq"]),
                first_sample=int(headers["Rs-First-Sample"]),
                pause=headers.get("Rs-Pause") == "1",
                last=headers.get("Rs-Last") == "1",
                speech_end_sample=None if end is None else int(end),
                sent_at_ms=int(headers.get("Rs-Sent-At-Ms", "0")),
                truncated=headers.get("Rs-Truncated") == "1",
            )
        except KeyError as error:
            raise ValueError(f"audio chunk without header {error.args[0]}") from error
        if chunk.seq < 0 or chunk.first_sample < 0:
            raise ValueError("Rs-Seq and Rs-First-Sample must not be negative")
        return chunk
