"""The client's side of ACP as sessions use it: updates, permission requests, and the editor's files."""
