"""deploy/exceptions.yaml: what a tool finds and what stays nevertheless, each with its reason."""

from pathlib import Path

import yaml

FILE = "deploy/exceptions.yaml"


class Exceptions:
    """Those of one tool below one path of the repository."""

    def __init__(self, root: Path, tool: str, area: str):
        listed = [entry for entry in yaml.safe_load((root / FILE).read_text()) if entry["tool"] == tool]
        self.entries = {
            (entry["rule"], entry["where"]): entry.get("reason")
            for entry in listed
            if entry["where"].split(": ")[0].startswith(area)
        }
        self.tool, self.used = tool, set()

    def cover(self, rule: str, *places: str) -> bool:
        """Whether the rule may be broken at one of the places, each of them the same one said more or less closely."""
        keys = {(rule, place) for place in places} & self.entries.keys()
        self.used |= keys
        return bool(keys)

    def faults(self) -> list[str]:
        """Once all that the tool found was asked about."""
        unused = sorted(self.entries.keys() - self.used)
        return [f"{FILE}: {self.tool} {rule} at {where} matches nothing any more" for rule, where in unused] + [
            f"{FILE}: {self.tool} {rule} at {where} has no reason"
            for (rule, where), reason in self.entries.items()
            if not reason
        ]
