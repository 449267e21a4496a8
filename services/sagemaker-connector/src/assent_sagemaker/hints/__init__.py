"""Hints that something changed: events of EventBridge through SQS. Only where to look is believed of them."""
