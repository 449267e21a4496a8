"""People are told of what concerns them: once while all goes well, and never not at all."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from assent_workflow.notifications import duties, store
from assent_workflow.notifications.reach import Reach
from assent_workflow.notifications.write import Writer
from assent_workflow.outgoing.queue import RETRIES_S
from assent_workflow.settings import Settings
from assent_workflow.timers.fire import fire
from fastapi import Response
from pydantic import ValidationError

from tests.support.wait import until
from tests.workflow.notified import Notified, settings_for
from tests.workflow.one_look import NOTIFICATIONS, looks
from tests.workflow.outgoing_process import a_process
from tests.workflow.world import World, a_deployment

HOSTILE = "<script>alert(1)</script>\r\nBcc: all@example.com\u202e <!channel> *&amp;* {secret}"


async def test_who_is_asked_and_who_proposed_are_told_once_each_with_a_link(notified: Notified) -> None:
    await notified.reach("legal", "lucia@example.com", "lu@example.com", kind="role")
    await notified.reach("ada", "ada@example.com")
    candidacy = await notified.world.put_forward()
    await notified.told()
    await notified.told()
    assert sorted(notified.mailbox.recipients) == ["lu@example.com", "lucia@example.com"]
    task = (await notified.world.tasks(candidacy["id"]))["legal"]
    for message in notified.mailbox.got:
        assert message["Subject"] == "Your decision is asked for: retention"
        text, rich = (part.get_content() for part in message.iter_parts())
        assert f"https://assent.example.com/workflow/v1/tasks/{task['id']}" in text
        assert f'href="https://assent.example.com/workflow/v1/tasks/{task["id"]}"' in rich
        assert message["References"] == f"<{candidacy['id']}@example.com>"
    assert len(set(notified.mailbox.ids())) == 2
    await notified.world.approve_all(candidacy["id"])
    await notified.told()
    assert notified.mailbox.recipients[2:] == ["ada@example.com"]
    assert notified.mailbox.got[2]["Subject"] == "Accepted: retention"
    log = await notified.log(recipient="person:ada")
    assert [(each["kind"], each["status"], each["about"]) for each in log] == [
        ("candidacy.accepted", "delivered", candidacy["id"])
    ]
    assert len(await notified.log(about=task["id"], status="delivered", channel="mail")) == 2


async def test_what_serves_and_is_of_nobody_is_told_to_those_who_answer_for_risk(notified: Notified) -> None:
    await notified.reach("risk", "risk@example.com", kind="role")
    await notified.reach("Bea", "bea@example.com")
    await notified.world.hears(a_deployment())
    await notified.told()
    assert notified.mailbox.recipients == ["risk@example.com"]
    assert "nobody put forward" in str(notified.mailbox.got[0])
    await notified.world.put_forward(submit=False)
    await notified.told()
    [finding] = (await notified.world.ask("GET", "/v1/findings")).json()["items"]
    assert finding["owner"] == "Bea"
    assert notified.mailbox.recipients[1:] == ["bea@example.com"], "it is hers now"


async def test_nobody_is_told_where_nothing_is_set_nor_later_of_what_happened_then(
    notified: Notified, world: World
) -> None:
    await notified.reach("legal", "lucia@example.com", kind="role")
    nothing = Settings(database_url="postgresql://nowhere/x")
    assert set(duties.duties(world.database, nothing)) == {"notifications"}
    await world.put_forward()
    await notified.published()
    silent = Writer(world.database, nothing.reach)
    while await silent.once():
        pass
    assert await notified.written() == []


async def test_a_hundred_decide_the_last_task_at_once_and_one_mail_says_that_it_is_accepted(notified: Notified) -> None:
    world = notified.world
    await notified.reach("ada", "ada@example.com")
    candidacy = await world.put_forward()
    last, *others = (await world.tasks(candidacy["id"])).values()
    for task in others:
        assert (await world.decide(task)).status_code == 200
    answers = await asyncio.gather(*(world.decide(last, by=f"person-{n}") for n in range(100)))
    codes = [answer.status_code for answer in answers]
    assert (len(codes), codes.count(200)) == (100, 1)
    await notified.told()
    assert [message["Subject"] for message in notified.mailbox.got] == ["Accepted: retention"]


async def test_writers_and_senders_at_once_tell_each_thing_once(notified: Notified, world: World) -> None:
    # A role without an address of its own is reached by those who are known to hold it.
    for lawyer in ("lucia", "lu"):
        body = {"name": lawyer, "subject": lawyer, "roles": ["legal"]}
        assert (await world.ask("PUT", "/v1/identities", by="root", role="admin", json=body)).status_code == 200
        await notified.reach(lawyer, f"{lawyer}@example.com", f"{lawyer}@example.org")
    for role in ("security", "data_steward", "data_scientist", "business_owner"):
        await notified.reach(role, *(f"{role}-{n}@example.com" for n in range(4)), kind="role")
    await world.put_forward()
    await notified.published()
    writers = [Writer(world.database, notified.settings.reach) for _ in range(3)]
    while any(await asyncio.gather(*(writer.once() for writer in writers))):
        pass
    senders = [duties.mails(world.database, notified.settings) for _ in range(3)]
    await looks(world.database, NOTIFICATIONS, [sender.run for sender in senders])
    assert len(notified.mailbox.got) == 20
    assert len(set(notified.mailbox.ids())) == 20
    assert {each["attempts"] for each in await notified.log()} == {1}


async def test_one_killed_between_sending_and_writing_it_down_sends_the_same_message_once_more(
    notified: Notified, database_url: str
) -> None:
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.world.put_forward()
    await notified.written()
    notified.mailbox.hold()
    environment = {
        "ASSENT_SMTP_URL": f"smtp://127.0.0.1:{notified.mailbox.port}?starttls=off",
        "ASSENT_MAIL_FROM": "assent@example.com",
    }
    async with a_process("mail", database_url, environment) as process:
        await until(lambda: notified.mailbox.got, within_s=60)
        process.kill()
        await process.wait()
    notified.mailbox.let_go()
    await notified.sent()
    # Whoever held it may be about it still.
    assert len(notified.mailbox.got) == 1
    await notified.make_due()
    await notified.sent()
    await notified.make_due()
    await notified.sent()
    assert len(notified.mailbox.got) == 2
    assert len(set(notified.mailbox.ids())) == 1
    assert notified.mailbox.raw[0] == notified.mailbox.raw[1]
    assert [each["status"] for each in await notified.log()] == ["delivered"]


async def test_what_a_mail_system_refuses_for_now_is_tried_for_days_and_what_for_good_is_not(
    notified: Notified,
) -> None:
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.reach("security", "nobody@example.com", kind="role")
    await notified.world.put_forward()
    await notified.written()
    [of_legal] = await notified.log(recipient="role:legal")
    [of_security] = await notified.log(recipient="role:security")
    async with notified.world.database.connection() as connection:
        await connection.execute("update notifications set next_try_at = 'infinity' where id = $1", of_legal["id"])
    notified.mailbox.to_recipient = ["550 5.1.1 no such\x07 user"]
    await notified.sent()
    [failed] = await notified.log(status="failed")
    assert failed["id"] == of_security["id"]
    assert (failed["attempts"], failed["last_status"]) == (1, 550)
    assert failed["last_error"] == "the mail server answered 550: 5.1.1 no such user"
    notified.mailbox.to_message = ["451 later"] * (len(RETRIES_S) + 1)
    for attempt in range(len(RETRIES_S) + 1):
        async with notified.world.database.connection() as connection:
            await connection.execute("update notifications set next_try_at = now() where id = $1", of_legal["id"])
        await notified.sent()
        [now] = await notified.log(recipient="role:legal")
        assert now["attempts"] == attempt + 1
        assert now["status"] == ("failed" if attempt == len(RETRIES_S) else "waiting")
    path = f"/v1/notifications/{of_legal['id']}/redeliver"
    assert (await notified.world.ask("POST", path, by="root", role="admin")).status_code == 202
    await notified.sent()
    [delivered] = await notified.log(recipient="role:legal")
    assert delivered["status"] == "delivered"
    assert len(set(notified.mailbox.ids())) == 1


async def test_hostile_names_mean_nothing_in_headers_text_html_or_chat(notified: Notified, world: World) -> None:
    asked = "of: [task.asked], only: {role: [legal]}"
    await notified.rules(
        "rules:\n"
        f"  - {{{asked}, to: ['role:risk'], subject: '{{use_case}} & {{stage}}', "
        'text: "{use_case}\\nBy <b>{role}</b>"}\n'
        f"  - {{{asked}, by: 'slack:governance'}}\n"
    )
    await notified.reach("risk", "rita@example.com", kind="role")
    async with world.database.connection() as connection:
        await connection.execute("update use_cases set key = $1 where key = 'retention'", HOSTILE)
    await world.put_forward(use_case=HOSTILE)
    await notified.told()
    assert len(notified.mailbox.got) == 1
    [message] = notified.mailbox.got
    assert message["Bcc"] is None
    assert message["Subject"].startswith("<script>alert(1)</script> Bcc: all@example.com <!channel> *&amp;* {secret}")
    assert b"\r\nBcc:" not in notified.mailbox.raw[0]
    text, rich = (part.get_content() for part in message.iter_parts())
    assert "\u202e" not in text + rich
    assert "<script" not in rich
    assert "By &lt;b&gt;" in rich
    assert "\nBcc:" not in text
    [(_, body)] = notified.chat.got
    shown = orjson.loads(body)
    assert "<!channel>" not in shown["text"]
    assert shown["mrkdwn"] is False
    texts = [text for block in shown["blocks"] for text in [block.get("text"), *block.get("fields", ())] if text]
    task = (await notified.log(channel="slack"))[0]["about"]
    # What others wrote is plain; the one thing that is not is a link of our own.
    assert [text["text"] for text in texts if text["type"] != "plain_text"] == [
        f"<https://assent.example.com/workflow/v1/tasks/{task}|Open>"
    ]
    assert len(texts) == 4


async def test_a_chat_that_wants_to_be_left_alone_is_and_what_it_does_not_know_is_not_tried_again(
    notified: Notified, world: World
) -> None:
    await notified.rules("rules: [{of: [review.requested], by: 'slack:governance'}]")
    await world.put_forward()
    await notified.written()
    notified.chat.answers = [Response(status_code=429, headers={"Retry-After": "4000"}), Response(status_code=404)]
    await notified.sent()
    async with world.database.connection() as connection:
        wait_s = await connection.fetchval("select extract(epoch from next_try_at - now()) from notifications")
    assert 3_000 < wait_s <= 4_000
    await notified.make_due()
    await notified.sent()
    [failed] = await notified.log()
    assert (failed["status"], failed["last_status"], len(notified.chat.got)) == ("failed", 404, 2)


async def test_secrets_are_in_no_row_no_answer_and_no_message(notified: Notified, database_url: str) -> None:
    settings = settings_for(
        database_url, notified.mailbox, notified.chat, smtp_url="smtps://bo%40example.com:s3cret@mail.example.com"
    )
    server = settings.mail_server
    assert server is not None
    assert (server.user, server.password, server.port, server.tls) == ("bo@example.com", "s3cret", 465, True)
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in repr(server)
    with pytest.raises(ValidationError) as refused:
        settings_for(database_url, notified.mailbox, notified.chat, smtp_url="http://bo:s3cret@mail.example.com")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ValidationError) as refused:
        settings_for(database_url, notified.mailbox, notified.chat, slack_channels={"a": "ftp://s3cret.example.com"})
    assert "s3cret" not in str(refused.value)


async def test_rules_with_a_mistake_are_refused_with_its_place(notified: Notified) -> None:
    for text, place in (
        ("rules:\n  - of: [task.askd]\n    to: [asked]\n", "line 2, column 10"),
        ("rules:\n  - of: [task.asked]\n    to: [everybody]\n", "line 3, column 10"),
        ("rules:\n  - of: [task.asked]\n    too: [asked]\n", "line 3, column 5"),
        ("rules:\n  - of: [task.asked]\n    subject: 'to {nobody}'\n", "line 3, column 14"),
        ("rules: []\ndigest: {calendar: {time_zone: Berlin}}\n", "line 2, column 32"),
    ):
        body = {"text": text}
        answer = await notified.world.ask("POST", "/v1/notification-rules", by="root", role="admin", json=body)
        assert answer.status_code == 422, text
        assert answer.json()["errors"][0]["detail"].startswith(place), answer.text
    await notified.rules("rules: []")
    [newest, shipped] = (await notified.world.ask("GET", "/v1/notification-rules")).json()["items"]
    assert (newest["version"], newest["created_by"], shipped["version"]) == (1, "root", 0)
    assert shipped["text"] == store.DEFAULT
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.world.put_forward()
    assert await notified.written() == []


async def fire_at(notified: Notified, days: float) -> int:
    """As if so many days had passed."""
    async with notified.world.database.transaction() as uow:
        return await fire(uow, at=notified.world.clock.now() + timedelta(days=days))


DAILY = "rules: [{of: [task.*, finding.*, candidacy.*], to: [asked, proposer, owner], when: daily}]"


async def test_what_is_gathered_is_told_once_a_day_by_one_worker_and_only_what_still_stands(
    notified: Notified,
) -> None:
    world = notified.world
    await notified.rules(DAILY)
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.reach("security", "sam@example.com", kind="role")
    candidacy = await world.put_forward()
    tasks = await world.tasks(candidacy["id"])
    held = await notified.written()
    assert [each["status"] for each in held] == ["held", "held"]
    assert (await world.decide(tasks["security"])).status_code == 200
    fired = await asyncio.gather(*(fire_at(notified, 4) for _ in range(4)))
    assert sum(fired) == 2
    await notified.sent()
    [message] = notified.mailbox.got
    assert notified.mailbox.recipients == ["lucia@example.com"]
    assert message["Subject"] == "Assent: 1 to decide"
    text = message.get_body(("plain",)).get_content().replace("\r\n", "\n")  # type: ignore[union-attr]
    link = f"https://assent.example.com/workflow/v1/tasks/{tasks['legal']['id']}"
    assert f"Waiting:\n\n* Your decision is asked for: retention\n  {link}" in text
    rich = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f'/v1/tasks/{tasks["legal"]["id"]}">Your decision is asked for: retention</a>' in rich
    by_recipient = {(each["recipient"], each["kind"]): each["status"] for each in await notified.log()}
    assert by_recipient == {
        ("role:legal", "task.asked"): "told",
        ("role:security", "task.asked"): "moot",
        ("role:legal", "digest"): "delivered",
    }
    # What comes after its digest was made is told late rather than never.
    async with world.database.transaction() as uow:
        assert await fire(uow, at=world.clock.now() + timedelta(days=14, minutes=1)) == 4
    assert [each["status"] for each in await notified.written() if each["kind"] == "task.overdue"] == ["held"]
    await fire_at(notified, 4)
    await notified.sent()
    assert len(notified.mailbox.got) == 2
    assert await fire_at(notified, 4) == 0


async def test_each_says_whether_to_be_told_at_once_together_or_not_at_all(notified: Notified) -> None:
    world = notified.world
    await notified.reach("legal", "lucia@example.com", kind="role")
    await notified.reach("ada", "ada@example.com")
    for wish, status in (({"gathers": "hourly"}, "held"), ({"muted": True}, None), ({}, "waiting")):
        answer = await world.ask("PUT", "/v1/contacts/mine", by="ada", json=wish)
        assert (answer.status_code, answer.json()["emails"]) == (200, ["ada@example.com"])
        candidacy = await world.put_forward()
        task = (await world.tasks(candidacy["id"]))["legal"]
        assert (await world.decide(task, "reject")).status_code == 200
        await notified.written()
        told = await notified.log(recipient="person:ada", about=candidacy["id"])
        assert [each["status"] for each in told] == ([status] if status else [])
        path = f"/v1/candidacies/{candidacy['id']}/retire"
        assert (await world.ask("POST", path, by="rita", role="risk", json={"reason": "old"})).status_code == 200
    mine = (await world.ask("GET", "/v1/contacts/mine", by="ada")).json()
    assert (mine["muted"], mine["gathers"]) == (False, None)


async def test_an_address_is_nothing_but_an_address(notified: Notified) -> None:
    for email in (
        "a@b\r\nBcc: c@d",
        "a b@example.com",
        "<a@example.com>",
        "a@b.c, d@e.f",
        "a",
        "@b",
        "ä@b.c",
        "a@b.c\n",
    ):
        body = {"kind": "person", "name": "ada", "emails": [email]}
        answer = await notified.world.ask("PUT", "/v1/contacts", by="root", role="admin", json=body)
        assert answer.status_code == 422, email
    # Whose subject is an address of the company needs no contact; anybody else's is not written to.
    notified.writer = Writer(
        notified.world.database, Reach(notified.settings.reach.channels, domains=frozenset({"example.com"}))
    )
    for who in ("ada@example.com", "ada@elsewhere.example"):
        candidacy = await notified.world.put_forward(by=who)
        task = (await notified.world.tasks(candidacy["id"]))["legal"]
        assert (await notified.world.decide(task, "reject")).status_code == 200
        path = f"/v1/candidacies/{candidacy['id']}/retire"
        retired = await notified.world.ask("POST", path, by="rita", role="risk", json={"reason": "old"})
        assert retired.status_code == 200
    assert {each["address"] for each in await notified.written()} == {"ada@example.com"}
