"""`python -m acp_agent` is `agent`."""

from acp_agent.cli.main import main

if __name__ == "__main__":
    main()
