"""A SageMaker to develop against: the API, the reports in S3, the events in SQS, and what goes wrong with them."""

from assent_local.simulator.faults import Faults, S3Fault
from assent_local.simulator.server import Simulator, running

__all__ = ["Faults", "S3Fault", "Simulator", "running"]
