import pytest

from benchmarks.pairing import Span, alone, of_line

LINE = Span("maria", 10.0, 14.0)


@pytest.mark.parametrize(
    ("segment", "belongs"),
    [
        (Span("maria", 9.7, 14.1), True),
        (Span("maria", 9.7, 11.5), True),
        (Span("robert", 10.0, 14.0), False),
        (Span("maria", 14.5, 18.0), False),
        (Span("maria", 6.0, 9.6), False),
    ],
    ids=["with pre-roll", "a piece of it", "another's", "the line after", "the line before"],
)
def test_a_segment_belongs_to_its_speakers_line_that_it_lies_in(segment: Span, belongs: bool):
    assert of_line(LINE, segment) is belongs


def test_a_line_spoken_into_is_not_alone():
    assert not alone(LINE, [LINE, Span("andrew", 13.0, 15.0)])


def test_a_line_between_others_is_alone():
    assert alone(LINE, [Span("kevin", 5.0, 9.9), LINE, Span("andrew", 14.0, 15.0)])
