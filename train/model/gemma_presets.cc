#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

std::vector<bool> SlidingPattern(int64_t layers, int64_t global_every) {
  std::vector<bool> sliding;
  for (int64_t layer = 0; layer < layers; ++layer) {
    sliding.push_back((layer + 1) % global_every != 0);
  }
  return sliding;
}

}  // namespace

GemmaConfig Gemma2_2B() {
  GemmaConfig config;
  config.layers = 26;
  config.hidden_size = 2304;
  config.heads = 8;
  config.kv_heads = 4;
  config.head_dim = 256;
  config.intermediate_size = 9216;
  config.vocab_size = 256000;
  config.query_pre_attn_scalar = 256;
  config.attention_softcap = 50.0;
  config.final_softcap = 30.0;
  config.sliding_window = 4096;
  config.sliding = SlidingPattern(config.layers, 2);
  return config;
}

GemmaConfig Gemma3_270M() {
  GemmaConfig config;
  config.architecture = Architecture::kGemma3;
  config.layers = 18;
  config.hidden_size = 640;
  config.heads = 4;
  config.kv_heads = 1;
  config.head_dim = 256;
  config.intermediate_size = 2048;
  config.vocab_size = 262144;
  config.query_pre_attn_scalar = 256;
  config.sliding_window = 512;
  config.sliding = SlidingPattern(config.layers, 6);
  config.rope_theta_global = 1000000;
  return config;
}

GemmaConfig TinyForTest(Architecture architecture) {
  GemmaConfig config;
  config.architecture = architecture;
  config.layers = 3;
  config.hidden_size = 24;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 10;
  config.intermediate_size = 40;
  config.vocab_size = 61;
  config.query_pre_attn_scalar = 7;
  config.sliding_window = 4;
  config.sliding = SlidingPattern(config.layers, 3);
  switch (architecture) {
    case Architecture::kGemma2:
      config.attention_softcap = 50.0;
      config.final_softcap = 30.0;
      config.sliding = SlidingPattern(config.layers, 2);
      break;
    case Architecture::kGemma3:
      config.rope_theta_global = 1000000;
      config.rope_scaling_global = 8;
      break;
    case Architecture::kLlama:
      config.query_pre_attn_scalar = 10;
      config.sliding_window = 0;
      config.sliding.assign(3, false);
      // Of the five frequencies the slowest turn less than once in 64 positions.
      config.rope_theta_global = config.rope_theta_local = 500;
      config.llama3_rope = Llama3Scaling{8, 1, 4, 64};
      break;
    case Architecture::kQwen3:
      config.query_pre_attn_scalar = 10;
      config.rope_theta_global = config.rope_theta_local = 1000000;
      break;
  }
  return config;
}

}  // namespace fpo::train
