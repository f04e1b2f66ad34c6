#include "tests/train/support/trained_tokenizer.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

std::string Train() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / absl::StrCat("fpo-tokenizer-", getpid());
  std::filesystem::create_directories(folder);
  {
    std::ofstream corpus(folder / "corpus.txt");
    for (int i = 0; i < 400; ++i) corpus << TinySentence(i) << "\n";
  }
  const std::string command = absl::StrCat(
      "spm_train --input=", (folder / "corpus.txt").string(),
      " --model_prefix=", (folder / "tokenizer").string(),
      " --model_type=bpe --vocab_size=", kTinyVocabulary,
      " --byte_fallback=true --split_digits=true --normalization_rule_name=identity"
      " --add_dummy_prefix=false --remove_extra_whitespaces=false"
      " --pad_id=0 --eos_id=1 --bos_id=2 --unk_id=3 --pad_piece='<pad>' --eos_piece='<eos>'"
      " --bos_piece='<bos>' --unk_piece='<unk>'"
      " --user_defined_symbols='<mask>,<start_of_turn>,<end_of_turn>' >/dev/null 2>&1");
  return std::system(command.c_str()) == 0 ? (folder / "tokenizer.model").string() : "";
}

}  // namespace

std::string TinySentence(int index) {
  static const char* kWords[] = {"river", "stone",  "quietly", "morning", "garden", "carries",
                                 "light", "window", "because", "answer",  "never",  "bright",
                                 "paper", "winter", "follows", "small",   "house",  "listen"};
  std::mt19937 random(static_cast<unsigned>(index));
  std::string sentence;
  const int words = 3 + static_cast<int>(random() % 6);
  for (int i = 0; i < words; ++i) {
    absl::StrAppend(&sentence, i == 0 ? "" : " ", kWords[random() % 18]);
  }
  return sentence + ".";
}

const std::string& TinyTokenizer() {
  static const std::string* const path = new std::string(Train());
  return *path;
}

std::string TinyTextConfig() {
  return absl::StrCat(R"({"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"],
  "vocab_size": )",
                      kTinyVocabulary, R"(, "hidden_size": 32, "intermediate_size": 48,
  "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
  "query_pre_attn_scalar": 8, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-06,
  "rope_theta": 10000.0, "sliding_window": 8, "attn_logit_softcapping": 50.0,
  "final_logit_softcapping": 30.0, "attention_bias": false, "tie_word_embeddings": true,
  "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0, "torch_dtype": "float32"})");
}

}  // namespace fpo::train
