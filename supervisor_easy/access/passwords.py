"""What a password must be. Length counts; forced signs and digits do not help.

Source: NIST SP 800-63B-4, section 3.1.1.2, and the OWASP authentication cheat sheet.
"""

from supervisor_easy.errors import AccountError

#: Characters.
MIN_LENGTH, MAX_LENGTH = 12, 256
#: Fewer different characters than this is a pattern, not a password.
_MIN_DIFFERENT = 5
#: What people type when told "twelve characters"; compared without case and signs.
_GUESSED_FIRST = (
    "password",
    "passw0rd",
    "supervisor",
    "supervisoreasy",
    "supervisord",
    "administrator",
    "changeme",
    "letmein",
    "qwertyuiop",
    "qwertyuiopas",
    "1234567890",
    "123456789012",
    "abcdefghijkl",
)


def check_password(password: str, *, name: str) -> None:
    """See that a new password is good enough for the user `name`.

    Raises:
        AccountError: it is not; the message says why, never what it was.
    """
    if len(password) < MIN_LENGTH:
        raise AccountError(
            f"the password is too short: {MIN_LENGTH} characters or more"
        )
    if len(password) > MAX_LENGTH:
        raise AccountError(
            f"the password is too long: {MAX_LENGTH} characters or fewer"
        )
    if len(set(password)) < _MIN_DIFFERENT:
        raise AccountError("the password repeats itself: use more different characters")
    bare = _bare(password)
    # "changeme2026!" and "mei-mei-mei-1" are as good as the word itself.
    rest = bare.rstrip("0123456789") or bare
    guessed = {*_GUESSED_FIRST, _bare(name)} - {""}
    if any(rest.replace(word, "") == "" for word in guessed):
        raise AccountError("the password is too easy to guess: use a few unusual words")


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
