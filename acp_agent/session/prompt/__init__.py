"""What a model reads of a prompt: its blocks, and the files that it names."""
