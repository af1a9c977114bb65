"""Minutes by a language model, through pydantic-ai, with citations it must give and we check."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.exceptions import AgentRunError, UserError
from pydantic_ai.models import Model
from pydantic_ai.usage import RunUsage, UsageLimits
from roomscribe_common.ids import new_id

from roomscribe_summarizer.domain.draft import Spent
from roomscribe_summarizer.domain.transcript import Transcript
from roomscribe_summarizer.engines.answers import Answer, Numbers, joined
from roomscribe_summarizer.engines.chunks import chunks
from roomscribe_summarizer.engines.prompts import INSTRUCTIONS, JOIN, of_answers, of_chunk
from roomscribe_summarizer.engines.protocol import EngineFailed, Written
from roomscribe_summarizer.settings import OutputMode


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one meeting may cost: `attempts` per part, `run_timeout_s` per run, `timeout_s` for all."""

    chunk_chars: int
    chunks: int
    attempts: int
    run_timeout_s: float
    timeout_s: float


class ModelEngine:
    """Writes part by part if the transcript is long, then joins the parts."""

    def __init__(self, model: Model, output: OutputMode, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._agent = Agent(
            model, output_type=_output(output), instructions=INSTRUCTIONS, retries={"output": limits.attempts - 1}
        )

    async def write(self, transcript: Transcript) -> Written:
        """The draft, unchecked. Raises `EngineFailed`: too long, no valid answer, refused, or out of time."""
        parts = chunks(transcript.segments, self._limits.chunk_chars)
        if len(parts) > self._limits.chunks:
            raise EngineFailed(f"the transcript has {len(parts)} parts, at most {self._limits.chunks} are read")
        spent: list[Spent] = []
        try:
            # Entering the model opens its HTTP client for this meeting, leaving closes it.
            async with asyncio.timeout(self._limits.timeout_s), self._model:
                answer = await self._answer(transcript, parts, spent)
        except TimeoutError as error:
            raise EngineFailed(f"no minutes in {self._limits.timeout_s:g} s", tuple(spent)) from error
        except (AgentRunError, UserError) as error:
            raise EngineFailed(type(error).__name__, tuple(spent)) from error
        draft = answer.to_draft(Numbers(transcript.segments), transcript.title or answer.title or transcript.room)
        return Written(draft, "model", self._name, tuple(spent))

    @property
    def _name(self) -> str:
        return f"{self._model.system}:{self._model.model_name}"

    async def _answer(self, transcript: Transcript, parts: Sequence[Sequence[int]], spent: list[Spent]) -> Answer:
        answers = [await self._run(of_chunk(transcript, part), spent) for part in parts]
        if len(answers) == 1:
            return answers[0]
        together = joined(answers)
        told = of_answers(together)
        if len(told) > self._limits.chunk_chars:
            return together
        short = await self._run(told, spent, JOIN)
        # The parts' findings were made with the words at hand; only the title and the summary are written anew.
        return together.model_copy(update={"title": short.title, "summary": short.summary or together.summary})

    async def _run(self, prompt: str, spent: list[Spent], instructions: str | None = None) -> Answer:
        usage = RunUsage()
        try:
            result = await self._agent.run(
                prompt,
                instructions=instructions,
                usage=usage,
                usage_limits=UsageLimits(request_limit=self._limits.attempts),
                timeout=self._limits.run_timeout_s,
            )
        finally:
            if usage.input_tokens or usage.output_tokens:
                spent.append(self._spent(usage))
        return result.output

    def _spent(self, usage: RunUsage) -> Spent:
        return Spent(
            request_id=new_id("llm"),
            provider=self._model.system,
            model=self._model.model_name,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cache_read_tokens,
            output_tokens=usage.output_tokens,
        )


def _output(mode: OutputMode) -> ToolOutput[Answer] | NativeOutput[Answer] | PromptedOutput[Answer]:
    match mode:
        case "tool":
            return ToolOutput(Answer, name="minutes")
        case "json_schema":
            return NativeOutput(Answer, name="minutes")
        case "prompt":
            return PromptedOutput(Answer, name="minutes")
