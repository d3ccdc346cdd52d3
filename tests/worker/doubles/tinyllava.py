"""A Llava of 170,000 random numbers, in the shape of JoyCaption: same classes, same template, same tokens."""

from __future__ import annotations

from pathlib import Path

_SIZE, _PATCH = 56, 14
_IMAGE = "<|reserved_special_token_69|>"
_TOKENS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    _IMAGE,
    "<|reserved_special_token_70|>",
    "<|reserved_special_token_71|>",
    "<|finetune_right_pad_id|>",
]
# The image goes into the user's part, and content that is a list would be printed as it is.
_TEMPLATE = """\
{{- bos_token }}
{%- for m in messages %}
{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' }}
{%- if m['role'] == 'user' %}
{{- '<|reserved_special_token_70|><|reserved_special_token_69|><|reserved_special_token_71|>' }}
{%- endif %}
{{- (m['content'] | trim) + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""


def build(folder: Path) -> None:
    """Saves the model and its processor, as a repository of the Hub would hold them."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        GenerationConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
        SiglipImageProcessor,
        SiglipVisionConfig,
    )

    words = Tokenizer(models.BPE(unk_token=None))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=letters, show_progress=False)
    words.train_from_iterator(["Describe this image. You are a helpful image captioner."] * 50, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=_TOKENS[0],
        eos_token=_TOKENS[4],
        pad_token=_TOKENS[-1],
        # As it is in the real one, so that the code under test has to see to it.
        padding_side="right",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": _TOKENS})
    image = tokenizer.convert_tokens_to_ids(_IMAGE)
    ends = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlavaConfig(
        vision_config=SiglipVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            image_size=_SIZE,
            patch_size=_PATCH,
            vision_use_head=False,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=4096,
            **ends,
        ),
        image_token_index=image,
        image_token_id=image,
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
        image_seq_length=(_SIZE // _PATCH) ** 2,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(config)
    model.generation_config = GenerationConfig(do_sample=True, temperature=0.6, top_p=0.9, **ends)
    model.to(torch.bfloat16).save_pretrained(folder)
    LlavaProcessor(
        image_processor=SiglipImageProcessor(size={"height": _SIZE, "width": _SIZE}),
        tokenizer=tokenizer,
        patch_size=_PATCH,
        vision_feature_select_strategy="full",
        image_token=_IMAGE,
        num_additional_image_tokens=0,
        chat_template=_TEMPLATE,
    ).save_pretrained(folder)
