from benchmarks.captions import Caption, of_lines, said
from benchmarks.pairing import Span

FIRST, OTHER, SECOND = Span("maria", 10.0, 14.0), Span("robert", 15.0, 18.0), Span("maria", 20.0, 22.0)


def final(at: float, text: str, speaker: str = "maria", segment: str = "") -> Caption:
    return Caption(at, speaker, segment or f"{speaker}-{at}", text, final=True)


def interim(at: float, segment: str, text: str = "words") -> Caption:
    return Caption(at, "maria", segment, text, final=False)


def test_a_line_in_pieces_is_read_when_its_last_piece_is():
    first, other, second = of_lines([FIRST, OTHER, SECOND], [final(12.5, "Good"), final(14.5, "morning.")])
    assert first.final_ms == 500
    assert (other.final_ms, second.final_ms) == (None, None)


def test_words_belong_to_the_line_their_speaker_began_last():
    reads = of_lines([FIRST, OTHER, SECOND], [final(19.0, "late"), final(18.5, "mine", "robert"), final(22.25, "next")])
    assert [read.final_ms for read in reads] == [5000, 500, 250]


def test_a_line_of_which_only_the_beginning_was_read_has_no_final():
    assert of_lines([FIRST], [final(12.0, "Good")])[0].final_ms is None


def test_updates_are_timed_within_a_segment_and_while_it_is_spoken():
    captions = [interim(10.5, "a"), interim(11.0, "a"), interim(12.0, "b"), interim(12.5, "b"), interim(14.5, "b")]
    read = of_lines([FIRST], captions)[0]
    assert read.words_ms == 500
    assert read.between_ms == (500, 500)


def test_a_segment_counts_once_with_its_last_text():
    captions = [final(1, "Good", segment="a"), final(2, "day.", segment="b"), final(3, "Good morning", segment="a")]
    assert said("maria", captions) == "Good morning day."
