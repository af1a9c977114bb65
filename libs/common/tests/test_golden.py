"""The golden schemas notice every change, and know which ones break readers."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from roomscribe_common.contracts.transcript import TranscriptFinal
from roomscribe_common.golden import EXAMPLES, check, compare, schema_of
from roomscribe_common.registry import BY_TYPE, MESSAGES, Message

Schema = dict[str, Any]


@pytest.fixture
def final() -> Schema:
    return schema_of(BY_TYPE["transcript.v1.final"])


def _data(schema: Schema) -> Schema:
    return schema["$defs"]["TranscriptFinalData"]


def test_the_committed_golden_files_equal_the_code() -> None:
    assert [str(finding) for finding in check()] == []


def test_an_unchanged_schema_has_no_findings(final: Schema) -> None:
    assert compare("m", final, copy.deepcopy(final)) == []


def test_a_new_optional_field_is_compatible(final: Schema) -> None:
    new = copy.deepcopy(final)
    _data(new)["properties"]["mood"] = {"type": "string"}
    [finding] = compare("m", final, new)
    assert finding.compatible
    assert "data.mood" in finding.text


def _drop_field(data: Schema) -> None:
    del data["properties"]["text"]
    data["required"].remove("text")


def _make_optional(data: Schema) -> None:
    data["required"].remove("text")


def _make_required(data: Schema) -> None:
    data["required"].append("truncated")


def _change_type(data: Schema) -> None:
    data["properties"]["sequence"]["type"] = "string"


def _tighten(data: Schema) -> None:
    data["properties"]["text"]["maxLength"] = 10


def _add_required(data: Schema) -> None:
    data["properties"]["mood"] = {"type": "string"}
    data["required"].append("mood")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_drop_field, "data.text is gone"),
        (_make_optional, "data.text became optional"),
        (_make_required, "data.truncated became required"),
        (_change_type, "type was integer"),
        (_tighten, "maxLength"),
        (_add_required, "new required"),
    ],
)
def test_what_breaks_a_reader_is_called_incompatible(
    final: Schema, change: Callable[[Schema], None], says: str
) -> None:
    new = copy.deepcopy(final)
    change(_data(new))
    found = [finding for finding in compare("m", final, new) if says in finding.text]
    assert found
    assert not any(finding.compatible for finding in found)


@pytest.mark.parametrize("message", MESSAGES, ids=[m.type for m in MESSAGES])
def test_every_example_is_read_and_written_again_unchanged(message: Message) -> None:
    raw = (EXAMPLES / f"{message.type}.json").read_bytes()
    assert json.loads(message.event.model_validate_json(raw).to_bytes()) == json.loads(raw)


def test_an_event_under_another_type_is_refused() -> None:
    raw = json.loads((EXAMPLES / "transcript.v1.final.json").read_text())
    raw["type"] = "transcript.v1.gap"
    with pytest.raises(ValueError, match=r"expected 'transcript\.v1\.final'"):
        TranscriptFinal.model_validate(raw)


def test_a_reader_ignores_fields_it_does_not_know() -> None:
    raw = json.loads((EXAMPLES / "transcript.v1.final.json").read_text())
    raw["data"]["from_the_future"] = 1
    assert TranscriptFinal.model_validate(raw).data.sequence == 3
