"""The agent's side of ACP. `methods` and `handshake` need the standard library only: they answer first."""
