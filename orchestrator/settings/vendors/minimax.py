"""MiniMax. https://platform.minimax.io/docs/api-reference/text-openai-api"""

from orchestrator.domain.errors import FailureKind
from orchestrator.settings.vendors.definition import Capabilities, ExtraBody, VendorDefinition

MINIMAX = VendorDefinition(
    name="minimax",
    family="openai_compatible",
    key_names=("MINIMAX_API_KEY",),
    base_url_name="MINIMAX_BASE_URL",
    base_url="https://api.minimax.io/v1",
    capabilities=Capabilities(
        structured_output="prompt",
        max_tokens="max_completion_tokens",
        temperature_max=1.0,
        # Thoughts come apart only when that is asked for, and not from every model.
        extra_body=(ExtraBody(body={"reasoning_split": True}),),
        thinking="inline",
        # `base_resp.status_code`, which also comes in an answer with status 200.
        error_codes={
            "1002": FailureKind.RATE_LIMIT,
            "1004": FailureKind.AUTH,
            "1008": FailureKind.BILLING,
            "1026": FailureKind.FILTERED,
            "1027": FailureKind.FILTERED,
            "1039": FailureKind.RATE_LIMIT,
            "2013": FailureKind.BAD_REQUEST,
            "2049": FailureKind.AUTH,
        },
    ),
)
