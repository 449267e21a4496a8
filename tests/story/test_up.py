"""`assent up`, as a stranger has it: everything embedded."""

import os
import signal
import time

import psutil
from assent_local import up as runner
from assent_local.demo import REPORT

from tests.story.conftest import StartAssent
from tests.support import metrics
from tests.support.assent import Assent
from tests.support.wait import until


async def test_it_stops_within_ten_seconds_leaves_no_process_and_keeps_its_state(start_assent: StartAssent) -> None:
    assent = await start_assent()
    assert assent.line["ready"] is True
    assert set(assent.line["pids"]) >= {"catalog-api", "workflow", "sagemaker-connector"}
    assert {"legal", "viewer", "admin"} <= set(assent.line["tokens"])
    urn = await assent.register_version("customer-churn", REPORT)
    before = await assent.version(urn)
    await assent.describe_use_case("retention")
    await _shows_every_metric_of_the_tables(assent)

    stopped_at = time.monotonic()
    assert await assent.stop() == 0
    assert time.monotonic() - stopped_at < 10

    await assent.start()
    after = await assent.version(urn)
    assert after["id"] == before["id"]
    assert after["metrics"] == before["metrics"]
    use_case = await assent.request("GET", "catalog-api", "/v1/use-cases/retention")
    assert use_case.status_code == 200
    # The broker came back empty: what the workflow has to know comes again, or was kept.
    assert (await assent.put_forward("retention", urn))["status"] == "under_review"
    # All three logs hold, as far as this machine's own keys and broker tell.
    code, said = await assent.cli("audit", "verify", "--state", str(assent.state))
    assert code == 0, said
    assert said.count("all hold of") == 3


async def test_a_service_that_dies_is_started_again(start_assent: StartAssent) -> None:
    assent = await start_assent()
    first = assent.process_of("workflow").pid
    assent.kill("workflow")

    def again() -> bool:
        try:
            return assent.process_of("workflow").pid != first
        except AssertionError:
            return False

    await until(again, within_s=20)


async def test_nothing_outlives_a_killed_runner(start_assent: StartAssent) -> None:
    assent = await start_assent()
    children = psutil.Process(assent.pid).children(recursive=True)
    services = [child for child in children if "leash" in " ".join(child.cmdline())]
    assert len(services) >= 4
    os.kill(assent.pid, signal.SIGKILL)
    await until(lambda: not any(_alive(service) for service in services), within_s=20)
    # What is left of Postgres is stopped by the next start on the same state.
    again = Assent(assent.state, {})
    await again.start()
    await again.close()


async def test_twenty_thousand_versions_come_through_the_embedded_broker_whole(start_assent: StartAssent) -> None:
    assent = await start_assent()
    body = {"groups": 50, "versions": 400, "prefix": "seeded", "region": "eu-central-1"}
    seeded = await assent.request("POST", "sagemaker", "/_simulator/seed", role=None, json=body, timeout=60)
    assert seeded.status_code < 300, seeded.text
    started = await assent.request("POST", "sagemaker-connector", "/v1/sources/demo/sync", role="admin")
    assert started.status_code == 202, started.text

    async def whole() -> bool:
        # None yet where the catalogue has not heard of the first reading.
        sources = (await assent.get("catalog-api", "/v1/sources"))["items"]
        return any(s["complete"] and s["kinds"]["model_version"]["held"] >= 20_000 + 40 for s in sources)

    await until(whole, within_s=240)
    # And once more, from nothing: the broker forgets everything.
    await assent.stop()
    await assent.start()
    await until(whole, within_s=60)


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def _shows_every_metric_of_the_tables(assent: Assent) -> None:
    """Dashboards and alerts are held against the tables: so the tables are held against a scrape."""
    for service in runner.SERVICES:
        scrape = await assent.request("GET", service, "/metrics", role=None)
        shown = metrics.scraped(scrape.text)
        told = {name: labels for name, (services, labels) in metrics.told().items() if service in services}
        assert len(told) > 15
        assert set(told) - set(shown) == {"up"}
        ours = {name for name in shown if name.startswith("assent_")}
        assert ours <= set(told)
        assert {name: sorted(shown[name] - told[name]) for name in ours if shown[name] - told[name]} == {}
