import numpy as np

from benchmarks.audience import RATE
from benchmarks.beside import spoken, word_error_rate


def test_what_was_said_is_found_wherever_it_lies_in_the_silence():
    heard = np.zeros(10 * RATE, np.float32)
    heard[4 * RATE : 6 * RATE] = 0.2
    assert len(spoken(heard)) == round(2.6 * RATE)
    assert np.count_nonzero(spoken(heard)) == 2 * RATE


def test_silence_stays_as_it_is():
    assert len(spoken(np.zeros(RATE, np.float32))) == RATE


def test_the_error_rate_is_over_the_words_of_all():
    assert word_error_rate(["good morning everyone", "yes"], ["good morning", "yes"]) == 0.25
