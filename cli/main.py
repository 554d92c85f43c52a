"""Console script `orch-cli`: gathers the commands and turns every outcome into an exit code."""

import os
import sys
from typing import NoReturn

import typer

from cli import (
    advice,
    batch,
    catalog,
    codec,
    doctor,
    pipeline,
    plans,
    retention,
    runs,
    schedule,
    server,
    start,
    steer,
    validate,
    worker,
)

_MAX_ERROR = 2000

app = typer.Typer(
    name="orch-cli",
    help="From a sentence to tested software: every run is a Temporal workflow.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("start")(start.start)
app.command("validate")(validate.validate)
app.command("status")(runs.status)
app.command("watch")(runs.watch)
app.command("list")(runs.list_projects)
app.command("pause")(runs.pause)
app.command("resume")(runs.resume)
app.command("cancel")(runs.cancel)
app.command("export")(runs.export)
app.command("report")(runs.report)
app.command("events")(runs.events)
app.command("advise")(advice.advise)
app.command("suggestions")(advice.suggestions)
app.command("plan")(plans.plan)
app.command("approve")(plans.approve)
app.command("budget")(steer.budget)
app.command("time-limit")(steer.time_limit)
app.command("concurrency")(steer.concurrency)
app.command("retry")(steer.retry)
app.command("skip")(steer.skip)
app.command("override-model")(steer.override_model)
app.command("guide")(steer.guide)
app.command("delete")(retention.delete)
app.command("gc")(retention.collect)
app.command("codec-server")(codec.codec_server)
app.add_typer(catalog.app, name="models")
app.command("doctor")(doctor.doctor)
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(batch.app, name="batch")
app.add_typer(schedule.app, name="schedule")
app.add_typer(server.app, name="server")
app.add_typer(worker.app, name="worker")


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Errors are one line on stderr."""
    try:
        app(_spelled_out(arguments), prog_name="orch-cli")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has left: there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001  every error becomes an exit code, and all of it is shown
        return _report(error)
    return 0


def _spelled_out(arguments: list[str]) -> list[str]:
    """The bare `--dry-run` of `start` with the value that it stands for: options of typer always take one."""
    if arguments[:1] != ["start"]:
        return arguments
    return ["--dry-run=estimate" if argument == "--dry-run" else argument for argument in arguments]


def _report(error: Exception) -> int:
    from orchestrator.domain.errors import OrchError, UserInputError, UserInputErrors

    if not isinstance(error, OrchError):
        import traceback

        traceback.print_exception(error)
        return 1
    from cli.console import say
    from orchestrator.domain.text import one_line

    for line in error.problems if isinstance(error, UserInputErrors) else (str(error),):
        say(f"error: {one_line(line, _MAX_ERROR)}")  # it may quote what a model or a file says
    return 2 if isinstance(error, UserInputError) else 1


def main() -> NoReturn:
    """Entry point; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    finish(run(sys.argv[1:]))


def finish(code: int) -> NoReturn:
    """Leave the process with `code`, all output written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    # A process that used a Temporal client may crash in the interpreter's shutdown and lose its exit code.
    os._exit(code)


if __name__ == "__main__":
    main()
