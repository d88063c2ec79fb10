"""The root of every error that bad input can cause."""


class InputError(ValueError):
    """Something the user gave cannot be used; the message is one sentence that says what and why."""
