"""`assent policy`: policies as files, before anybody sends them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from assent_workflow.policies.diff import differences
from assent_workflow.policies.model import Policy
from assent_workflow.policies.parse import PolicyInvalid, parse

from assent_local.exits import Exit

app = typer.Typer(help="Policies, as files.", no_args_is_help=True)


@app.command()
def check(files: Annotated[list[Path], typer.Argument(help="YAML, one policy each")]) -> None:
    """Say whether each file is a policy; else where it is not, as FILE:LINE:COLUMN."""
    faulty = 0
    for file in files:
        try:
            policy = parse(file.read_text(encoding="utf-8"))
        except OSError as error:
            typer.echo(f"{file}: {error.strerror}", err=True)
        except UnicodeDecodeError:
            typer.echo(f"{file}:1:1: not UTF-8", err=True)
        except PolicyInvalid as error:
            for fault in error.faults:
                typer.echo(f"{file}:{fault.line}:{fault.column}: {fault.what}", err=True)
        else:
            typer.echo(f"{file}: {policy.ref}, {len(policy.checks)} checks, {len(policy.stages)} stages")
            continue
        faulty += 1
    if faulty:
        raise typer.Exit(Exit.FAILED)


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="YAML")], after: Annotated[Path, typer.Argument(help="YAML")]
) -> None:
    """Say what one policy says otherwise than another, by check, stage and duration."""
    found = differences(_read(before), _read(after))
    for each in found:
        typer.echo(each.words)
    if not found:
        typer.echo("no difference")


def _read(file: Path) -> Policy:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{file}: {error}", err=True)
    except PolicyInvalid as error:
        for fault in error.faults:
            typer.echo(f"{file}:{fault.line}:{fault.column}: {fault.what}", err=True)
    raise typer.Exit(Exit.FAILED)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a policy, by which editors complete and check."""
    typer.echo(json.dumps(Policy.model_json_schema(), indent=2))
