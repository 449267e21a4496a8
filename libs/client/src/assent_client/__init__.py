"""Assent's catalogue and workflow from Python.

async with catalog("https://catalog.example.com", token=token) as client:
    async for version in client.each_model_versions(status=["accepted"]):
        print(version["urn"])
async with workflow("https://workflow.example.com", token=token) as client:
    async for task in client.each_tasks(mine=True):
        print(task["use_case"], task["role"], task["due_at"])
"""

from assent_client.answers import Answer, Changed
from assent_client.catalog import Catalog
from assent_client.connection import Connection, catalog, workflow
from assent_client.problems import Conflict, NotFound, Refused, Stale, Unreachable
from assent_client.workflow import Workflow

__all__ = [
    "Answer",
    "Catalog",
    "Changed",
    "Conflict",
    "Connection",
    "NotFound",
    "Refused",
    "Stale",
    "Unreachable",
    "Workflow",
    "catalog",
    "workflow",
]
