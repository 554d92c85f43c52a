"""Upper bounds, in bytes, of everything in a prompt that is not the user's or a model's text.

A test renders every template and holds it to these figures; reservations of money rest on them.
"""

from orchestrator.domain.tasks import Stage

# System text, prompt template with every section's tags, and JSON schema of a stage.
TEMPLATE_BYTES: dict[Stage, int] = {
    Stage.ENHANCE: 4_000,
    Stage.ADVISE: 4_500,
    Stage.PLAN: 8_000,
    Stage.GENERATE: 4_500,
    Stage.CRITIQUE: 4_500,
    Stage.REVISE: 5_000,
    Stage.EVALUATE: 3_500,
    Stage.REPAIR: 5_500,
    Stage.JUDGE: 3_500,
}

MAX_FENCE_CHARS = 32  # the longest fence around a shown file
FENCE_BYTES_PER_FILE = 2 * MAX_FENCE_CHARS + 56  # fences, language, `path=`, line ends, a remark; not the path
LINE_BYTES = 8  # what turns a text into a line of a list
SCAFFOLD_LISTING_BYTES = 2_000  # the paths of a type of app's scaffold
MAX_CONTEXT_BYTES = 60_000  # shown of the files of dependencies: about 15,000 tokens
