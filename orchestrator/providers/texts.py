"""What is taken out of the text of a stream: thoughts that come inline, and everything from a stop sequence on."""

_OPENING = "<think>"
_CLOSING = "</think>"


class AnswerText:
    """Turns the pieces of a stream into pieces of the answer.

    Holds back what could be the start of a mark, so that no piece of a mark is ever shown.
    """

    def __init__(self, *, thinking_inline: bool, stop: tuple[str, ...] = ()) -> None:
        self._thinking = _InlineThinking() if thinking_inline else None
        self._stop = _Stop(stop) if stop else None

    def take(self, piece: str) -> str:
        """What `piece` adds to the answer."""
        text = self._thinking.take(piece) if self._thinking else piece
        return self._stop.take(text) if self._stop else text

    def rest(self) -> str:
        """What was held back, when the stream has ended."""
        text = self._thinking.rest() if self._thinking else ""
        return self._stop.take(text) + self._stop.rest() if self._stop else text


class _InlineThinking:
    """Drops one block of thoughts at the start of the text and the white space around it."""

    def __init__(self) -> None:
        self._held = ""
        self._state = "before"  # before, inside, after the block: then white space is dropped; passing

    def take(self, piece: str) -> str:
        if self._state == "passing":
            return piece
        self._held += piece
        if self._state == "before":
            start = self._held.lstrip()
            if start.startswith(_OPENING):
                self._state, self._held = "inside", start.removeprefix(_OPENING)
            elif _OPENING.startswith(start):
                return ""
            else:
                return self.rest()
        if self._state == "inside":
            end = self._held.find(_CLOSING)
            if end < 0:
                self._held = self._held[-len(_CLOSING) :]
                return ""
            self._state, self._held = "after", self._held[end + len(_CLOSING) :]
        self._held = self._held.lstrip()
        return self.rest() if self._held else ""

    def rest(self) -> str:
        text = "" if self._state == "inside" else self._held
        self._state, self._held = "passing", ""
        return text


class _Stop:
    """Cuts the text at the first stop sequence: not every vendor does."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self._sequences = sequences
        self._held = ""
        self._stopped = False

    def take(self, piece: str) -> str:
        if self._stopped:
            return ""
        text = self._held + piece
        ends = [end for end in (text.find(sequence) for sequence in self._sequences) if end >= 0]
        if ends:
            self._stopped, self._held = True, ""
            return text[: min(ends)]
        keep = max(_overlap(text, sequence) for sequence in self._sequences)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        held, self._held = self._held, ""
        return held


def _overlap(text: str, sequence: str) -> int:
    """How many characters at the end of `text` could begin `sequence`."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(sequence[:size])), 0)
