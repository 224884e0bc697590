"""JSON-RPC 2.0: messages, one connection, and the transports under it. Knows no method of ACP by name."""
