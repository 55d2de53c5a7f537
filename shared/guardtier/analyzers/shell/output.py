"""Output: what a command prints, and whether that was hidden before."""

from __future__ import annotations

from collections.abc import Callable

LARGEST = 1 << 20  #: bytes of decoded text


class Output:
    """What was printed; ``decoded`` says that it could not be read in the text itself."""

    __slots__ = ("_text", "data", "decoded")

    def __init__(self, data: bytes, decoded: bool = False) -> None:
        self.data = data
        self.decoded = decoded
        self._text: str | None = None

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = self.data.decode("utf-8", "replace")
        return self._text


def as_output(text: str, *, decoded: bool = False) -> Output:
    return Output(text.encode("utf-8", "replace"), decoded)


Printer = Callable[[list[str], Output | None], Output | None]  #: from the arguments and what is read
