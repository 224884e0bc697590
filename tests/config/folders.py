"""A home, a project in git with a subfolder, and files in them."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acp_agent.config.load import LoadedConfig, load


@dataclass
class Folders:
    top: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.home, self.sub, self.project / ".git", self.global_folder):
            folder.mkdir(parents=True)
        self.environ["HOME"] = str(self.home)

    @property
    def home(self) -> Path:
        return self.top / "home"

    @property
    def project(self) -> Path:
        return self.top / "home" / "project"

    @property
    def sub(self) -> Path:
        return self.project / "sub" / "deeper"

    @property
    def global_folder(self) -> Path:
        return self.home / ".config" / "opencode"

    def write(self, layer: str, value: Any) -> None:
        """Put a value, or a text as it stands, into a layer."""
        text = value if isinstance(value, str) else json.dumps(value)
        if layer == "content":
            self.environ["OPENCODE_CONFIG_CONTENT"] = text
            return
        path = {
            "global": self.global_folder / "opencode.json",
            "custom": self.top / "custom.json",
            "project": self.project / "opencode.json",
            "nearer": self.sub / "opencode.json",
        }[layer]
        if layer == "custom":
            self.environ["OPENCODE_CONFIG"] = str(path)
        path.write_text(text, encoding="utf-8")

    def load(self, cwd: Path | None = None) -> LoadedConfig:
        return load(cwd or self.sub, self.environ)

    def said(self) -> list[str]:
        return [str(diagnostic) for diagnostic in self.load().diagnostics]
