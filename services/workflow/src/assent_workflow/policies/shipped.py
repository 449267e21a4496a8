"""The policies that come with Assent."""

from importlib.resources import files

SHIPPED = {"default@1": (files("assent_workflow.policies") / "default.yaml").read_text(encoding="utf-8")}
"""`name@version` → YAML. A version that was shipped once is never changed: reviews are pinned to it."""
