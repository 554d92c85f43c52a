"""The vendors that can be spoken to, one file each."""

from orchestrator.settings.vendors.anthropic import ANTHROPIC
from orchestrator.settings.vendors.deepseek import DEEPSEEK
from orchestrator.settings.vendors.definition import VendorDefinition
from orchestrator.settings.vendors.gigachat import GIGACHAT
from orchestrator.settings.vendors.google import GOOGLE
from orchestrator.settings.vendors.kimi import KIMI
from orchestrator.settings.vendors.minimax import MINIMAX
from orchestrator.settings.vendors.mistral import MISTRAL
from orchestrator.settings.vendors.ollama import OLLAMA
from orchestrator.settings.vendors.openai import OPENAI
from orchestrator.settings.vendors.openrouter import OPENROUTER
from orchestrator.settings.vendors.xai import XAI
from orchestrator.settings.vendors.yandex import YANDEX
from orchestrator.settings.vendors.zhipu import ZHIPU

__all__ = ["VENDORS", "VendorDefinition"]

_ALL = (
    OPENAI, ANTHROPIC, GOOGLE, DEEPSEEK, KIMI, MINIMAX, ZHIPU, XAI, MISTRAL, OPENROUTER, GIGACHAT, YANDEX, OLLAMA,
)  # fmt: skip

VENDORS: dict[str, VendorDefinition] = {definition.name: definition for definition in _ALL}
