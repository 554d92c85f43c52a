"""The program: prints what this package is, and what is left to do."""

from generic_demo.checklist import Checklist
from generic_demo.render import NOTICE, to_text


def main() -> None:
    """Print the notice and the steps."""
    checklist = Checklist()
    for step in ("set a key of a model vendor", "run the request again"):
        checklist.add(step)
    print(NOTICE)
    print(to_text(checklist), end="")


if __name__ == "__main__":
    main()
