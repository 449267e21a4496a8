"""The faults, each under its name in the matrix."""

import asyncio
import contextlib
import random
import signal
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer
from assent_common.kafka import topics
from assent_common.outbox.replay import replay

from tests.prove import wire
from tests.prove.before import from_one_release_to_the_next
from tests.prove.house import MODULES, House
from tests.prove.load import Story
from tests.prove.nemesis import whatever_comes
from tests.prove.proxy import Act, Frame, of
from tests.prove.restoring import restored_from_backups
from tests.prove.trouble import Trial, Trouble
from tests.support.wait import until
from tests.workflow.test_gate_is_never_stale import USE_CASES, History, Step, stale

GARBAGE = (
    *(b"\xff\xfe not JSON", b"{}", b'{"specversion":"1.0"}', b"[" * 5000, b'{"a": "' + b"x" * 2_000_000 + b'"}'),
    *(b'{"specversion":"1.0","data":{"name":"\\ud800"}}', b'{"a":"\\u0000"}', b"", b"\x00" * 100),
)
#: What the small disk has beside the database, in bytes.
ROOM_ON_DISK = 32 * 2**20
PUBLISHES = {"catalog-api": topics.CATALOG, "workflow": topics.GOVERNANCE, "sagemaker-connector": topics.REGISTRY}


async def killed_at_every_step(t: Trouble) -> None:
    """T1. kill -9 as the k-th message between a service and Postgres or Kafka passes, k by the dice."""
    for _ in range(40 if t.long else 6):
        service = t.dice.choice(list(MODULES))
        through = t.dice.choice([t.house.to_postgres[service], t.house.to_kafka])
        mine = partial(_is_of, service) if through is t.house.to_kafka else _any
        rule = through.rule(mine, Act.PASS, nth=t.dice.randint(1, 300), then=partial(t.house.kill, service))
        if await t.happens(rule):
            await t.over()
        else:
            await t.house.heal()


async def reply_to_commit_lost(t: Trouble) -> None:
    """T2. What was committed is answered by nobody; the client asks again with the same Idempotency-Key."""
    for service in ("workflow", "catalog-api"):
        rule = t.house.to_postgres[service].rule(_commit_of("insert into idempotency_keys"), Act.DROP, nth=2, times=5)
        await until(lambda rule=rule: rule.happened == 5, within_s=120)  # type: ignore[misc]
        await t.over(5)


async def any_commit_lost(t: Trouble) -> None:
    """T2. The same for duties: the relay's marks, a consumer's batch, the connector's observations."""
    for service in MODULES:
        rule = t.house.to_postgres[service].rule(_commit_of(""), Act.DROP, nth=t.dice.randint(1, 5), times=4)
        await until(lambda rule=rule: rule.happened == 4, within_s=120)  # type: ignore[misc]
        await t.over(4)


async def statement_cut(t: Trouble) -> None:
    """T2. Half of a statement, or half of its answer."""
    for service in MODULES:
        for toward in ("server", "client"):
            rule = t.house.to_postgres[service].rule(
                lambda f, toward=toward: f.toward == toward,  # type: ignore[misc]
                Act.CUT,
                nth=t.dice.randint(1, 50),
                times=3,
            )
            await until(lambda rule=rule: rule.happened == 3, within_s=120)  # type: ignore[misc]
            await t.over(3)


async def reply_to_produce_lost(t: Trouble) -> None:
    """T3. The broker has the events and its reply is lost: they come twice, and have effect once."""
    dropped = t.house.to_kafka.rule(of("Produce"), Act.DROP, nth=2, times=6)
    await until(lambda: dropped.happened == 6, within_s=120)
    cut = t.house.to_kafka.rule(of("Produce", "server"), Act.CUT, times=3)
    await until(lambda: cut.happened == 3, within_s=120)
    await t.over(9)


async def broker_refuses(t: Trouble) -> None:
    """T3. Nobody listens at the broker's address; writes go on."""
    for _ in range(5 if t.long else 1):
        await t.house.to_kafka.refuse()
        await _degraded(t)
        await asyncio.sleep(60 if t.long else 5)
        assert await t.house.status("workflow") == "degraded"
        await t.over()


async def broker_hangs(t: Trouble) -> None:
    """T3. The broker is frozen: connections stay and nobody answers. Twenty times in the long run."""
    for _ in range(20 if t.long else 2):
        t.house.broker.pause()
        try:
            await _degraded(t)
            await asyncio.sleep(t.dice.uniform(0, 10 if t.long else 2))
        finally:
            t.house.broker.resume()
        await t.over()


async def broker_wiped(t: Trouble) -> None:
    """T4. Another, empty cluster at the same address: it is noticed, and told everything again."""
    for _ in range(3 if t.long else 1):
        await t.house.broker.kill()
        t.house.broker.wipe()
        await t.house.broker.start()
        await t.over()


async def postgres_restarted(t: Trouble) -> None:
    """T5. Postgres is stopped at once, as by a crash, and started again."""
    for _ in range(10 if t.long else 2):
        await t.house.postgres.kill()
        await t.house.postgres.start()
        await t.over()


async def connections_terminated(t: Trouble) -> None:
    """T5. Every connection is ended by the administrator, again and again."""
    for _ in range(10 if t.long else 3):
        async with t.house.database("workflow") as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'assent-%'"
            )
        await t.over()


async def connections_used_up(t: Trouble) -> None:
    """T5. Somebody else has every connection that Postgres gives."""
    hoard: list[asyncpg.Connection] = []
    try:
        async with t.house.database("workflow") as mine:
            while True:
                await mine.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'assent-%'"
                )
                try:
                    hoard += [await asyncpg.connect(t.house.database_url("workflow")) for _ in range(10)]
                except asyncpg.TooManyConnectionsError:
                    break
        await asyncio.sleep(10 if t.long else 2)
    finally:
        for connection in hoard:
            await connection.close()
    await t.over()


async def postgres_is_a_black_hole(t: Trouble) -> None:
    """T5. Connections to Postgres stay, and nothing passes: requests end by a deadline, and health says so."""
    for service in MODULES:
        t.house.to_postgres[service].black_hole()
        await until(lambda s=service: _status(t.house, s, "unavailable", "gone"), within_s=60)  # type: ignore[misc]
        answer = await t.house.request("GET", service, "/v1/audit", timeout=40)
        assert answer.status_code == 503, answer.text
        assert "retry-after" in answer.headers
        await t.over()


async def poison(t: Trouble) -> None:
    """T6. Bytes that are no events of ours, on every topic; the rest flows on."""
    async with AIOKafkaProducer(
        bootstrap_servers=t.house.broker.bootstrap_servers, max_request_size=4_000_000
    ) as producer:
        for topic in PUBLISHES.values():
            for body in GARBAGE:
                if len(body) < 900_000:
                    await producer.send_and_wait(topic.name, body, key=b"garbage")
                    t.faults += 1
                    await t.told(0)
    await t.told(3)
    await t.over(0)


async def replayed_in_bulk(t: Trouble) -> None:
    """T7, T8. Everything is told again, again and again, beside what is new."""
    before = await _published(t.house)
    for _ in range(30 if t.long else 3):
        for service, topic in PUBLISHES.items():
            async with t.house.database(service) as connection:
                await replay(connection, topic.name)
            t.faults += 1
        await t.told(1)
        await t.house.well()
    t.notes.append(f"{await _published(t.house) - before:.0f} events published")
    await t.over(0)


async def clock_off(t: Trouble) -> None:
    """T9. A service's clock is an hour late or early; Postgres' is right.

    Not tried with a load: a service that people call and whose clock is early. To it their tokens are of the future,
    and it answers 401, as it must.
    """
    wrong = (("workflow", 1), ("catalog-api", 1), ("sagemaker-connector", 1), ("sagemaker-connector", -1))
    for service, hours in wrong:
        await t.house.remove(service, 0)
        module = "tests.prove.an_hour_off"
        await t.house.add(service, 0, module=module, HOURS_OFF=str(hours), MODULE=MODULES[service])
        try:
            await t.house.well()
            await t.told(2)
        finally:
            await t.house.remove(service, 0)
            await t.house.add(service, 0)
        await t.over()


async def disk_full(t: Trouble) -> None:
    """T12. The disk of the workflow's database is full: writes are told 503, and go on once there is space."""
    disk = t.house.folder / "small"
    disk.mkdir(exist_ok=True)
    # Postgres, which does not run as root, wants it for its own.
    whose = (t.house.folder / "postgres" / "data").stat()
    async with t.house.database("workflow") as connection:
        holds = await connection.fetchval("select pg_database_size(current_database())")
    # An hour of load is in it by now.
    how = f"size={holds + ROOM_ON_DISK},mode=0700,uid={whose.st_uid},gid={whose.st_gid}"
    await _run("mount", "-t", "tmpfs", "-o", how, "tmpfs", str(disk))
    try:
        await _move_workflow(t.house, "small", disk)
        await t.over(0)
        await t.told(1)
        async with t.house.database("workflow") as connection:
            await connection.execute("create table junk (what text)")
            with contextlib.suppress(asyncpg.DiskFullError):
                while True:
                    await connection.execute("insert into junk select repeat('x', 1000) from generate_series(1, 1000)")
            again = t.load.ledger.asked_again
            await until(lambda: t.load.ledger.asked_again > again + 5, within_s=60)
            await connection.execute("drop table junk")
        await t.over()
    finally:
        try:
            await _move_workflow(t.house, "pg_default", None)
        finally:
            await _run("umount", "--lazy", str(disk))
    await t.over(0)


async def gate_is_linearizable(t: Trouble) -> None:
    """T18. Two processes answer, one of them is killed now and then, and no answer is older than one before it."""
    history = History()
    keys = USE_CASES[: 3 if t.long else 2]
    writing = {key: asyncio.create_task(_accept_and_suspend(t, history, key)) for key in keys}

    async def read(seed: int) -> None:
        dice = random.Random(seed)
        while not all(task.done() for task in writing.values()):
            key = dice.choice(keys)
            begun = history.tick()
            with contextlib.suppress(httpx.HTTPError):
                question = {"model_version": urns[key], "use_case": f"{t.load.prefix}-{key}"} if key in urns else None
                if question is None:
                    await asyncio.sleep(0.05)
                    continue
                answer = await t.house.request("POST", "workflow", "/v1/gate", role="service", json=question)
                if answer.status_code == 200:
                    history.answers[key].append(Step(begun, history.tick(), answer.json()["allow"]))

    async def kill() -> None:
        while not all(task.done() for task in writing.values()):
            await asyncio.sleep(t.dice.uniform(2, 5))
            victim = t.dice.randrange(2)
            t.house.kill("workflow", victim)
            t.faults += 1
            # Else, where to begin takes longer than that, neither is ever there.
            await until(lambda v=victim: _is_there(t.house, "workflow", v), within_s=120)  # type: ignore[misc]

    urns: dict[str, str] = t.gate_urns
    async with asyncio.TaskGroup() as tasks:
        for seed in range(6):
            tasks.create_task(read(seed))
        tasks.create_task(kill())
    await asyncio.gather(*writing.values())
    for key in keys:
        answers = history.answers[key]
        assert {answer.allowed for answer in answers} == {True, False}
        assert list(stale(history.writes[key], answers)) == []
    t.notes.append(f"{sum(map(len, history.answers.values()))} answers in order")
    await t.over(0)


async def _accept_and_suspend(t: Trouble, history: History, key: str) -> None:
    """In turns; what makes the difference is the last approval, and the suspension."""
    load = t.load
    story = Story(-1, f"{load.prefix}-{key}")
    candidacy = await load.put_forward(story)
    t.gate_urns[key] = story.urn
    for _ in range(8 if t.long else 3):
        await load.step(story, "submit", "data_scientist", "candidacy.submitted")
        tasks = await load.tasks(story)
        *first, last = tasks.items()
        for role, task in first:
            await load.decide(story, role, task, "approve", "task.approved")
        begun = history.tick()
        await load.decide(story, *last, "approve", "task.approved")
        history.writes[key].append(Step(begun, history.tick(), True))
        begun = history.tick()
        await load.step(story, "suspend", "risk", "candidacy.suspended")
        history.writes[key].append(Step(begun, history.tick(), False))
    assert candidacy


async def _move_workflow(house: House, tablespace: str, at: Path | None) -> None:
    """Its database to another disk, while it is kept away from it."""
    name = urlsplit(house.database_url("workflow")).path.lstrip("/")
    await house.to_postgres["workflow"].refuse()
    connection = await asyncpg.connect(house.postgres.plain_url("postgres"))
    try:
        if at is not None:
            await connection.execute(f"create tablespace {tablespace} location '{at}'")
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()",
            name,
        )
        await connection.execute(f'alter database "{name}" set tablespace {tablespace}')
        if at is None:
            await connection.execute("drop tablespace small")
    finally:
        await connection.close()


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def aws_storm(t: Trouble) -> None:
    """T11. AWS throttles, fails, cuts off, and is not there; the reply to a write-back is lost."""
    t.house.simulator.dial(throttle={"*": 0.3}, errors={"*": 0.1}, cuts={"*": 0.05}, empty_pages=0.1)
    await t.told(4)
    t.house.simulator.dial()
    await t.over()
    lost = t.house.to_aws.rule(of("SageMaker.UpdateModelPackage"), Act.DROP, times=3)
    await until(lambda: lost.happened == 3, within_s=120)
    await t.over(3)
    t.house.to_aws.rule(of("SageMaker.Search"), Act.CUT, times=3)
    await t.told(2)
    await t.house.to_aws.refuse()
    await t.told(1)
    await t.over(4)


async def rolling_restart(t: Trouble) -> None:
    """T13. Of two processes of each service one after the other is stopped and started, and then killed."""
    for _ in range(4 if t.long else 1):
        for service in MODULES:
            for number in range(2):
                await t.house.remove(service, number)
                await t.told(1)
                await t.house.add(service, number)
                t.recoveries.append(await t.house.well())
                t.faults += 1
    for service in MODULES:
        for number in range(2):
            t.house.kill(service, number)
            await t.over()


async def zombies(t: Trouble) -> None:
    """T14. A process sleeps past the end of its leases and of its place in the group, another one takes over, and it
    wakes up in the middle of what it did."""
    for service in MODULES:
        for number in range(2):
            t.house.signal(service, signal.SIGSTOP, number)
            try:
                # Longer than a consumer's session (10 s) and the relay's lease (6 s).
                await asyncio.sleep(12)
            finally:
                t.house.signal(service, signal.SIGCONT, number)
            await t.over()


def _any(_: Frame) -> bool:
    return True


def _is_of(service: str, frame: Frame) -> bool:
    return service in frame.wire.client


def _commit_of(statement: str) -> Callable[[Frame], bool]:
    return partial(_is_commit_of, statement)


def _is_commit_of(statement: str, frame: Frame) -> bool:
    if frame.name != "commit" or frame.toward != "client":
        return False
    assert isinstance(frame.wire, wire.Postgres)
    wrote = [said for said in frame.wire.transaction if said.startswith(("insert", "update", "with", "delete"))]
    return any(statement in said for said in wrote)


async def _degraded(t: Trouble) -> None:
    await until(lambda: _status(t.house, "workflow", "degraded"), within_s=60)


async def _status(house: House, service: str, *wanted: str) -> bool:
    return await house.status(service) in wanted


async def _is_there(house: House, service: str, number: int) -> bool:
    return await house.status(service, house.ports[service][number]) != "gone"


async def _published(house: House) -> float:
    return sum([await house.metric(service, "assent_outbox_published") for service in MODULES])


def _restored(name: str, *services: str) -> Trial:
    what = f"restored from a backup: {', '.join(services)}"
    return Trial(name, what, "R12", partial(restored_from_backups, services), alone=True)


ALL = (
    Trial("T1", "kill -9 as the k-th message passes", "R1 R2", killed_at_every_step),
    Trial("T2a", "the reply to COMMIT of a request is lost", "R1 R2", reply_to_commit_lost),
    Trial("T2b", "the reply to COMMIT of a duty is lost", "R1 R2", any_commit_lost),
    Trial("T2c", "statements and answers are cut in half", "R1 R2", statement_cut),
    Trial("T3a", "the reply to Produce is lost, requests are cut", "R2 R3", reply_to_produce_lost),
    Trial("T3b", "the broker refuses", "R5", broker_refuses),
    Trial("T3c", "the broker hangs", "R5", broker_hangs),
    Trial("T4", "the broker is wiped", "R2 R5", broker_wiped),
    Trial("T5a", "Postgres is restarted at once", "R1 R6", postgres_restarted),
    Trial("T5b", "every connection is terminated", "R6", connections_terminated),
    Trial("T5c", "connections are used up", "R6", connections_used_up),
    Trial("T5d", "Postgres is a black hole", "R6", postgres_is_a_black_hole),
    Trial("T6", "poison on every topic", "R4 R11", poison),
    Trial("T8", "everything is replayed beside live traffic", "R2", replayed_in_bulk),
    Trial("T9", "clocks an hour off", "R9", clock_off),
    Trial("T11", "AWS storms", "R7", aws_storm),
    Trial("T12", "the disk is full", "R5", disk_full, needs_root=True),
    Trial("T13", "rolling restart, two of each", "R10", rolling_restart, of_each=2),
    Trial("T14", "zombies wake up, two of each", "R2 R3", zombies, of_each=2),
    _restored("T17a", "workflow"),
    _restored("T17b", "catalog-api"),
    _restored("T17c", "sagemaker-connector"),
    _restored("T17d", *MODULES),
    Trial("T15", "the release before beside this one", "R10 R11", from_one_release_to_the_next, 2, of_before=True),
    Trial("T20", "whatever comes, and nothing is left behind", "all", whatever_comes),
    Trial("T18", "the gate, two processes, killed", "R8", gate_is_linearizable, of_each=2),
)
