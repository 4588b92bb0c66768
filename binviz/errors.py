"""The one error a user is meant to see: a single line that says what to do."""


class UserError(Exception):
    """Raised where a person's input cannot be used.

    The message is one line and says what to do; the command line and the dashboard print it without a
    traceback. Every other exception is a bug.

    >>> from binviz.errors import UserError
    >>> str(UserError("no recipe 'bitt'; did you mean 'bit-w1a1'?"))
    "no recipe 'bitt'; did you mean 'bit-w1a1'?"
    """
