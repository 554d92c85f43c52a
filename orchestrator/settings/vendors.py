"""Vendors that can be spoken to, the wire family of each, and where its key and address come from."""

from typing import Literal, NamedTuple

Family = Literal["openai", "anthropic", "google"]


class VendorDefinition(NamedTuple):
    """`key_names` are environment variables, first one wins. `base_url` is None where the SDK's own is used."""

    family: Family
    key_names: tuple[str, ...]
    base_url_name: str
    base_url: str | None


VENDORS: dict[str, VendorDefinition] = {
    "openai": VendorDefinition("openai", ("OPENAI_API_KEY",), "OPENAI_BASE_URL", None),
    "anthropic": VendorDefinition("anthropic", ("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL", None),
    "google": VendorDefinition("google", ("GOOGLE_API_KEY", "GEMINI_API_KEY"), "GOOGLE_BASE_URL", None),
    "deepseek": VendorDefinition("openai", ("DEEPSEEK_API_KEY",), "DEEPSEEK_BASE_URL", "https://api.deepseek.com/v1"),
    "kimi": VendorDefinition(
        "openai", ("KIMI_API_KEY", "MOONSHOT_API_KEY"), "KIMI_BASE_URL", "https://api.moonshot.ai/v1"
    ),
    "minimax": VendorDefinition("openai", ("MINIMAX_API_KEY",), "MINIMAX_BASE_URL", "https://api.minimax.io/v1"),
    "zhipu": VendorDefinition("openai", ("ZHIPU_API_KEY",), "ZHIPU_BASE_URL", "https://open.bigmodel.cn/api/paas/v4"),
}
