"""Settings of the summarizer."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from roomscribe_common.settings import CommonSettings

OutputMode = Literal["tool", "json_schema", "prompt"]


class Settings(CommonSettings):
    """`ROOMSCRIBE_…` variables. Without `summarizer_model` minutes are extractive."""

    summarizer_model: Annotated[str, Field(pattern=r"^(openai|anthropic|google):.+$")] | None = None
    """Provider and model, as in `openai:gpt-5-mini`; `openai:` with a base URL is any compatible server."""
    summarizer_api_key: SecretStr | None = None
    """The provider's key; a local server may need none."""
    summarizer_base_url: Annotated[str, Field(pattern=r"^https?://.+")] | None = None
    summarizer_output: OutputMode = "tool"
    """How the model is made to answer in the right form: a tool call, the server's JSON schema, or by asking."""
    summarizer_chunk_chars: Annotated[int, Field(ge=1_000, le=1_000_000)] = 24_000
    summarizer_chunks: Annotated[int, Field(ge=1, le=200)] = 40
    summarizer_attempts: Annotated[int, Field(ge=1, le=5)] = 3
    """How often a model may answer one part before it is given up."""
    summarizer_run_timeout_s: Annotated[float, Field(gt=0, le=280)] = 90.0
    """For one part, all attempts together."""
    summarizer_timeout_s: Annotated[float, Field(gt=0, le=280)] = 240.0
    """For the whole meeting; then the minutes are extractive."""
