"""OpenAI over Chat Completions. https://platform.openai.com/docs/api-reference/chat"""

from orchestrator.settings.vendors.definition import Capabilities, ExtraBody, VendorDefinition, prompt_cache_option

# Reasoning models: o1, o3, o4-mini, everything from gpt-5 on. They take temperature 1 only, and no stop.
_REASONING = r"(o\d|gpt-([5-9]|\d\d)).*"

OPENAI = VendorDefinition(
    name="openai",
    family="openai_compatible",
    key_names=("OPENAI_API_KEY",),
    base_url_name="OPENAI_BASE_URL",
    base_url="https://api.openai.com/v1",
    capabilities=Capabilities(
        structured_output="schema",
        max_tokens="max_completion_tokens",
        no_temperature=(_REASONING,),
        no_stop=(_REASONING,),
        cache_writes=True,
        # From gpt-5.6 on, writing the prompt cache costs a surcharge: only for who knows that prompts begin alike.
        extra_body=(
            ExtraBody(
                models=r"gpt-(5\.[6-9]|[6-9]|\d\d).*",
                body={"prompt_cache_options": {"mode": "explicit"}},
                stops_cache=True,
            ),
        ),
    ),
    options=(prompt_cache_option("OPENAI_PROMPT_CACHE"),),
)
