"""The model of a setting such as `openai:gpt-5-mini`, from pydantic-ai."""

from pydantic_ai.models import Model

from roomscribe_summarizer.settings import Settings

_NO_KEY = "none"
"""Clients insist on a key; a local server ignores it."""


def make_model(name: str, settings: Settings) -> Model:
    """The model. Providers are imported only when used: each brings a large client."""
    provider, _, model = name.partition(":")
    secret = settings.summarizer_api_key.get_secret_value() if settings.summarizer_api_key else _NO_KEY
    url = settings.summarizer_base_url
    match provider:
        case "anthropic":
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicModel(model, provider=AnthropicProvider(api_key=secret, base_url=url))
        case "google":
            from pydantic_ai.models.google import GoogleModel
            from pydantic_ai.providers.google import GoogleProvider

            return GoogleModel(model, provider=GoogleProvider(api_key=secret, base_url=url))
        case _:
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.providers.openai import OpenAIProvider

            return OpenAIChatModel(model, provider=OpenAIProvider(api_key=secret, base_url=url))
