class Unreadable(Exception):
    """A document or page cannot be read; `code` and the sentence go to the parent."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
