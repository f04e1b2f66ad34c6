#include "train/export/missing_tokenizer_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/inputs/model_home.h"
#include "train/tokenizer/tokenizer_folder.h"
#include "train/tokenizer/tokenizer_json_writer.h"

namespace fpo::train {

void AddMissingTokenizerFiles(const std::string& source, EventSink& events, ServingFiles* serving) {
  constexpr char kJson[] = "tokenizer.json", kConfig[] = "tokenizer_config.json";
  const auto home = ModelHome(source);
  if (!home.ok()) return;  // the export itself says so
  const auto has = [&](const char* name) {
    std::error_code error;
    return std::filesystem::exists(absl::StrCat(*home, "/", name), error);
  };
  if (has(kJson) ? has(kConfig) : !has("tokenizer.model")) return;
  const auto tokenizer = ReadTokenizerFolder(*home);
  if (!tokenizer.ok()) {
    events.Emit(WarningEvent(absl::StrCat(
        "the exported model has no ", has(kJson) ? kConfig : kJson,
        "; transformers may need the package sentencepiece for it and write turn marks out: ",
        tokenizer.status().message())));
    return;
  }
  if (!has(kJson)) serving->tokenizer[kJson] = TokenizerJsonText(tokenizer->spec);
  if (!has(kConfig)) serving->tokenizer[kConfig] = TokenizerConfigText(tokenizer->spec);
}

}  // namespace fpo::train
