"""What is known of well-known providers, as plain data: where they are, which variables hold their keys, some models.

A configuration adds to it and overrides it. Windows and limits are in tokens; what is not known is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

WireApi: TypeAlias = Literal["openai_chat", "anthropic", "scripted"]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model by its id with the provider. `image`: whether it sees images; `audio`: whether it hears sound."""

    id: str
    context: int | None = None
    output: int | None = None
    image: bool | None = None
    audio: bool | None = None


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider by its id in configurations. `env` names the variables that hold its key, in order of preference."""

    id: str
    name: str
    api: WireApi
    base_url: str
    env: tuple[str, ...]
    default_model: str | None
    models: tuple[KnownModel, ...] = ()


PROVIDERS: tuple[KnownProvider, ...] = (
    KnownProvider(
        "anthropic",
        "Anthropic",
        "anthropic",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        "claude-sonnet-4-5",
        (
            KnownModel("claude-opus-4-5", 200_000, 64_000, True),
            KnownModel("claude-opus-4-1", 200_000, 32_000, True),
            KnownModel("claude-sonnet-4-5", 200_000, 64_000, True),
            KnownModel("claude-haiku-4-5", 200_000, 64_000, True),
        ),
    ),
    KnownProvider(
        "openai",
        "OpenAI",
        "openai_chat",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        "gpt-5.1",
        (
            KnownModel("gpt-5.1", 400_000, 128_000, True),
            KnownModel("gpt-5", 400_000, 128_000, True),
            KnownModel("gpt-5-mini", 400_000, 128_000, True),
            KnownModel("gpt-5-nano", 400_000, 128_000, True),
            KnownModel("gpt-4.1", 1_047_576, 32_768, True),
            KnownModel("gpt-4o", 128_000, 16_384, True),
        ),
    ),
    KnownProvider(
        "google",
        "Google",
        "openai_chat",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
        "gemini-2.5-pro",
        (
            KnownModel("gemini-2.5-pro", 1_048_576, 65_536, True, True),
            KnownModel("gemini-2.5-flash", 1_048_576, 65_536, True, True),
        ),
    ),
    KnownProvider(
        "openrouter",
        "OpenRouter",
        "openai_chat",
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        "anthropic/claude-sonnet-4.5",
        (
            KnownModel("anthropic/claude-sonnet-4.5", None, 64_000, True),
            KnownModel("openai/gpt-5", 400_000, 128_000, True),
            KnownModel("google/gemini-2.5-pro", 1_048_576, 65_536, True, True),
        ),
    ),
    KnownProvider(
        "groq",
        "Groq",
        "openai_chat",
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        "openai/gpt-oss-120b",
        (
            KnownModel("openai/gpt-oss-120b", 131_072, None, False),
            KnownModel("llama-3.3-70b-versatile", 131_072, 32_768, False),
        ),
    ),
    KnownProvider(
        "mistral",
        "Mistral",
        "openai_chat",
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        "devstral-medium-latest",
        (
            KnownModel("devstral-medium-latest", 128_000, None, False),
            KnownModel("mistral-large-latest", 128_000),
            KnownModel("codestral-latest", None, None, False),
        ),
    ),
    KnownProvider(
        "deepseek",
        "DeepSeek",
        "openai_chat",
        "https://api.deepseek.com",
        ("DEEPSEEK_API_KEY",),
        "deepseek-chat",
        (
            KnownModel("deepseek-chat", 128_000, 8_192, False),
            KnownModel("deepseek-reasoner", 128_000, 64_000, False),
        ),
    ),
    KnownProvider(
        "xai",
        "xAI",
        "openai_chat",
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        "grok-code-fast-1",
        (
            KnownModel("grok-code-fast-1", 256_000, None, False),
            KnownModel("grok-4", 256_000, None, True),
        ),
    ),
    KnownProvider(
        "togetherai", "Together AI", "openai_chat", "https://api.together.xyz/v1", ("TOGETHER_API_KEY",), None
    ),
    KnownProvider(
        "cerebras",
        "Cerebras",
        "openai_chat",
        "https://api.cerebras.ai/v1",
        ("CEREBRAS_API_KEY",),
        "gpt-oss-120b",
        (KnownModel("gpt-oss-120b", 131_072, None, False),),
    ),
    KnownProvider(
        "fireworks-ai",
        "Fireworks AI",
        "openai_chat",
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY",),
        None,
    ),
    KnownProvider(
        "github-models",
        "GitHub Models",
        "openai_chat",
        "https://models.github.ai/inference",
        ("GITHUB_TOKEN",),
        "openai/gpt-4.1",
        (KnownModel("openai/gpt-4.1", None, None, True),),
    ),
    KnownProvider(
        "deepinfra",
        "Deep Infra",
        "openai_chat",
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_API_KEY",),
        None,
    ),
    KnownProvider(
        "moonshotai",
        "Moonshot AI",
        "openai_chat",
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        "kimi-k2-turbo-preview",
        (
            KnownModel("kimi-k2-turbo-preview", 262_144, None, False),
            KnownModel("kimi-k2-thinking", 262_144, None, False),
        ),
    ),
    KnownProvider(
        "zai",
        "Z.AI",
        "openai_chat",
        "https://api.z.ai/api/paas/v4",
        ("ZHIPU_API_KEY",),
        "glm-4.6",
        (
            KnownModel("glm-4.6", 200_000, 128_000, False),
            KnownModel("glm-4.5-air", 128_000, 96_000, False),
        ),
    ),
    KnownProvider(
        "minimax",
        "MiniMax (minimax.io)",
        "anthropic",
        "https://api.minimax.io/anthropic/v1",
        ("MINIMAX_API_KEY",),
        "MiniMax-M2",
        (KnownModel("MiniMax-M2", None, None, False),),
    ),
    KnownProvider(
        "alibaba",
        "Alibaba",
        "openai_chat",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        "qwen3-coder-plus",
        (KnownModel("qwen3-coder-plus", 1_000_000, 65_536, False),),
    ),
    KnownProvider("nvidia", "Nvidia", "openai_chat", "https://integrate.api.nvidia.com/v1", ("NVIDIA_API_KEY",), None),
    KnownProvider(
        "huggingface", "Hugging Face", "openai_chat", "https://router.huggingface.co/v1", ("HF_TOKEN",), None
    ),
    KnownProvider("ollama-cloud", "Ollama Cloud", "openai_chat", "https://ollama.com/v1", ("OLLAMA_API_KEY",), None),
    # Servers on this machine: they want no key, and count only if the configuration has them.
    KnownProvider("ollama", "Ollama", "openai_chat", "http://127.0.0.1:11434/v1", (), None),
    KnownProvider("lmstudio", "LM Studio", "openai_chat", "http://127.0.0.1:1234/v1", (), None),
    KnownProvider("llama.cpp", "llama.cpp", "openai_chat", "http://127.0.0.1:8080/v1", (), None),
)

_KEY_VARIABLES = """
302AI_API_KEY ABACUS_API_KEY ABLIT_KEY ABOVE_API_KEY AGENTROUTER_API_KEY AGNES_API_KEY AI21_API_KEY AIAND_API_KEY
AICORE_SERVICE_KEY AIHUBMIX_API_KEY AINETCAFE_API_KEY AIXY_API_KEY AI_GATEWAY_API_KEY AI_ROUTER_API_KEY
AKI_IO_API_KEY ALIBABA_CODING_PLAN_API_KEY ALIBABA_TOKEN_PLAN_API_KEY AMBIENT_API_KEY AMD_API_KEY ANTHROPIC_API_KEY
ANTHROPIC_AUTH_TOKEN ANTHROPIC_CUSTOM_HEADERS ANTHROPIC_IDENTITY_TOKEN ANTHROPIC_WEBHOOK_SIGNING_KEY ANYAPI_API_KEY
ARCEE_API_KEY ARK_API_KEY ARK_CODING_PLAN_API_KEY ATOMIC_CHAT_API_KEY AURIKO_API_KEY AWS_ACCESS_KEY_ID
AWS_BEARER_TOKEN_BEDROCK AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AZURE_API_KEY AZURE_COGNITIVE_SERVICES_API_KEY
BAILING_API_TOKEN BASETEN_API_KEY BEE_API_KEY BERGET_API_KEY BLUECLAW_API_KEY BOTHUB_API_KEY CEREBRAS_API_KEY
CHUTES_API_KEY CLARIFAI_PAT CLAUDINIO_API_KEY CLINE_API_KEY CLOUDFERRO_SHERLOCK_API_KEY CLOUDFLARE_API_KEY
CLOUDFLARE_API_TOKEN COHERE_API_KEY CORAL_API_KEY CORTECS_API_KEY CROF_API_KEY CROSSMODEL_API_KEY CRUSOE_API_KEY
DAOXE_API_KEY DASHSCOPE_API_KEY DATABRICKS_TOKEN DEEPINFRA_API_KEY DEEPSEEK_API_KEY DIGITALOCEAN_ACCESS_TOKEN
DINFERENCE_API_KEY DRUN_API_KEY EBCLOUD_API_KEY ECHO_API_KEY EDENAI_API_KEY EMPIRIOLABS_API_KEY EVROC_API_KEY
FASTROUTER_API_KEY FIREWORKS_API_KEY FREEMODEL_API_KEY FRIENDLI_TOKEN FROGBOT_API_KEY GEMINI_API_KEY GITHUB_TOKEN
GITLAB_TOKEN GMICLOUD_API_KEY GOOGLE_API_KEY GOOGLE_APPLICATION_CREDENTIALS GOOGLE_GENERATIVE_AI_API_KEY
GREENPT_API_KEY GROQ_API_KEY HELICONE_API_KEY HETZNER_API_KEY HF_TOKEN HPC_AI_API_KEY HYPER_API_KEY IFLOW_API_KEY
IMPOSSIBL_API_KEY INCEPTION_API_KEY INCEPTRON_API_KEY INCO_API_KEY INFERENCE_API_KEY INFERX_API_KEY INFER_API_KEY
INFOMANIAK_API_KEY IOINTELLIGENCE_API_KEY ITERACOMPUTE_API_KEY JALAPENO_API_KEY JIEKOU_API_KEY KENARI_API_KEY
KILO_API_KEY KIMI_API_KEY KLOKINTEGRATION_API_KEY KOSMIK_API_KEY KUAE_API_KEY LILAC_API_KEY LLAMA_API_KEY
LLMGATEWAY_API_KEY LLMTECH_API_KEY LLMTR_API_KEY LMSTUDIO_API_KEY LONGCAT_API_KEY LUCIDQUERY_API_KEY LYNKR_API_KEY
MEGANOVA_API_KEY MELIOUS_API_KEY MERGE_GATEWAY_API_KEY META_MODEL_API_KEY MINIMAX_API_KEY MISTRAL_API_KEY
MIXLAYER_API_KEY MOARK_API_KEY MODAL_PROXY_TOKEN MODELIS_API_KEY MODELSCOPE_API_KEY MODEL_ORACLE_API_KEY
MOONSHOT_API_KEY MORPH_API_KEY NANO_GPT_API_KEY NAN_API_KEY NEARAI_API_KEY NEBIUS_API_KEY NEON_AI_GATEWAY_TOKEN
NEOSMITH_API_KEY NEURALWATT_API_KEY NOVA_API_KEY NOVITA_API_KEY NVIDIA_API_KEY OCI_GENAI_API_KEY OFOX_API_KEY
OLLAMA_API_KEY OPENAI_ADMIN_KEY OPENAI_API_KEY OPENAI_CUSTOM_HEADERS OPENAI_WEBHOOK_SECRET OPENCODE_API_KEY
OPENREASON_API_KEY OPENROUTER_API_KEY OPPER_API_KEY ORCAROUTER_API_KEY OVHCLOUD_API_KEY PARETO_API_KEY
PENDRA_API_KEY PERPLEXITY_API_KEY PIONEER_API_KEY POE_API_KEY POOLSIDE_API_KEY PRIVATEMODE_API_KEY QIHANG_API_KEY
QINIU_API_KEY QVAC_API_KEY REGOLO_API_KEY REQUESTY_API_KEY ROUTING_RUN_API_KEY RUNINFRA_GATEWAY_KEY SAKANA_API_KEY
SALAD_CLOUD_API_KEY SARVAM_API_KEY SCALEWAY_API_KEY SCNET_API_KEY SCX_API_KEY SENSENOVA_API_KEY SILICONFLOW_API_KEY
SILICONFLOW_CN_API_KEY SNOWFLAKE_CORTEX_PAT STACKIT_API_KEY STANDARDCOMPUTE_API_KEY STEPFUN_API_KEY
SUBCONSCIOUS_API_KEY SUBMODEL_INSTAGEN_ACCESS_KEY SYNTHETIC_API_KEY TEMPR_API_KEY TENCENT_CODING_PLAN_API_KEY
TENCENT_TOKENHUB_API_KEY TENCENT_TOKEN_PLAN_API_KEY TENSORX_API_KEY THEGRID_API_KEY TINFOIL_API_KEY TINKER_API_KEY
TOGETHER_API_KEY TOKENGO_API_KEY TOKENROUTER_API_KEY TRUSTEDROUTER_API_KEY UMANS_AI_API_KEY
UMANS_AI_CODING_PLAN_API_KEY UNOROUTER_API_KEY UPSTAGE_API_KEY V0_API_KEY VANCINE_API_KEY VENICE_API_KEY
VISPARK_LAB_API_KEY VIVGRID_API_KEY VULTR_API_KEY WAFER_API_KEY WALLABY_API_KEY WANDB_API_KEY WATSONX_AI_APIKEY
XAI_API_KEY XIAOMI_API_KEY XPERSONA_API_KEY ZELDOC_API_KEY ZENIFRA_AI_KEY ZENMUX_API_KEY ZHIPU_API_KEY
"""

# Variables that hold somebody's key to a provider, those of providers not listed above included.
ALL_KEY_VARIABLES: frozenset[str] = frozenset(_KEY_VARIABLES.split())


def known_provider(provider: str) -> KnownProvider | None:
    """The provider of that id, if it is well known."""
    return next((known for known in PROVIDERS if known.id == provider), None)
