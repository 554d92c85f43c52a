"""Models on this machine or in this network, served by Ollama over its native API. https://docs.ollama.com/api"""

from orchestrator.settings.vendors.definition import Capabilities, Option, VendorDefinition

OLLAMA = VendorDefinition(
    name="ollama",
    family="ollama",
    key_names=(),
    base_url_name="OLLAMA_HOST",
    base_url="http://127.0.0.1:11434",
    capabilities=Capabilities(
        structured_output="schema",
        stream_usage="always",
        thinking="inline",  # from models whose template does not know how to set it apart
        prompt_cache="none",
    ),
    options=(
        Option(
            name="num_ctx",
            variable="OLLAMA_NUM_CTX",
            default="32768",
            pattern=r"[1-9]\d{2,7}",
            expected="a number of tokens",
        ),
    ),
)
