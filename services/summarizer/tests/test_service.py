"""The service on a real NATS: a whole transcript in, minutes out."""

import json

from roomscribe_common.streams import entrance

from .bench import Bench, completed, final, joined, requested, until
from .conftest import Start
from .model_server import ModelServer, Reply

LINES = [
    ("Anna", "Let's go with option B."),
    ("Bo", "Agreed."),
    ("Bo", "I'll write the announcement by Friday."),
    ("Anna", "Carla will book the venue."),
]


async def meeting(bench: Bench) -> None:
    await bench.say(*(final(number, *line) for number, line in enumerate(LINES, 1)), completed(len(LINES)))


async def test_a_completed_transcript_becomes_extractive_minutes(summarizer: Start, bench: Bench) -> None:
    await bench.say(requested("Options"), joined("Carla"))
    async with summarizer():
        await meeting(bench)
        [minutes] = await bench.until_minutes()
    assert minutes.id == "minutes:mtg_1:4"
    data = minutes.data
    assert (data.method, data.model, data.title, data.language, data.last_sequence) == (
        "extractive",
        None,
        "Options",
        "en",
        4,
    )
    assert [(one.text, one.segment_ids) for one in data.decisions] == [("Let's go with option B.", ["utt_1", "utt_2"])]
    assert [(one.owner, one.due, one.segment_ids) for one in data.action_items] == [
        ("Bo", "by Friday", ["utt_3"]),
        ("Carla", None, ["utt_4"]),
    ]
    assert await bench.tokens() == []


async def test_a_second_delivery_publishes_nothing(summarizer: Start, bench: Bench) -> None:
    async with summarizer():
        await meeting(bench)
        await bench.until_minutes()
        await bench.say(completed(len(LINES)))
        await until(bench.settled)
    assert len(await bench.minutes()) == 1


async def test_the_current_revision_of_a_segment_is_read(summarizer: Start, bench: Bench) -> None:
    await bench.say(final(1, "Anna", "Let's go with option P."), final(1, "Anna", LINES[0][1], revision=2))
    async with summarizer():
        await bench.say(completed(1))
        [minutes] = await bench.until_minutes()
    assert [one.text for one in minutes.data.decisions] == ["Let's go with option B."]


async def test_nonsense_in_the_streams_does_not_cost_the_meeting_its_minutes(summarizer: Start, bench: Bench) -> None:
    kinds = (final(1, "Anna", "x"), final(1, "Anna", "x", revision=2), requested("x"), joined("x"))
    async with summarizer():
        for event in kinds:
            await bench.js.publish(entrance(event.subject), b'{"id": "x"}')
        # Its number is the last, so that whoever waits to see it waits for ever.
        unreadable = final(len(LINES) + 1, "Anna", "x").to_bytes().replace(b'"text"', b'"words_of"')
        await bench.js.publish(entrance(kinds[0].subject), unreadable)
        await bench.say(*(final(number, *line) for number, line in enumerate(LINES, 1)), completed(len(LINES) + 1))
        [minutes] = await bench.until_minutes()
    assert [one.text for one in minutes.data.decisions] == ["Let's go with option B."]


async def test_a_meeting_where_nobody_spoke_has_empty_minutes(summarizer: Start, bench: Bench) -> None:
    async with summarizer():
        await bench.say(completed(0))
        [minutes] = await bench.until_minutes()
    data = minutes.data
    assert (minutes.id, data.title, data.method) == ("minutes:mtg_1:0", "planning", "extractive")
    assert not any((data.summary, data.topics, data.decisions, data.action_items, data.open_questions))


async def test_other_meetings_and_tenants_words_are_not_read(summarizer: Start, bench: Bench) -> None:
    await bench.say(final(1, "Eve", "Let's go with the secret plan.", meeting="mtg_2"))
    async with summarizer():
        await meeting(bench)
        [minutes] = await bench.until_minutes()
    assert "secret" not in minutes.model_dump_json()


async def test_a_final_the_stream_does_not_show_yet_is_waited_for(summarizer: Start, bench: Bench) -> None:
    async with summarizer():
        await bench.say(final(1, *LINES[0]), completed(2))
        await bench.say(final(2, *LINES[1]))
        [minutes] = await bench.until_minutes()
    assert minutes.data.last_sequence == 2


async def test_a_models_minutes_and_its_tokens_are_published(
    summarizer: Start, bench: Bench, model_server: ModelServer
) -> None:
    item = {"text": "They chose option B.", "segments": [1]}
    invented = {"text": "They fired Bo.", "segments": [77]}
    model_server.replies = [Reply(json.dumps({"title": "B", "summary": [item, invented], "decisions": [item]}))]
    settings = {"summarizer_model": "openai:tiny", "summarizer_base_url": model_server.url}
    async with summarizer(**settings):
        await meeting(bench)
        [minutes] = await bench.until_minutes()
        await bench.say(completed(len(LINES)))
        await until(bench.settled)
    assert (minutes.data.method, minutes.data.model) == ("model", "openai:tiny")
    assert [(one.text, one.segment_ids) for one in minutes.data.summary] == [("They chose option B.", ["utt_1"])]
    [tokens] = await bench.tokens()
    assert (tokens.data.provider, tokens.data.input_tokens, tokens.data.output_tokens) == ("openai", 100, 20)
    assert tokens.id == f"llm:{tokens.data.request_id}"
    assert len(model_server.asked) == 1
