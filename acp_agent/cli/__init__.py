"""The command line: one file a sub-command, loaded when it is called."""
