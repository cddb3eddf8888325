"""Commands that run the stages on Kafka: `intake`, `tick`, `score`, `project`, each as a process, and `up` for all."""

from typing import Annotated

import typer

Instance = Annotated[
    str, typer.Option(help="This process's own name in its group, the same after a restart (default: the machine's).")
]
AsJson = Annotated[bool, typer.Option("--json-logs", help="Write the log as JSON, one object a line.")]
MetricsPort = Annotated[
    int,
    typer.Option("--metrics", min=0, max=65_535, help="Serve /metrics and /health on this port of loopback (0: none)."),
]
MAX_PROCESSES = 64


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (intake, tick, score, project, up):
        app.command(rich_help_panel="On Kafka")(command)


def intake(
    context: typer.Context, instance: Instance = "", metrics: MetricsPort = 0, json_logs: AsJson = False
) -> None:
    """Take facts from the publishers' topics into the journal; what is wrong goes to the rejects.

    Example: tallybook intake --instance intake-1
    """
    _run(context, "intake", instance, metrics, json_logs)


def tick(context: typer.Context, instance: Instance = "", metrics: MetricsPort = 0, json_logs: AsJson = False) -> None:
    """Write the full hours into the journal, never past a fact that is still to be taken in.

    Several may run; one of them writes.

    Example: tallybook tick --instance tick-1
    """
    _run(context, "tick", instance, metrics, json_logs)


def score(context: typer.Context, instance: Instance = "", metrics: MetricsPort = 0, json_logs: AsJson = False) -> None:
    """Decide the journal's facts and append to the ledger: as many workers as you like, up to the partitions.

    Example: tallybook score --instance score-1
    """
    _run(context, "score", instance, metrics, json_logs)


def project(
    context: typer.Context, instance: Instance = "", metrics: MetricsPort = 0, json_logs: AsJson = False
) -> None:
    """Carry journal, ledger and rejects into ClickHouse: a server, or the embedded one of this folder.

    Example: tallybook project --instance project-1
    """
    _run(context, "project", instance, metrics, json_logs)


def up(
    context: typer.Context,
    intakes: Annotated[int, typer.Option(min=0, max=MAX_PROCESSES, help="How many intakes.")] = 1,
    workers: Annotated[int, typer.Option(min=0, max=MAX_PROCESSES, help="How many scoring workers.")] = 1,
    tickers: Annotated[int, typer.Option(min=0, max=2, help="How many tickers.")] = 1,
    projections: Annotated[int, typer.Option(min=0, max=MAX_PROCESSES, help="How many projections.")] = 1,
    metrics: MetricsPort = 0,
    json_logs: AsJson = False,
) -> None:
    """Run all stages in one terminal, each in a process of its own that is started again if it dies.

    With --metrics PORT the processes serve from PORT on, in the order intakes, tickers, workers, projections.

    Example: tallybook up --workers 2
    """
    from tallybook.stream.supervisor import Plan, supervise

    plan = Plan(intakes=intakes, tickers=tickers, workers=workers, projections=projections)
    supervise(context.obj, plan, metrics_port=metrics, as_json=json_logs)


def _run(context: typer.Context, stage: str, instance: str, metrics: int, json_logs: bool) -> None:
    from tallybook.stream.stages.start import run_process

    run_process(context.obj, stage, instance, metrics_port=metrics, as_json=json_logs)
