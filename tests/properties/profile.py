"""How many examples a property sees: the same few in every `make test`, many new ones in `make chaos`."""

import os

from hypothesis import HealthCheck, settings

# Named in the Makefile; not of our namespace, whose variables the tests' isolation drops.
RUNS = int(os.environ.get("PROPERTY_RUNS", "1"))


def examples(count: int, moves: int = 50) -> settings:
    """Settings of one property: `count` examples (times PROPERTY_RUNS) of at most `moves` moves of a state machine."""
    return settings(
        max_examples=count * RUNS,
        stateful_step_count=moves,
        derandomize=RUNS == 1,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
