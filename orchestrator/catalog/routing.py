"""Which models a task type prefers, in order. Models whose vendor has no key are skipped at run time."""

from orchestrator.domain.tasks import TaskType

ROUTING: dict[TaskType, tuple[str, ...]] = {
    TaskType.CODE_GENERATION: (
        "deepseek:deepseek-flash",
        "minimax:MiniMax-M3",
        "kimi:kimi-k2.7-code",
        "zhipu:glm-5.3",
        "anthropic:claude-sonnet-5-5",
        "openai:gpt-6.1-sol",
        "google:gemini-3.8-flash",
    ),
    TaskType.CODE_REVIEW: (
        "deepseek:deepseek-flash",
        "minimax:MiniMax-M3",
        "kimi:kimi-k2.7-code",
        "openai:gpt-6.1-terra",
        "google:gemini-3.8-flash",
        "anthropic:claude-sonnet-5-5",
    ),
    TaskType.COMPLEX_REASONING: (
        "deepseek:deepseek-v4-pro",
        "minimax:MiniMax-M3",
        "anthropic:claude-sonnet-5-5",
        "kimi:kimi-k3.1-pro",
        "openai:gpt-6.1-sol",
        "google:gemini-4-argon",
    ),
    TaskType.CREATIVE_WRITING: (
        "zhipu:glm-5.3",
        "anthropic:claude-sonnet-5-5",
        "openai:gpt-6.1-terra",
        "deepseek:deepseek-flash",
        "google:gemini-4-argon",
    ),
    TaskType.DATA_EXTRACTION: (
        "google:gemini-3.8-flash",
        "openai:gpt-6-luna",
        "deepseek:deepseek-flash",
        "anthropic:claude-haiku-5-5",
    ),
    TaskType.SUMMARIZATION: (
        "google:gemini-3.8-flash",
        "deepseek:deepseek-flash",
        "anthropic:claude-haiku-5-5",
        "openai:gpt-6-luna",
    ),
    TaskType.EVALUATION: (
        "deepseek:deepseek-flash",
        "minimax:MiniMax-M3",
        "kimi:kimi-k2.6",
        "openai:gpt-6.1-terra",
        "anthropic:claude-haiku-5-5",
        "google:gemini-3.8-flash",
    ),
}
