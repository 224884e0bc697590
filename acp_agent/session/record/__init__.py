"""The record of a session: its events, where they are kept, and what is made of them again."""
