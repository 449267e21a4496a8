"""The transactional outbox: an event is a row of the transaction that it tells about, and a relay publishes it.

The table is a compacted log of its own: the last row of each entity stays, so that a replay is the same rows, the
same bytes, published again.
"""
