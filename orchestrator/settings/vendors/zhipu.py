"""GLM by Zhipu (Z.ai). https://docs.bigmodel.cn/cn/api/api-code"""

from orchestrator.domain.errors import FailureKind
from orchestrator.settings.vendors.definition import Capabilities, VendorDefinition

ZHIPU = VendorDefinition(
    name="zhipu",
    family="openai_compatible",
    key_names=("ZHIPU_API_KEY",),
    base_url_name="ZHIPU_BASE_URL",
    base_url="https://open.bigmodel.cn/api/paas/v4",
    capabilities=Capabilities(
        temperature_max=1.0,
        error_codes={
            "1113": FailureKind.BILLING,
            "1261": FailureKind.CONTEXT_TOO_LONG,
            "1301": FailureKind.FILTERED,
        },
    ),
)
