"""`assent`: the command line."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from aiokafka.errors import KafkaError
from assent_client import Workflow
from assent_client import catalog as the_catalogue
from assent_client import workflow as the_workflow
from assent_client.types import Stage
from assent_common import telemetry
from assent_common.identity.roles import Role
from assent_common.kafka.connection import BrokerUnavailable
from assent_common.signing import Signer
from asyncpg import PostgresError
from rich.console import Console

from assent_local import (
    answers,
    asking,
    dead_letters,
    demo,
    events,
    policies,
    rebuilding,
    reviewing,
    sources,
    syncing,
    trials,
    use_cases,
    verifying,
)
from assent_local import guardrail as fences
from assent_local import up as runner
from assent_local.answers import Client
from assent_local.broker import BrokerFailed
from assent_local.connector import Connector, ConnectorUnavailable, NotAllowed, Refused, connected
from assent_local.doctor.examine import Patient, examine
from assent_local.exits import Exit
from assent_local.guardrail import DEFAULT_ROLE, Fence, GuardrailInvalid, Policy
from assent_local.guardrail_formats import Format, rendered
from assent_local.postgres import PostgresFailed, StateInUse

app = typer.Typer(help="AI governance that plugs into the model registries you already have.", no_args_is_help=True)
dlq_app = typer.Typer(help="Events that a service could not apply.", no_args_is_help=True)
audit_app = typer.Typer(help="The log of who did what.", no_args_is_help=True)
events_app = typer.Typer(help="What the services tell the world.", no_args_is_help=True)
gate_app = typer.Typer(help="Ask whether something may be deployed.", cls=asking.AskUnlessTold, no_args_is_help=True)
app.add_typer(gate_app, name="gate")
app.add_typer(dlq_app, name="dlq")
app.add_typer(audit_app, name="audit")
app.add_typer(events_app, name="events")
sources_app = typer.Typer(help="The registries that are read.", no_args_is_help=True)
aws_app = typer.Typer(help="What AWS is to be told.", no_args_is_help=True)
app.add_typer(sources_app, name="sources")
app.add_typer(aws_app, name="aws")
catalog_app = typer.Typer(help="The catalogue.", no_args_is_help=True)
app.add_typer(catalog_app, name="catalog")
app.add_typer(policies.app, name="policy")
review_app = typer.Typer(help="What is said of a review, and what it rests on.", no_args_is_help=True)
app.add_typer(review_app, name="review")
use_case_app = typer.Typer(help="Use cases, and the steps that they go.", no_args_is_help=True)
app.add_typer(use_case_app, name="use-case")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


StateOption = Annotated[Path | None, typer.Option("--state", help="Folder of the `assent up` that is meant")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document a line, for programs")]
ConnectorOption = Annotated[str, typer.Option("--url", envvar="ASSENT_CONNECTOR_URL", help="The connector")]
TokenOption = Annotated[str, typer.Option("--token", envvar="ASSENT_TOKEN", help="A bearer token")]
CatalogOption = Annotated[str, typer.Option("--url", envvar="ASSENT_CATALOG_URL", help="The catalogue service")]
WorkflowOption = Annotated[str, typer.Option("--url", envvar="ASSENT_WORKFLOW_URL", help="The workflow service")]
ReviewArgument = Annotated[str, typer.Argument(help="The review's id")]
RoleOption = Annotated[Role, typer.Option(help="Of the `assent up` that runs here: as whom")]
KafkaOption = Annotated[
    str | None, typer.Option("--kafka", envvar="ASSENT_KAFKA_BOOTSTRAP_SERVERS", help="Brokers, host:port,…")
]


@app.command()
def up(
    json_: JsonOption = False,
    state: Annotated[Path | None, typer.Option(help="Keep the data in this folder")] = None,
    port_base: Annotated[int | None, typer.Option(help="First of seven ports")] = None,
    simulator: Annotated[
        bool | None, typer.Option(help="A simulated SageMaker; by default unless AWS is configured")
    ] = None,
) -> None:
    """Start everything on this machine; Ctrl-C stops it all."""
    _run(_up(json_, state, port_base, simulator))


@app.command(name="demo")
def demo_(
    state: Annotated[Path | None, typer.Option(help="Keep the data in this folder")] = None,
    port_base: Annotated[int | None, typer.Option(help="First of seven ports")] = None,
) -> None:
    """Start everything, tell the story of one model version, check every step, stop."""
    _run(demo.tell(out, state=state, port_base=port_base))


@app.command()
def token(
    role: Annotated[list[Role], typer.Option(help="A role; may be repeated")],
    subject: Annotated[str | None, typer.Option(help="Who; the role's name by default")] = None,
    state: StateOption = None,
) -> None:
    """Mint a token of the development issuer of `assent up`."""
    issuer = runner.issuer_of(_state(state))
    print(issuer.mint(subject or role[0].value, *(r.value for r in role)))  # noqa: T201 - for $(assent token …)


@gate_app.command(name="ask")
def gate_ask(
    model_version: Annotated[str | None, typer.Argument(help="The model version: its ARN, or its id")] = None,
    artifact_digest: Annotated[
        str | None,
        typer.Option(help="Digest of the artifact that you are about to deploy: no if it is not the judged one"),
    ] = None,
    image: Annotated[str | None, typer.Option(help="The image that you are about to deploy, best by digest")] = None,
    use_case: Annotated[str | None, typer.Option(help="Key of the use case")] = None,
    environment: Annotated[str | None, typer.Option(help="Where it is to be deployed")] = None,
    url: Annotated[str, typer.Option(envvar="ASSENT_WORKFLOW_URL", help="The workflow service")] = "",
    bearer: Annotated[str, typer.Option("--token", envvar="ASSENT_TOKEN", help="A bearer token")] = "",
    save: Annotated[Path | None, typer.Option(help="Write the signed answer here, for `assent gate verify`")] = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Ask whether it may be deployed. Exit 0: yes; 3: no; 4: nobody answered, so no."""
    _require(bool(model_version or artifact_digest or image), "name a model version, --artifact-digest or --image")
    where, token_ = (url, bearer) if url else _local("workflow", bearer, state, Role.VIEWER)
    question = {
        "model_version": model_version,
        "artifact_digest": artifact_digest,
        "image": image,
        "use_case": use_case,
        "environment": environment,
    }
    keep = save.write_text if save else lambda _: None
    _end_with(lambda: asking.ask(out, err, where, token_, question, save=keep, as_json=json_))


@policies.app.command(name="simulate")
def simulate_policy(
    file: Annotated[Path, typer.Argument(help="The policy's YAML", exists=True, dir_okay=False)],
    since: Annotated[datetime | None, typer.Option(help="A year ago by default")] = None,
    until: Annotated[datetime | None, typer.Option(help="Now by default")] = None,
    url: Annotated[str, typer.Option(envvar="ASSENT_WORKFLOW_URL", help="The workflow service")] = "",
    bearer: Annotated[str, typer.Option("--token", envvar="ASSENT_TOKEN", help="A bearer token")] = "",
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Say what a policy would have decided of what was judged since, and where that is otherwise than it was."""
    where, token_ = (url, bearer) if url else _local("workflow", bearer, state, Role.VIEWER)
    text = file.read_text(encoding="utf-8")
    begins, ends = (moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None for moment in (since, until))
    _end_with(lambda: trials.simulate(out, err, where, token_, text, since=begins, until=ends, as_json=json_))


@gate_app.command(name="verify")
def gate_verify(
    signed: Annotated[str, typer.Argument(help="The signed answer, or the file that holds it")],
    keys: Annotated[list[Path], typer.Option(help="The gate's public keys (JWKS of /v1/gate/keys); may be repeated")],
    model_version: Annotated[str | None, typer.Option(help="It must be for this one")] = None,
    artifact_digest: Annotated[str | None, typer.Option(help="It must be for this one")] = None,
    image: Annotated[str | None, typer.Option(help="It must be for this one")] = None,
    use_case: Annotated[str | None, typer.Option(help="It must be for this one")] = None,
    environment: Annotated[str | None, typer.Option(help="It must be for this one")] = None,
) -> None:
    """Check a signed answer of the gate without asking anybody. Exit 0: it allows, and is fresh; 3: it does not."""
    wanted = {
        "model_version": model_version,
        "artifact_digest": artifact_digest,
        "image": image,
        "use_case": use_case,
        "environment": environment,
    }
    expected = {name: value for name, value in wanted.items() if value is not None}
    try:
        raise typer.Exit(asking.verify(out, err, signed, [file.read_text() for file in keys], expected))
    except (OSError, ValueError) as error:
        _end(Exit.USAGE, str(error))


@sources_app.command(name="list")
def sources_list(
    failing: Annotated[bool | None, typer.Option(help="Only those whose last reading failed, or did not")] = None,
    q: Annotated[str | None, typer.Option("--name", help="Only those whose name contains this")] = None,
    url: ConnectorOption = "",
    bearer: TokenOption = "",
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Show how reading each source goes."""

    async def ask(connector: Connector) -> Exit:
        await sources.show(out, connector, failing=failing, q=q, as_json=json_)
        return Exit.OK

    _ask_connector(ask, url, bearer, state, Role.VIEWER)


@sources_app.command(name="test")
def sources_test(
    name: Annotated[str, typer.Argument(help="The source")],
    url: ConnectorOption = "",
    bearer: TokenOption = "",
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Try what the source's role may do. Exit 0: all that is needed; 1: something is missing; 4: AWS does not say."""
    _ask_connector(lambda c: sources.test(out, c, name, as_json=json_), url, bearer, state, Role.ADMIN)


@app.command()
def sync(
    name: Annotated[str, typer.Argument(help="The source")],
    full: Annotated[bool, typer.Option("--full", help="Everything, not only what changed since the last time")] = False,
    url: ConnectorOption = "",
    bearer: TokenOption = "",
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Read a source now, and follow it to its end. Exit 0: read; 1: failed. Ctrl-C leaves the run going."""
    _ask_connector(lambda c: syncing.sync(out, c, name, full=full, as_json=json_), url, bearer, state, Role.ADMIN)


@aws_app.command(name="guardrail")
def aws_guardrail(
    role: Annotated[list[str], typer.Option(help="ARN of Assent's role; its account may be *")] = [DEFAULT_ROLE],  # noqa: B006
    administrator: Annotated[list[str], typer.Option(help="ARN of a role that may change Assent's")] = [],  # noqa: B006
    stage: Annotated[list[str], typer.Option(help="A life-cycle stage to which only Assent may move")] = [],  # noqa: B006
    model: Annotated[list[str], typer.Option(help="ARN of models, with *: no other may serve")] = [],  # noqa: B006
    policy: Annotated[
        Policy, typer.Option(help="For the organisation, for one account, or for Assent's own role")
    ] = Policy.ORGANISATION,
    format_: Annotated[Format, typer.Option("--format", help="How it is to be deployed")] = Format.JSON,
) -> None:
    """Print the policy by which nobody but Assent can approve a model in SageMaker."""
    try:
        fence = Fence(roles=role, administrators=administrator, stages=stage, models=model)
        document = fences.policy(fence, policy)
    except GuardrailInvalid as error:
        _end(Exit.USAGE, str(error))
    print(rendered(document, policy, format_), end="")  # noqa: T201 - for $(…) and >
    if policy is not Policy.ROLE and not administrator and any(":iam::*:" in each for each in role):
        err.print(
            "whoever may make a role of this name may approve: name who may, with --administrator", style="yellow"
        )


@dlq_app.command(name="list")
def dlq_list(consumer: str, kafka: KafkaOption = None, prefix: str = "", json_: JsonOption = False) -> None:
    """Show what CONSUMER (catalog-api, workflow, sagemaker-connector) could not apply, and why."""
    _run(dead_letters.show(out, _kafka(kafka), consumer, prefix=prefix, as_json=json_))


@dlq_app.command(name="redrive")
def dlq_redrive(consumer: str, kafka: KafkaOption = None, prefix: str = "") -> None:
    """Send what CONSUMER could not apply to its topic again. What it has applied since is not changed by it."""
    _run(dead_letters.redrive(out, _kafka(kafka), consumer, prefix=prefix))


@events_app.command(name="tail")
def events_tail(
    kafka: KafkaOption = None,
    type_: Annotated[str, typer.Option("--type", help="Only types that begin so, e.g. assent.governance")] = "assent.",
    from_start: Annotated[bool, typer.Option(help="From the oldest event that is kept")] = False,
    json_: JsonOption = False,
) -> None:
    """Follow the events as they come."""
    _run(events.tail(out, _kafka(kafka), type_, from_start=from_start, as_json=json_))


@catalog_app.command(name="rebuild")
def catalog_rebuild(
    database_url: Annotated[str, typer.Option(envvar="ASSENT_DATABASE_URL", help="The catalogue's database")],
    kafka: KafkaOption = None,
    prefix: str = "",
) -> None:
    """Make the catalogue's records anew from the topics, while the service runs. Histories stay as they are."""
    _run(rebuilding.catalog(out, database_url, _kafka(kafka), prefix=prefix))


@use_case_app.command(name="propose")
def use_case_propose(
    key: Annotated[str, typer.Argument(help="Key of the use case")],
    stage: Annotated[Stage, typer.Argument(help="Where it is to go")],
    reason: Annotated[str | None, typer.Option(help="Why")] = None,
    url: CatalogOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.BUSINESS_OWNER,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Propose a use case for a stage. It goes there by what is decided of it; at once, where no policy asks."""
    _ask(
        "catalog-api",
        the_catalogue,
        lambda client: use_cases.propose(out, client, key, stage, reason=reason, as_json=json_),
        *(url, bearer, state, role),
    )


@use_case_app.command(name="withdraw")
def use_case_withdraw(
    key: Annotated[str, typer.Argument(help="Key of the use case")],
    url: CatalogOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.BUSINESS_OWNER,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Take a proposal back before it is decided. Nobody is asked any more then."""
    _ask(
        "catalog-api",
        the_catalogue,
        lambda client: use_cases.take_back(out, client, key, as_json=json_),
        *(url, bearer, state, role),
    )


@use_case_app.command(name="steps")
def use_case_steps(
    key: Annotated[str | None, typer.Argument(help="Key of a use case; all of them without it")] = None,
    url: WorkflowOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.VIEWER,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Say where the steps of use cases stand, the newest first."""
    _ask(
        "workflow",
        the_workflow,
        lambda client: use_cases.steps(out, client, key, as_json=json_),
        *(url, bearer, state, role),
    )


@review_app.command(name="comment")
def review_comment(
    review: ReviewArgument,
    body: Annotated[str | None, typer.Argument(help="What to say, as Markdown; without it, show what was said")] = None,
    task: Annotated[str | None, typer.Option(help="The task that it is about")] = None,
    url: WorkflowOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.DATA_SCIENTIST,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Say something of a review, for good, or show what was said, the oldest first."""

    async def ask(client: Workflow) -> None:
        if body is None:
            await reviewing.show_comments(out, client, review, as_json=json_)
        else:
            await reviewing.comment(out, client, review, body, task=task, as_json=json_)

    _ask("workflow", the_workflow, ask, url, bearer, state, role)


@review_app.command(name="evidence")
def review_evidence(
    review: ReviewArgument,
    uri: Annotated[str | None, typer.Argument(help="Where it is kept; without it, show what is attached")] = None,
    file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The same here: its digest is attached, not itself")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="Its digest in hex, in place of --file")] = None,
    name: Annotated[str | None, typer.Option(help="What it is; the last part of URI by default")] = None,
    media_type: Annotated[str | None, typer.Option(help="By its ending by default")] = None,
    note: Annotated[str | None, typer.Option(help="What else there is to say")] = None,
    url: WorkflowOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.DATA_SCIENTIST,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Attach something kept elsewhere to a review, for good, by its digest; or show what is attached."""
    _require(uri is None or (file is None) != (sha256 is None), "give its --file, or its --sha256")

    async def ask(client: Workflow) -> None:
        if uri is None:
            await reviewing.show_evidence(out, client, review, as_json=json_)
            return
        given = reviewing.evidence(uri, file=file, sha256=sha256, name=name, media_type=media_type, note=note)
        await reviewing.attach(out, client, review, given, as_json=json_)

    _ask("workflow", the_workflow, ask, url, bearer, state, role)


@review_app.command(name="ask")
def review_ask(
    review: ReviewArgument,
    check: Annotated[str, typer.Argument(help="The name of a check that another system answers")],
    url: WorkflowOption = "",
    bearer: TokenOption = "",
    role: RoleOption = Role.DATA_SCIENTIST,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Have another system asked again what it answered, or has not answered yet."""
    _ask(
        "workflow",
        the_workflow,
        lambda client: reviewing.ask_again(out, client, review, check, as_json=json_),
        *(url, bearer, state, role),
    )


@app.command(name="doctor")
def doctor_(
    service: Annotated[list[str], typer.Option(help="A service, as SERVICE=URL; may be repeated")] = [],  # noqa: B006
    database: Annotated[list[str], typer.Option(help="A service's database, as SERVICE=URL; may be repeated")] = [],  # noqa: B006
    kafka: Annotated[str | None, typer.Option(envvar="ASSENT_KAFKA_BOOTSTRAP_SERVERS", help="Brokers")] = None,
    prefix: Annotated[str, typer.Option(envvar="ASSENT_KAFKA_TOPIC_PREFIX", help="Before every topic's name")] = "",
    issuer: Annotated[str | None, typer.Option(envvar="ASSENT_OIDC_ISSUER", help="Whose tokens are taken")] = None,
    state: StateOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Say what is fine, too")] = False,
    json_: JsonOption = False,
) -> None:
    """Look at everything, and say of what is wrong what to do. Exit 1 if something is. Without a service or a database:
    the `assent up` that runs here. Changes nothing."""
    try:
        patient = Patient.named(service, database, kafka, prefix, issuer)
    except ValueError as error:
        _end(Exit.USAGE, str(error))
    if not service and not database:
        patient = patient.at_home(_state(state))
    _end_with(lambda: examine(out, patient, as_json=json_, all_=all_))


@audit_app.command(name="verify")
def audit_verify(
    database: Annotated[list[str], typer.Option(help="A service's database, as SERVICE=URL; may be repeated")] = [],  # noqa: B006
    database_url: Annotated[
        str, typer.Option(envvar="ASSENT_DATABASE_URL", help="A database alone: its chain, without checkpoints")
    ] = "",
    export: Annotated[Path | None, typer.Option(help="A file of `assent audit export`")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint beside the export")] = None,
    keys: Annotated[list[Path], typer.Option(help="Trusted public keys (JWKS); may be repeated")] = [],  # noqa: B006
    kafka: KafkaOption = None,
    prefix: Annotated[str, typer.Option(envvar="ASSENT_KAFKA_TOPIC_PREFIX", help="Before every topic's name")] = "",
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Walk the audit logs of all services, and hold them against what was signed on Kafka. Exit 1, naming each record
    that does not hold and what is wrong with it. Without a database or an export: the `assent up` that runs here."""
    texts = [file.read_text() for file in keys]
    if export is not None:
        raise typer.Exit(verifying.of_export(out, export, checkpoint, texts, as_json=json_))
    databases = dict(each.split("=", 1) for each in database if "=" in each)
    _require(len(databases) == len(database), "name databases as SERVICE=URL")
    if not databases and database_url:
        databases = {"": database_url}
    elif not databases:
        here = _state(state)
        databases = json.loads((here / "databases.json").read_text())
        texts = texts or [json.dumps(Signer(runner.signing_key_of(here)).jwks())]
        kafka = kafka or json.loads((here / "up.json").read_text())["kafka"]
    _require(not kafka or bool(texts) or "" in databases, "name whose signatures are trusted: --keys")
    brokers = kafka if texts else None
    _end_with(lambda: verifying.of_databases(out, databases, brokers, texts, prefix=prefix, as_json=json_))


@audit_app.command(name="export")
def audit_export(
    to: Annotated[Path, typer.Option(help="The file to write; its checkpoint and keys are put beside it")],
    service: Annotated[str, typer.Option(help="Of the `assent up` that runs here, which service")] = "workflow",
    url: Annotated[str, typer.Option(help="The service")] = "",
    bearer: TokenOption = "",
    state: StateOption = None,
) -> None:
    """Write a service's audit log as one record a line: `sha256sum` is all it takes to check it."""
    where, token_ = (url, bearer) if url else _local(service, bearer, state, Role.VIEWER)
    _end_with(lambda: verifying.export(out, where, token_, to))


@audit_app.command(name="keys")
def audit_keys(
    signing_key: Annotated[str, typer.Option(envvar="ASSENT_SIGNING_KEY", help="In hex; best by the environment")],
) -> None:
    """Print the public half of a signing key, as a JWKS: to be published before and after it is in use."""
    try:
        print(json.dumps(Signer(signing_key).jwks()))  # noqa: T201 - for $(…) and >
    except ValueError:
        _end(Exit.USAGE, "the key is 32 bytes in hex: openssl rand -hex 32")


def main() -> None:
    app()


async def _up(json_: bool, state: Path | None, port_base: int | None, simulator: bool | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    starting = asyncio.current_task()
    assert starting is not None

    def stop() -> None:
        stopping.set()
        starting.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    say = (lambda _: None) if json_ else (lambda text: err.print(f"[dim]{text} …[/]"))
    try:
        async with runner.up(
            state=state, port_base=port_base, simulator=simulator, stopping=stopping, say=say
        ) as local:
            if json_:
                print(local.line(), flush=True)  # noqa: T201
            else:
                _welcome(local)
            await stopping.wait()
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise


def _welcome(local: runner.Local) -> None:
    out.print("\n[bold green]Assent is up.[/]\n")
    for name, url in local.urls.items():
        out.print(f"  {name:<20} {url}" + ("" if name == "sagemaker" else "/docs"))
    out.print(f"  {'kafka':<20} {local.kafka}")
    out.print(f"  {'data and logs':<20} {local.state}\n")
    out.print("What to do next, in another terminal:\n")
    out.print("  TOKEN=$(assent token --role data_scientist --subject ada)")
    out.print(f'  curl -H "Authorization: Bearer $TOKEN" {local.urls["catalog-api"]}/v1/model-versions')
    out.print("  assent events tail --from-start\n")
    out.print("[dim]Ctrl-C stops everything.[/]")


def _end_with(act: Callable[[], Awaitable[Exit]]) -> None:
    """Ends with the exit code of what was done."""
    code = Exit.OK

    async def main_() -> None:
        nonlocal code
        code = await act()

    _run(main_())
    if code is not Exit.OK:
        raise typer.Exit(code)


def _ask_connector(
    ask: Callable[[Connector], Awaitable[Exit]], url: str, bearer: str, state: Path | None, role: Role
) -> None:
    """Ends with the exit code of what was asked. Without `--url`, of the `assent up` that runs here."""

    async def act() -> Exit:
        where, token = (url, bearer) if url else _local("sagemaker-connector", bearer, state, role)
        async with connected(where, token) as connector:
            return await ask(connector)

    _end_with(act)


def _ask(
    service: str,
    opened: Callable[..., AbstractAsyncContextManager[Client]],
    ask: Callable[[Client], Awaitable[None]],
    url: str,
    bearer: str,
    state: Path | None,
    role: Role,
) -> None:
    """Ends with the exit code of what went wrong. Without `--url`, of the `assent up` that runs here."""

    async def act() -> Exit:
        where, token = (url, bearer) if url else _local(service, bearer, state, role)
        return await answers.asked_of(err, service, opened(where, token=token), ask)

    _end_with(act)


def _local(service: str, bearer: str, state: Path | None, role: Role) -> tuple[str, str]:
    here = _state(state)
    urls = json.loads((here / "up.json").read_text())["urls"]
    return urls[service], bearer or runner.issuer_of(here).mint("cli", role)


def _run(main_: Coroutine[Any, Any, None]) -> None:
    telemetry.configure("cli", os.environ.get("ASSENT_LOG_LEVEL", "ERROR"))
    try:
        asyncio.run(main_)
    except (runner.NotReady, demo.NotTrue, PostgresFailed, StateInUse, BrokerFailed) as error:
        _end(Exit.FAILED, str(error))
    except Refused as error:
        _end(Exit.USAGE, str(error))
    except NotAllowed as error:
        _end(Exit.NOT_ALLOWED, str(error))
    except ConnectorUnavailable as error:
        _end(Exit.UNAVAILABLE, str(error))
    except (BrokerUnavailable, KafkaError, PostgresError, OSError) as error:
        _end(Exit.UNAVAILABLE, repr(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _state(given: Path | None) -> Path:
    state = given or runner.running()
    _require(state is not None, "no `assent up` runs; start one, or name its folder with --state")
    assert state is not None
    _require((state / "issuer-url").exists(), f"{state} is not the folder of an `assent up`")
    return state


def _kafka(given: str | None) -> str:
    if given:
        return given
    here = runner.running()
    _require(here is not None, "name the brokers: --kafka, or ASSENT_KAFKA_BOOTSTRAP_SERVERS")
    assert here is not None
    return str(json.loads((here / "up.json").read_text())["kafka"])


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        _end(Exit.USAGE, otherwise)


def _end(code: Exit, words: str) -> NoReturn:
    err.print(words, markup=False, style="red")
    sys.exit(code)
