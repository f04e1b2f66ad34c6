#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "train/chat/chat_template.h"
#include "train/decode/decoder.h"
#include "train/generate/stop_ids.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {

// Everything of a model folder that generating needs. Does not move: the template refers to the
// tokenizer.
class GenerationModel {
 public:
  struct Source {
    std::string folder;
    std::string dtype = "float32";  // float32 | bfloat16
    std::string template_name = "auto";
    at::Device device = at::kCPU;
  };
  // The errors of LoadModel, OpenModelTokenizer, ChatTemplate::Create and ReadGenerationDefaults,
  // without the weights yet.
  static absl::StatusOr<std::unique_ptr<GenerationModel>> Open(const Source& source);
  // Loads the weights. On a CPU bfloat16 weights stay as they are, also for float32, whose numbers
  // they give (cpu_kernels.h). `warn` is told what LoadModel tells.
  absl::Status Load(const std::function<void(const std::string&)>& warn = nullptr);

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const ChatTemplate& chat_template() const { return *chat_template_; }
  const GenerationDefaults& defaults() const { return defaults_; }
  Decoder& decoder() { return *decoder_; }
  const std::string& digest() const { return digest_; }  // of the weights and the config
  int64_t choices() const;  // ids below it may be generated: those that the tokenizer has

  // The ids that end an answer: those of the folder and the tokenizer's <eos>; in a chat the turn's
  // end too.
  std::vector<int32_t> Stops(bool turns) const;
  // The text of an answer, without special tokens.
  absl::StatusOr<std::string> TextOf(const std::vector<int32_t>& ids) const;

 private:
  GenerationModel(Source source, Tokenizer tokenizer)
      : source_(std::move(source)), tokenizer_(std::move(tokenizer)) {}

  const Source source_;
  const Tokenizer tokenizer_;
  std::unique_ptr<const ChatTemplate> chat_template_;
  GenerationDefaults defaults_;
  int64_t vocabulary_ = 0;
  std::string digest_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace fpo::train
