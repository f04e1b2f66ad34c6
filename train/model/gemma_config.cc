#include "train/model/gemma_config.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "train/model/block.h"

namespace fpo::train {
namespace {

std::string Number(double value) { return absl::StrFormat("%.17g", value); }

std::string OptionalNumber(const std::optional<double>& value) {
  return value ? Number(*value) : "none";
}

std::vector<int64_t> BlockShape(const GemmaConfig& config, absl::string_view name) {
  const int64_t d = config.hidden_size, queries = config.heads * config.head_dim;
  const int64_t keys = config.kv_heads * config.head_dim;
  if (name == "self_attn.q_proj.weight") return {queries, d};
  if (name == "self_attn.k_proj.weight" || name == "self_attn.v_proj.weight") return {keys, d};
  if (name == "self_attn.o_proj.weight") return {d, queries};
  if (name == "self_attn.q_norm.weight" || name == "self_attn.k_norm.weight") {
    return {config.head_dim};
  }
  if (name == "mlp.gate_proj.weight" || name == "mlp.up_proj.weight") {
    return {config.intermediate_size, d};
  }
  if (name == "mlp.down_proj.weight") return {d, config.intermediate_size};
  return {d};  // the block's norms
}

}  // namespace

RopeOptions GemmaConfig::rope(bool slides) const {
  if (!slides) return {rope_theta_global, rope_scaling_global, llama3_rope};
  if (architecture == Architecture::kGemma3) return {rope_theta_local};
  return {rope_theta_local, rope_scaling_global, llama3_rope};
}

std::string ConfigText(const GemmaConfig& config) {
  std::string text = absl::StrCat("architecture=", config.family().name, ";layers=", config.layers,
                                  ";hidden_size=", config.hidden_size, ";heads=", config.heads,
                                  ";kv_heads=", config.kv_heads, ";head_dim=", config.head_dim);
  absl::StrAppend(&text, ";intermediate_size=", config.intermediate_size,
                  ";vocab_size=", config.vocab_size,
                  ";query_pre_attn_scalar=", Number(config.query_pre_attn_scalar),
                  ";attention_softcap=", OptionalNumber(config.attention_softcap),
                  ";final_softcap=", OptionalNumber(config.final_softcap));
  absl::StrAppend(&text, ";sliding_window=", config.sliding_window, ";sliding=");
  for (const bool sliding : config.sliding) text += sliding ? '1' : '0';
  absl::StrAppend(&text, ";rope_theta_global=", Number(config.rope_theta_global),
                  ";rope_theta_local=", Number(config.rope_theta_local),
                  ";rope_scaling_global=", Number(config.rope_scaling_global),
                  ";rms_norm_eps=", Number(config.rms_norm_eps),
                  ";tied_head=", config.tied_head ? 1 : 0);
  if (config.llama3_rope) {
    const Llama3Scaling& rope = *config.llama3_rope;
    absl::StrAppend(&text, ";llama3_rope=", Number(rope.factor), ",", Number(rope.low_freq_factor),
                    ",", Number(rope.high_freq_factor), ",", Number(rope.original_positions));
  }
  return text;
}

std::map<std::string, std::vector<int64_t>> TensorShapes(const GemmaConfig& config) {
  std::map<std::string, std::vector<int64_t>> shapes;
  shapes["model.embed_tokens.weight"] = {config.vocab_size, config.hidden_size};
  shapes["model.norm.weight"] = {config.hidden_size};
  if (!config.tied_head) shapes["lm_head.weight"] = {config.vocab_size, config.hidden_size};
  for (int64_t layer = 0; layer < config.layers; ++layer) {
    for (const std::string& name : BlockWeightNames(config)) {
      shapes[absl::StrCat("model.layers.", layer, ".", name)] = BlockShape(config, name);
    }
  }
  return shapes;
}

int64_t ParameterCount(const GemmaConfig& config) {
  int64_t total = 0;
  for (const auto& [name, shape] : TensorShapes(config)) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    total += count;
  }
  return total;
}

}  // namespace fpo::train
