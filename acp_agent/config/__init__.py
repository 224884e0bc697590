"""The configuration: opencode's files and environment variables, read, checked and merged."""
