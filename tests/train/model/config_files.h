#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "train/model/gemma_config.h"

namespace fpo::train {

// As published with Gemma-2 2B, with the keys that matter.
inline nlohmann::json Gemma2File() {
  return nlohmann::json::parse(R"({
    "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "attention_bias": false,
    "attention_dropout": 0.0, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
    "head_dim": 256, "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 2304, "intermediate_size": 9216, "num_attention_heads": 8,
    "num_hidden_layers": 26, "num_key_value_heads": 4, "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
    "torch_dtype": "bfloat16", "vocab_size": 256000})");
}

// As published with Gemma-3 270M: old rope keys, layer_types of newer files.
inline nlohmann::json Gemma3File() {
  nlohmann::json types = nlohmann::json::array();
  for (int layer = 0; layer < 18; ++layer) {
    types.push_back(layer % 6 == 5 ? "full_attention" : "sliding_attention");
  }
  nlohmann::json file = nlohmann::json::parse(R"({
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
    "_sliding_window_pattern": 6, "attention_bias": false, "attn_logit_softcapping": null,
    "final_logit_softcapping": null, "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 640, "intermediate_size": 2048, "num_attention_heads": 4,
    "num_hidden_layers": 18, "num_key_value_heads": 1, "query_pre_attn_scalar": 256,
    "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": null,
    "rope_theta": 1000000.0, "sliding_window": 512, "use_bidirectional_attention": false,
    "vocab_size": 262144})");
  file["layer_types"] = types;
  return file;
}

// As published with Llama-3.2 1B, which older files do not give a head_dim.
inline nlohmann::json LlamaFile() {
  return nlohmann::json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu",
    "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 8192,
    "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
    "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                     "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "vocab_size": 128256})");
}

// As published with Qwen3-0.6B.
inline nlohmann::json Qwen3File() {
  return nlohmann::json::parse(R"({
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "intermediate_size": 3072,
    "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
    "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
    "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_sliding_window": false,
    "vocab_size": 151936})");
}

inline std::string FileMeaning(const nlohmann::json& file) {
  const auto config = ParseGemmaConfig(file.dump());
  return config.ok() ? ConfigText(*config) : std::string(config.status().message());
}

inline std::string FileError(nlohmann::json file, const std::string& key,
                             const nlohmann::json& value) {
  file[key] = value;
  const auto config = ParseGemmaConfig(file.dump());
  return config.ok() ? "accepted" : std::string(config.status().message());
}

}  // namespace fpo::train
