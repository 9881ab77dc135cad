"""Times PyTorch on one kind of NOTICE's sweep of BLIP-VQA-base, on the CPU.

    python bench/peers/blip_sweep.py bench/peers/blip-base.json [--tokens 12] [--loop-cells 3]

Prints one JSON line: seconds of the original's loop (one cell = one forward of a batch of three, vision tower included;
some cells are timed and the rest is taken to cost as much) and seconds of the fair way (each picture once, all tokens of
a layer as one batch that shares the picture's keys and values). Weights are random: time does not depend on their values.
"""
import argparse
import json
import time

import torch
from transformers import BlipConfig, BlipForQuestionAnswering


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("config")
    arguments.add_argument("--tokens", type=int, default=12)
    arguments.add_argument("--loop-cells", type=int, default=3)
    arguments = arguments.parse_args()
    torch.manual_seed(0)
    config = BlipConfig.from_dict(json.load(open(arguments.config)))
    model = BlipForQuestionAnswering(config).eval()
    side, tokens = config.vision_config.image_size, arguments.tokens
    pixels = torch.randn(3, 3, side, side)
    ids = torch.randint(1000, 20000, (3, tokens))
    with torch.no_grad():
        loop = original(model, pixels, ids, arguments.loop_cells)
        cells = tokens * config.text_config.num_hidden_layers
        batched = min(fair(model, pixels, ids) for _ in range(2))
    print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "cells": cells,
                      "loop_cell_seconds": loop, "loop_seconds": loop * cells, "fair_seconds": batched}))


def logits(model, ids, states):
    """Of the answer decoder's first token."""
    encoded = model.text_encoder(input_ids=ids, encoder_hidden_states=states, return_dict=True).last_hidden_state
    start = torch.full((len(ids), 1), model.decoder_start_token_id)
    return model.text_decoder(input_ids=start, encoder_hidden_states=encoded, return_dict=True).logits


def original(model, pixels, ids, count):
    """[clean, corrupt, corrupt] through everything for each cell; row 2 gets row 0's value at one token."""
    def patch(layer, token):
        def hook(module, inputs, output):
            output[2, token] = output[0, token]
            return output
        return model.text_encoder.encoder.layer[layer].output.register_forward_hook(hook)

    best = float("inf")
    for cell in range(count + 1):  # the first warms up
        handle = patch(cell % 12, cell % ids.shape[1])
        started = time.perf_counter()
        logits(model, ids, model.vision_model(pixels).last_hidden_state)
        seconds = time.perf_counter() - started
        handle.remove()
        if cell > 0:
            best = min(best, seconds)
    return best


def fair(model, pixels, ids):
    """Each picture once; then for each layer one batch with a row for every token, encoder and decoder from the start."""
    started = time.perf_counter()
    clean = model.vision_model(pixels[:1]).last_hidden_state
    corrupt = model.vision_model(pixels[1:2]).last_hidden_state
    tokens = ids.shape[1]
    kept = {}
    layers = model.text_encoder.encoder.layer
    handles = [layer.output.register_forward_hook(lambda m, i, o, n=n: kept.__setitem__(n, o)) for n, layer in enumerate(layers)]
    logits(model, ids[:1], clean)
    for handle in handles:
        handle.remove()
    logits(model, ids[:1], corrupt)
    rows = torch.arange(tokens)
    for n, layer in enumerate(layers):
        def hook(module, inputs, output, n=n):
            output[rows, rows] = kept[n][0]
            return output
        handle = layer.output.register_forward_hook(hook)
        logits(model, ids[:1].expand(tokens, -1), corrupt)  # one row of keys serves all
        handle.remove()
    return time.perf_counter() - started


main()
