"""Argument lists for the oracle: valid and mutated ones, the same for the same table.

From every option of a release one list that should pass, and from a sample of them the mistakes
that people make: misspelt, wrong type, no value, broken JSON, and so on.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

from chartgen.engines.table import EngineTable, Option

SEED = 4
# Options that end the program or read files.
APART = frozenset({"help", "version", "config", "model"})
TEXTS = ("some-text", "/models/file", "a,b")
HUMAN = ("128K", "1.5k", "1.5K", "2m", "25.6k", "4_096", " 64 ", "1kk", "K", "1e4", "-1", "auto")
SPECULATIVE = (
    '{"method":"mtp","num_speculative_tokens":3}',
    '{"method":"ngram","num_speculative_tokens":4,"prompt_lookup_max":4}',
    '{"model":"owner/draft","num_speculative_tokens":2,"draft_tensor_parallel_size":1}',
    '{"method":"eagle3","model":"owner/draft","num_speculative_tokens":"3"}',
    '{"method":"mtp","num_speculative_tokens":0}',
    '{"method":"mtp","num_speculative_tokens":2.5}',
    '{"method":"mtp","num_speculative_tokens":true}',
    '{"method":"mpt","num_speculative_tokens":3}',
    '{"methd":"mtp","num_speculative_tokens":3}',
    '{"method":"mtp","num_speculative_tokens":3',
    "{'method':'mtp'}",
    '\'{"method":"mtp"}\'',
    '["mtp"]',
    "3",
    "null",
    '{"method":"mtp","num_speculative_tokens":3,"disable_padded_drafter_batch":"yes"}',
    '{"method":"mtp","num_speculative_tokens":3,"disable_padded_drafter_batch":2}',
    '{"model":3,"num_speculative_tokens":3}',
)
LIMITS = (
    '{"image":1}',
    '{"image":1,"video":0}',
    '{"image":"2"}',
    '{"image":"two"}',
    '{"image":-1}',
    '{"image":true}',
    '{"image":null}',
    '{"video":{"count":1,"num_frames":32,"width":512,"height":512}}',
    '{"video":{"count":1,"num_frames":0}}',
    '{"image":{"count":1,"frames":3}}',
    '{"image":{"count":-1}}',
    '{"other":2}',
    '{"audio":{"count":1,"length":16000}}',
    "image=1",
    "'{\"image\":1}'",
    "[1]",
    "1",
)
COMPILATION = (
    "{}",
    '{"cudagraph_mode":"FULL"}',
    '{"cudagraph_mode":"full_and_piecewise"}',
    '{"cudagraph_mode":"FUL"}',
    '{"cudagraph_capture_sizes":[1,2,4]}',
    '{"cudagraph_capture_sizes":[1,"x"]}',
    '{"cudagraph_capture_sizes":4}',
    '{"max_cudagraph_capture_size":8}',
    '{"pass_config":{}}',
    '{"pass_config":{"fuse":1}}',
    '{"custom_ops":["+rms_norm"]}',
    '{"custom_ops":[1]}',
    '{"backend":3}',
    '{"nope":1}',
    '{"mode":"x"}',
    "null",
    "[]",
    "O2",
)
WHOLE: tuple[tuple[str, ...], ...] = (
    (),
    ("--enable-auto-tool-choice",),
    ("--enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ("--enable-auto-tool-choice", "--tool-call-parser", "hermse"),
    ("--tool-call-parser", "hermse"),
    ("--tool-call-parser", ""),
    ("--enable-auto-tool-choice", "--tool-call-parser", "None"),
    ("--no-enable-auto-tool-choice", "--tool-call-parser", "hermes"),
    ("--enable-log-outputs",),
    ("--enable-log-outputs", "--enable-log-requests"),
    ("--enable-log-outputs", "--no-enable-log-requests"),
    ("--reasoning-parser", "qwen3"),
    ("--reasoning-parser", "qwen33"),
    ("--reasoning-parser", ""),
    ("--attention-backend", "triton_attn"),
    ("--attention-backend", "TRITON_ATTN"),
    ("--attention-backend", "flash_attn"),
    ("--attention-backend", "auto"),
    ("--attention-backend", "xformers2"),
    ("--quantization", "awq"),
    ("-q", "AWQ"),
    ("-qawq",),
    ("--quantization", "awqq"),
    ("--quantization", "None"),
    ("--load-format", "dummy"),
    ("--load-format", "DUMMY"),
    ("--load-format", "dumy"),
    ("--kv-cache-dtype", "fp8"),
    ("--kv-cache-dtype", "q8_0"),
    ("--swap-space", "4"),
    ("--task", "generate"),
    ("--disable-log-requests",),
    ("--omni",),
    ("--device", "cuda"),
    ("--optimization-level", "3"),
    ("--optimization-level", "9"),
    ("-O3",),
    ("-O", "2"),
    ("-O=1",),
    ("-O2", "--max-num-seqs", "4"),
    ("-tp", "2"),
    ("-tp=2",),
    ("-tp2",),
    ("-tp", "two"),
    ("-x",),
    ("-",),
    ("--",),
    ("--", "--max-num-seqs", "4"),
    ("extra",),
    ("extra", "words"),
    ("--max-num-seqs", "4", "extra"),
    ("--max-num-seqs", "4", "5"),
    ("--max-num-seqs", "-4"),
    ("--max-num-seqs", "--", "4"),
    ("--seed", "-1"),
    ("--seed", "-0.5"),
    ("--gpu-memory-utilization", "-0.5"),
    ("--gpu-memory-utilization", ".9"),
    ("--gpu-memory-utilization", "nan"),
    ("--gpu-memory-utilization", "0"),
    ("--gpu-memory-utilization", "1"),
    ("--gpu-memory-utilization", "1.01"),
    ("--gpu-memory-utilization", "90%"),
    ("--gpu_memory_utilization", "0.9"),
    ("--gpu-memory-utilization=0.9",),
    ("--gpu_memory_utilization=0.9",),
    ("--gpu-memory-utilization=",),
    ("--gpu-memory-util", "0.9"),
    ("--max-model", "4096"),
    ("--max-model-len", "4096", "--max-model-len", "8192"),
    ("--max-model-len", "4096", "--max_model_len=x"),
    ("--max-model-len", "0"),
    ("--max-model-len", "-2"),
    ("--enable-prefix-caching=false",),
    ("--enable-prefix-caching=true",),
    ("--enable-prefix-caching", "true"),
    ("--no-enable-prefix-caching",),
    ("--disable-prefix-caching",),
    ("--no-enable-prefix-caching=1",),
    ("--enable-prefix-caching", "--no-enable-prefix-caching"),
    ("--no-max-num-seqs", "4"),
    ("--no-disable-log-stats",),
    ("--enable-log-stats",),
    ("--served-model-name", "a", "b"),
    ("--served-model-name",),
    ("--served-model-name=a",),
    ("--served-model-name=a", "b"),
    ("--api-key",),
    ("--api-key", "a", "b", "--port", "1"),
    ("--hf-token",),
    ("--hf-token", "x"),
    ("--allowed-origins", '["*"]'),
    ("--allowed-origins", "*"),
    ("--middleware", "a.b", "--middleware", "c.d"),
    ("--lora-modules", "name=/path"),
    ("--lora-modules", '{"name":"n","path":"p"}'),
    ("--lora-modules", '{"name":"n"}'),
    ("--lora-modules", "name"),
    ("--hf-overrides", '{"a":1}'),
    ("--hf-overrides", '{"a":1'),
    ("--hf-overrides", "{a}"),
    ("--default-chat-template-kwargs", '{"enable_thinking":false}'),
    ("--default-chat-template-kwargs", "{enable_thinking:false}"),
    ("--speculative-config.method", "mtp", "--speculative-config.num_speculative_tokens", "3"),
    ("--speculative-config.method=mtp", "--speculative-config.num_speculative_tokens=3"),
    ("--speculative_config.method", "mtp", "--speculative_config.num_speculative_tokens", "1k"),
    ("--speculative-config.methd", "mtp"),
    ("--speculative-config.num_speculative_tokens", "three"),
    ("--speculative-config.method",),
    ("--speculative-config.method", "mtp", "--speculative-config", '{"method":"mtp"}'),
    ("--limit-mm-per-prompt.image", "1"),
    ("--limit-mm-per-prompt.image", "one"),
    ("--limit-mm-per-prompt.video.count", "1"),
    ("--compilation-config.cudagraph_capture_sizes+", "1,2"),
    ("--compilation-config.pass_config.nope", "true"),
    ("--compilation-config.cudagraph_mode", "NONE"),
    ("-sc", '{"method":"mtp","num_speculative_tokens":1}'),
    ("-sc.method", "mtp"),
    ("-cc.mode", "3"),
    ("--max-num-seqs.x", "4"),
    ("--kv-transfer-config", '{"kv_connector":"X","kv_role":"kv_both"}'),
    ("--kv-transfer-config", '{"kv_connector":"X","kv_role":"both"}'),
    ("--kv-events-config", '{"enable_kv_cache_events":true,"publisher":"zmq"}'),
    ("--kv-events-config", '{"enable_kv_cache_events":"maybe"}'),
    ("--structured-outputs-config", '{"backend":"xgrammar"}'),
    ("--structured-outputs-config", '{"backend":"xgramar"}'),
    ("--eplb-config", '{"window_size":100}'),
    ("--eplb-config", '{"window_size":1k}'),
    ("--attention-config", '{"backend":"flash_attn"}'),
    ("--attention-config", '{"backend":"flash"}'),
    ("--pooler-config", '{"pooling_type":"CLS"}'),
    ("--chat-template", "/models/chat.jinja"),
    ("--mm-processor-kwargs", '{"num_crops":4}'),
    ("--mm-processor-kwargs", "num_crops=4"),
    ("--port", "80"),
    ("--port", "http"),
    ("--dtype", "bf16"),
    ("--dtype", "None"),
    ("--tokenizer-mode", "autoo"),
)


def sample(option: Option) -> list[str]:
    """Return words that an option should take."""
    if option.most == 0 or option.least == 0:
        return []
    if option.choices:
        return [option.choices[0]]
    return {
        "int": ["8"],
        "float": ["0.5"],
        "human-int": ["4096"],
        "human-int-auto": ["4096"],
        "json": ["{}"],
        "config": ["{}"],
        "json-or-text": ["text"],
        "lora": ["name=/path"],
    }.get(option.value, ["some-text"]) * max(option.least, 1)


def mutated(option: Option, chance: random.Random) -> Iterator[list[str]]:
    """Yield an option as people get it wrong, or right in another spelling."""
    spelling = chance.choice(option.spellings)
    name = spelling.lstrip("-")
    at = chance.randrange(len(name))
    yield [f"--{name[:at]}{name[at + 1 :]}", *sample(option)]
    yield ["--" + name.replace("-", "_"), *sample(option)]
    if option.most == 0:
        yield [spelling, "true"]
        yield [f"{spelling}=true"]
        yield [f"--no-{name}"]
        yield from ([negation] for negation in option.negations)
        return
    yield [spelling]
    yield [spelling, "--enforce-eager"]
    yield [spelling, "4", "--enforce-eager", "x"]
    yield [f"{spelling}={(sample(option) or ['x'])[0]}"]
    yield [spelling, chance.choice(["x1", "1.5", "", "None", "-3", "{", "[]", "true", "0"])]
    if option.value in ("human-int", "human-int-auto"):
        yield from ([spelling, word] for word in HUMAN)
    if option.limits:
        yield from ([spelling, word] for word in ("0", "-1", "1", "1000000"))
    if option.choices:
        yield [spelling, option.choices[-1].upper()]
        yield [spelling, option.choices[0] + "x"]
    if option.value in ("json", "config"):
        yield [spelling, '{"no_such_key":1}']
        yield [f"{spelling}.no_such_key", "1"]


def lists(table: EngineTable, known: Sequence[Sequence[str]] = ()) -> list[list[str]]:
    """Return the lists for a release, those of real apps (`known`) first, none twice."""
    chance = random.Random(SEED)
    options = {o.name: o for o in table.options.values() if o.name not in APART}
    found: list[list[str]] = [list(words) for words in (*known, *WHOLE)]
    for spelling, values in (
        ("--speculative-config", SPECULATIVE),
        ("--limit-mm-per-prompt", LIMITS),
        ("--compilation-config", COMPILATION),
        ("--max-model-len", HUMAN),
        ("--max-num-batched-tokens", HUMAN),
    ):
        found += [[spelling, value] for value in values]
    for name in sorted(options):
        found.append([options[name].spellings[0], *sample(options[name])])
    for name in sorted(chance.sample(sorted(options), 60)):
        found += mutated(options[name], chance)
    return [json.loads(text) for text in dict.fromkeys(json.dumps(words) for words in found)]
