"""The tiny model of the tests as llama.cpp reads it, in one GGUF file.

`python -m tests.tiny_gguf FILE` writes one, to try an engine by hand.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests import tiny_model


def write_tiny_gguf(path: Path, *, seed: int = 1) -> Path:
    """Write the model, of 1 MB; the same bytes for the same seed."""
    import gguf

    types = {
        "unknown": gguf.TokenType.UNKNOWN,
        "control": gguf.TokenType.CONTROL,
        "byte": gguf.TokenType.BYTE,
        "normal": gguf.TokenType.NORMAL,
    }
    tokens = tiny_model.vocabulary()
    names = list(tokens)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(tiny_model.NAME)
    writer.add_context_length(tiny_model.TRAINED_CONTEXT)
    writer.add_embedding_length(tiny_model.WIDTH)
    writer.add_block_count(tiny_model.LAYERS)
    writer.add_feed_forward_length(tiny_model.FEED_FORWARD)
    writer.add_head_count(tiny_model.HEADS)
    writer.add_head_count_kv(tiny_model.KV_HEADS)
    writer.add_rope_dimension_count(tiny_model.HEAD_WIDTH)
    writer.add_layer_norm_rms_eps(tiny_model.NORM_EPSILON)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(names)
    writer.add_token_scores([-float(at) for at in range(len(tokens))])
    writer.add_token_types([types[kind] for kind in tokens.values()])
    writer.add_bos_token_id(names.index(tiny_model.BEGIN))
    writer.add_eos_token_id(names.index(tiny_model.END))
    writer.add_unk_token_id(names.index(tiny_model.UNKNOWN))
    writer.add_add_space_prefix(False)
    writer.add_chat_template(tiny_model.TEMPLATE)
    for name, values in tiny_model.weights(seed).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


if __name__ == "__main__":
    write_tiny_gguf(Path(sys.argv[1]))
