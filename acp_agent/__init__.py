"""A coding agent that speaks the Agent Client Protocol on stdin and stdout.

Nothing is imported here: the first answer on the wire waits for every import that this file would make.
"""

__version__ = "0.1.0"
