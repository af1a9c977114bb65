"""What cutting costs: word errors of the cut track against the same engine on the whole clip, and the time to close.

On the demonstration's lines. To try settings of `AudioConfig`, or other recordings, one table without a file:

    python -m benchmarks.segmentation [CLIPS] [close_ms=600 pause_ms=192 …]

CLIPS is a folder of 16 kHz mono 16-bit `name.wav`, each with what is said in it in `name.txt`. Each clip is heard
between two stretches of silence, in the room process's own frames. Words are compared in lower case without
punctuation; numbers stay as they are. Put clips through Opus first, as a room would.
"""

import re
import sys
import time
import wave
from dataclasses import dataclass, field
from pathlib import Path

import jiwer
import numpy as np
from pydantic import JsonValue
from roomscribe_cli.demo.script import Script, clip
from roomscribe_media_ingest.adapters.silero import SileroVad
from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.listener import STEP, Listener
from roomscribe_media_ingest.domain.segmenter import Audio, Closed, Opened, Pcm
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip

from benchmarks.report import Findings
from benchmarks.spread import spread

RATE = 16_000
LEAD, TAIL = RATE, 2 * RATE


@dataclass
class Heard:
    """What a track was cut into; times in samples."""

    pieces: list[Pcm] = field(default_factory=list[Pcm])
    pauses: int = 0
    closed_at: int = 0
    cpu_s: float = 0.0


@dataclass(frozen=True)
class Recording:
    """A clip, and what is said in it."""

    pcm: Pcm
    text: str


def read(path: Path) -> Recording:
    """A WAV file with its text beside it."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise SystemExit(f"{path}: expected 16 kHz, mono, 16 bit")
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return Recording(pcm, path.with_suffix(".txt").read_text())


def of_the_demonstration() -> list[Recording]:
    """Its lines."""
    return [Recording(clip(line.file, RATE), line.text) for line in Script.load().lines]


def between_silences(pcm: Pcm) -> Pcm:
    """As a track hears it."""
    return np.concatenate((np.zeros(LEAD, np.int16), pcm, np.zeros(TAIL, np.int16)))


def cut(vad: SileroVad, pcm: Pcm, config: AudioConfig) -> Heard:
    """The track as the room process cuts it."""
    heard, listener, piece = Heard(), Listener(vad.track(), config), list[Pcm]()
    began = time.process_time()
    for at in range(0, len(pcm), STEP):
        for each in listener.take(pcm[at : at + STEP]):
            match each:
                case Opened():
                    piece = []
                case Audio():
                    piece.append(each.pcm)
                    heard.pauses += each.pause
                case Closed():
                    heard.pieces.append(np.concatenate(piece))
                    heard.closed_at = min(at + STEP, len(pcm))
    heard.cpu_s = time.process_time() - began
    return heard


def words(text: str) -> str:
    """The words, as they are compared."""
    return " ".join(re.sub(r"[^a-z0-9' ]", " ", text.lower().replace("-", " ")).split())


def decode(engine: Moonshine, pcm: Pcm) -> str:
    """What the engine understands."""
    return words(engine.transcribe([Clip(pcm.astype(np.float32) / np.float32(32768))])[0].text)


def figures(recordings: list[Recording], config: AudioConfig) -> dict[str, JsonValue]:
    """Everything that is found out; times in seconds."""
    vad, engine = SileroVad(), Moonshine()
    said, whole, chain, waits = list[str](), list[str](), list[str](), list[float]()
    pieces = pauses = samples = 0
    cpu_s = 0.0
    for recording in recordings:
        pcm = between_silences(recording.pcm)
        heard = cut(vad, pcm, config)
        said.append(words(recording.text))
        whole.append(decode(engine, pcm))
        chain.append(" ".join(decode(engine, piece) for piece in heard.pieces))
        waits.append((heard.closed_at - (len(pcm) - TAIL)) / RATE)
        pieces, pauses, samples = pieces + len(heard.pieces), pauses + heard.pauses, samples + len(pcm)
        cpu_s += heard.cpu_s
    return {
        "clips": len(recordings),
        "audio_s": round(samples / RATE, 1),
        "settings": config.model_dump(exclude_defaults=True),
        "word_error_rate_whole": round(float(jiwer.wer(said, whole)), 4),
        "word_error_rate_cut": round(float(jiwer.wer(said, chain)), 4),
        "utterances": pieces,
        "pauses_marked": pauses,
        "pauses_with_more_speech_after": pauses - pieces,
        "end_of_clip_to_close_s": {**spread(waits)},
        "cpu_s_per_minute": round(cpu_s * 60 * RATE / samples, 3),
    }


def measure(quick: bool) -> Findings:
    """The demonstration's lines with the settings in use; nothing is promised of them alone, so there are no goals."""
    recordings = of_the_demonstration()
    return Findings(goals=[], figures=figures(recordings[:3] if quick else recordings, AudioConfig()))


def main() -> None:
    """Prints one table."""
    settings = [each for each in sys.argv[1:] if "=" in each]
    folders = [Path(each) for each in sys.argv[1:] if "=" not in each]
    recordings = [read(path) for folder in folders for path in sorted(folder.glob("*.wav"))]
    config = AudioConfig.model_validate(dict(each.split("=", 1) for each in settings))
    for name, value in figures(recordings if folders else of_the_demonstration(), config).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
