#pragma once

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/support/tiny_tokenizer_model.h"
#include "train/loop/init_model.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// A folder with a random Gemma-2 that has a tokenizer and, when asked, a chat template.
class TinyTextModel {
 public:
  explicit TinyTextModel(const std::string& name = "model", uint64_t seed = 3) {
    const std::string tokenizer = folder_.Put("tokenizer.model", TinyTokenizerBytes());
    const int size = Tokenizer::OpenFile(tokenizer)->size();
    InitModelOptions init;
    init.config = folder_.Put("config.json", absl::StrCat(R"({"model_type": "gemma2",
        "architectures": ["Gemma2ForCausalLM"], "vocab_size": )",
                                                          size, R"(, "hidden_size": 24,
        "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "query_pre_attn_scalar": 8,
        "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
        "sliding_window": 4, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
        "attention_bias": false, "tie_word_embeddings": true})"));
    init.tokenizer = tokenizer;
    init.seed = seed;
    init.out = folder_ / name;
    path_ = init.out;
    const absl::Status made = InitModel(init);
    EXPECT_TRUE(made.ok()) << made;
  }

  const std::string& path() const { return path_; }
  const ScratchFolder& folder() const { return folder_; }

 private:
  ScratchFolder folder_;
  std::string path_;
};

}  // namespace fpo::train
