"""What has to run so that people are told: one that writes, and one that sends for each way there is."""

from assent_common.database import Database
from assent_common.supervise import Duty

from assent_workflow.notifications import store
from assent_workflow.notifications.mail import Post
from assent_workflow.notifications.slack import Chat
from assent_workflow.notifications.write import Writer
from assent_workflow.outgoing.post import Poster, tls
from assent_workflow.outgoing.worker import Worker
from assent_workflow.settings import Settings

#: Mail systems take few connections from one host.
MAILS_AT_ONCE = 3
CHATS_AT_ONCE = 5


def duties(database: Database, settings: Settings) -> dict[str, Duty]:
    """By name. The writer follows also where nobody can be reached, so that nobody is told of the past later on."""
    running: dict[str, Duty] = {"notifications": Writer(database, settings.reach).run}
    if settings.mail_server is not None:
        running["mail"] = mails(database, settings).run
    if settings.slack_channels:
        running["chat"] = chats(database, settings).run
    return running


def mails(database: Database, settings: Settings) -> Worker:
    assert settings.mail_server is not None
    post = Post(settings.mail_server, tls(settings.outgoing_cafile))
    return Worker(database, store.MAIL, post.send, channel="mail", at_once=MAILS_AT_ONCE)


def chats(database: Database, settings: Settings) -> Worker:
    poster = Poster(settings.networks, hosts=settings.hosts, cafile=settings.outgoing_cafile)
    chat = Chat(settings.slack_channels, poster)
    return Worker(database, store.SLACK, chat.send, channel="slack", at_once=CHATS_AT_ONCE)
