"""The energy gate: closed for silence and steady noise, open for anything that rises above them."""

from roomscribe_media_ingest.domain.config import AudioConfig
from roomscribe_media_ingest.domain.gate import EnergyGate

SECOND = 31


def hear(gate: EnergyGate, level_db: float, count: int, *, speech: bool = False) -> list[bool]:
    return [gate.is_open([level_db], speech) for _ in range(count)]


def test_a_silent_microphone_never_opens_it():
    assert not any(hear(EnergyGate(AudioConfig()), -90.0, 10 * SECOND))


def test_a_sound_opens_it_in_the_same_step():
    gate = EnergyGate(AudioConfig())
    hear(gate, -90.0, SECOND)
    assert gate.is_open([-90.0, -90.0, -45.0], False)


def test_steady_noise_closes_it_again():
    gate = EnergyGate(AudioConfig())
    assert hear(gate, -45.0, 1) == [True]
    assert not any(hear(gate, -45.0, 30 * SECOND)[-SECOND:])


def test_a_voice_above_steady_noise_opens_it():
    gate = EnergyGate(AudioConfig())
    hear(gate, -45.0, 30 * SECOND)
    assert hear(gate, -36.0, 1) == [True]


def test_speech_is_not_taken_for_the_noise_of_the_room():
    gate = EnergyGate(AudioConfig())
    for _ in range(60):
        hear(gate, -30.0, SECOND, speech=True)
        hear(gate, -70.0, 4)
    hear(gate, -70.0, 2 * SECOND)
    assert hear(gate, -50.0, 1) == [True]


def test_it_stays_open_while_speech_is_heard_and_a_while_after():
    gate = EnergyGate(AudioConfig(gate_hold_ms=320))
    assert all(hear(gate, -90.0, SECOND, speech=True))
    assert hear(gate, -90.0, 20).count(True) == 8
