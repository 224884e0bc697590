"""MCP servers: what a session is told of them, the connections, and their tools, prompts and resources as ours."""
