#include "train/prepare/model_tokenizer.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/files/lfs_pointer.h"
#include "common/files/posix_status.h"
#include "common/inputs/model_home.h"
#include "common/status_macros.h"
#include "train/model/gemma_config.h"

namespace fpo::train {
namespace {

constexpr int32_t kGemmaBos = 2, kGemmaEos = 1;

// An id from config.json, possibly in text_config or the first of a list.
int32_t TokenId(const nlohmann::json& config, const char* key, int32_t fallback) {
  const nlohmann::json nested = config.value("text_config", nlohmann::json::object());
  for (const nlohmann::json& holder : {config, nested}) {
    nlohmann::json value =
        holder.is_object() ? holder.value(key, nlohmann::json()) : nlohmann::json();
    if (value.is_array() && !value.empty()) value = nlohmann::json(value.front());
    if (value.is_number_integer() && value >= 0) return value.get<int32_t>();
  }
  return fallback;
}

}  // namespace

absl::StatusOr<Tokenizer> OpenModelTokenizer(const std::string& model) {
  FPO_ASSIGN_OR_RETURN(const std::string folder, ModelHome(model));
  auto tokenizer = Tokenizer::Open(folder);
  const bool absent = absl::IsNotFound(tokenizer.status());
  if (!tokenizer.ok() && !absent) return tokenizer;
  const std::string path = folder + "/config.json";
  const auto text = ReadFile(path, 1 << 24);
  if (!text.ok()) return tokenizer;
  FPO_RETURN_IF_ERROR(CheckIsNoLfsPointer(*text, path));
  const auto config = ParseGemmaConfig(*text);
  if (!config.ok()) {
    return absl::Status(config.status().code(),
                        absl::StrCat(path, ": ", config.status().message()));
  }
  if (absent) {
    const nlohmann::json json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
    const bool gemma = IsGemma(config->architecture);
    // Texts of Qwen begin without the token that its file names.
    const bool begins = config->architecture != Architecture::kQwen3;
    return Tokenizer::Absent({tokenizer.status(), static_cast<int32_t>(config->vocab_size),
                              begins ? TokenId(json, "bos_token_id", gemma ? kGemmaBos : -1) : -1,
                              TokenId(json, "eos_token_id", gemma ? kGemmaEos : -1)});
  }
  FPO_RETURN_IF_ERROR(tokenizer->LimitTo(config->vocab_size));
  return tokenizer;
}

}  // namespace fpo::train
