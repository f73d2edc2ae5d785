"""The one kind of error that a command turns into a single line and exit code 2."""


class UserError(ValueError):
    """A mistake that only the user can mend.

    The message is one line that says what was expected, what came, and what to do next. Commands
    print it to stderr without a traceback; everything else that is raised is a bug and keeps its own.
    """
