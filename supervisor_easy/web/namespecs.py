"""Names of processes in URLs, whatever a host calls its processes."""

from urllib.parse import quote

from werkzeug.routing import BaseConverter


class NamespecConverter(BaseConverter):
    """Takes every name, also one with `/`, `..`, `%`, `#`, `?`, blanks or no ASCII.

    A `/` is escaped, so that no browser reads `..` inside a name as a step upwards.
    """

    regex = "(?s:.+?)"
    part_isolating = False
    weight = 200

    def to_url(self, value: str) -> str:
        """Return the name as one segment of a path."""
        return quote(value, safe=":@!$&'()*+,;=", errors="replace")
