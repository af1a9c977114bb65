"""The `roomscribe` command."""

import sys
from importlib import import_module

import typer

COMMANDS = ("up", "ps", "doctor", "streams", "demo", "replay", "tail", "export", "usage", "price", "cost-model")


def main() -> None:
    """Run the command named on the command line, importing only its module; all of them for help."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    app = typer.Typer(name="roomscribe", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_about)
    for name in (wanted,) if wanted in COMMANDS else COMMANDS:
        _register(app, name)
    app()


def _register(app: typer.Typer, name: str) -> None:
    module = f"roomscribe_cli.commands.{name.replace('-', '_')}"
    try:
        command = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return
    command.register(app)


def _about() -> None:
    """Meetings in, attributed transcripts, minutes and bills out."""


if __name__ == "__main__":
    main()
