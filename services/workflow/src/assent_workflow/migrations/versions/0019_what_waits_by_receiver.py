"""What waits is looked for receiver by receiver: one behind what waits for another would be told late."""

from assent_common.migrations import script

revision = "0019"
down_revision = "0018"

UP = """
create index webhook_deliveries_waiting_by_webhook on webhook_deliveries (webhook, next_try_at)
 where status = 'waiting';
drop index webhook_deliveries_waiting;
create index notifications_waiting_by_address on notifications (address, next_try_at)
 where status = 'waiting' and channel = 'slack';
"""
DOWN = """
drop index notifications_waiting_by_address;
create index webhook_deliveries_waiting on webhook_deliveries (next_try_at) where status = 'waiting';
drop index webhook_deliveries_waiting_by_webhook;
"""


def upgrade() -> None:
    script(UP)


def downgrade() -> None:
    script(DOWN)
