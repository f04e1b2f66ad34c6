"""The sizes of the measured steps: `2b` for a GPU, `small` for a test of the checks themselves on a CPU."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Shapes:
    config: str  # file of this folder's copy in the pack, a Hugging Face config.json
    dtype: str
    pairs: int  # of one step
    length: int  # of each full sequence
    prompt: int  # of it
    microbatch_tokens: int
    shrink: int  # real lengths are divided by it
    sae_width: int
    sae_layer: int
    sae_threshold: float  # of the residual of random weights: about half a per cent of the features are active
    real_steps: int = 3
    vocab: int = 256000
    products: tuple = ()  # M x K x N; the first is the ceiling that steps are compared with
    copy_mib: int = 64


SHAPES = {
    # A full step is 4 x 16,384 tokens, 70 % of them in responses.
    "2b": Shapes("gemma2_2b.json", "bfloat16", 32, 1024, 307, 16384, 1, 16384, 12, 13.0, copy_mib=4096, products=(
        "8192x8192x8192", "16384x2304x2048", "16384x2304x1024", "16384x2048x2304", "16384x2304x9216", "16384x9216x2304",
        "2304x16384x9216", "4096x2304x256000", "256x2304x256000")),
    "small": Shapes("tiny.json", "float32", 4, 64, 19, 128, 16, 512, 2, 5.0, copy_mib=16, products=(
        "512x512x512", "128x128x384", "64x128x1536")),
}
