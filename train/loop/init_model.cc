#include "train/loop/init_model.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/formats/safetensors_writer.h"
#include "train/loop/model_loader.h"
#include "train/model/gemma.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

absl::Status MakeEmptyFolder(const std::string& path) {
  std::error_code error;
  if (fs::exists(path) && !fs::is_empty(path, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat("folder ", path, " is not empty; init-model never overwrites a model"));
  }
  fs::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return FailWith(ExitCode::kStorage,
                  absl::StrCat("cannot create folder ", path, ": ", error.message()));
}

// The bytes of the tokenizer's file, or none. Its vocabulary must fit: an id outside the embedding
// would fail in the middle of training.
absl::StatusOr<std::string> CheckedTokenizer(const InitModelOptions& options,
                                             const GemmaConfig& config) {
  if (options.tokenizer.empty()) return std::string();
  FPO_ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::OpenFile(options.tokenizer));
  if (tokenizer.size() == config.vocab_size) return ReadFile(options.tokenizer);
  return absl::InvalidArgumentError(absl::StrCat(
      "tokenizer ", options.tokenizer, " has ", tokenizer.size(), " pieces but vocab_size in ",
      options.config, " is ", config.vocab_size, "; make them equal"));
}

std::string WithDtype(const std::string& config, const std::string& dtype) {
  auto json = nlohmann::ordered_json::parse(config);
  json.erase("torch_dtype");
  json["dtype"] = dtype;
  return json.dump(2) + "\n";
}

}  // namespace

absl::Status InitModel(const InitModelOptions& options) {
  FPO_ASSIGN_OR_RETURN(const at::ScalarType dtype, ParseDtype(options.dtype));
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(options.config));
  FPO_ASSIGN_OR_RETURN(const GemmaConfig config, ParseGemmaConfig(text));
  FPO_ASSIGN_OR_RETURN(const std::string tokenizer, CheckedTokenizer(options, config));
  FPO_RETURN_IF_ERROR(MakeEmptyFolder(options.out));
  const Gemma model = Gemma::Random(config, options.seed, dtype);
  const TensorMap weights(model.Parameters().begin(), model.Parameters().end());
  FPO_RETURN_IF_ERROR(AsStorageError(WriteShardedSafetensors(options.out, weights)));
  if (!options.tokenizer.empty()) {
    const bool is_json = absl::EndsWith(options.tokenizer, ".json");
    const char* const name = is_json ? "/tokenizer.json" : "/tokenizer.model";
    FPO_RETURN_IF_ERROR(AsStorageError(WriteFileAtomically(options.out + name, tokenizer)));
  }
  return AsStorageError(
      WriteFileAtomically(options.out + "/config.json", WithDtype(text, options.dtype)));
}

}  // namespace fpo::train
