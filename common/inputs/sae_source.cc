#include "common/inputs/sae_source.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/inputs/sae_json.h"
#include "common/inputs/scope_configs.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using sae_json::Refuse;

constexpr size_t kSaeNamesMax = 5000;

bool SaeFileExists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsPickle(const std::string& ending) {
  return ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".pkl" ||
         ending == ".ckpt";
}

absl::Status Pickle(const fs::path& file) {
  fs::path converted = file;
  converted.replace_extension(".safetensors");
  return Refuse(
      file.string(),
      absl::StrCat(
          "pickle files can run code when read; convert it to safetensors: python3 -c \"import "
          "torch; from safetensors.torch import save_file; d = torch.load('",
          file.string(),
          "', map_location='cpu', weights_only=True); save_file({k: v.contiguous() "
          "for k, v in d.items()}, '",
          converted.string(), "')\""));
}

// Files in the folder itself, sorted.
std::vector<fs::path> FilesIn(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    files.push_back(it->path());
    if (files.size() == kSaeNamesMax) break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What a JSON file next to the weights says whose it is; cfg.json is of SAELens or sparsify.
SaeFormat FormatOf(const fs::path& config) {
  const auto text = ReadFile(config.string(), 1 << 24);
  const Json json = text.ok() ? Json::parse(*text, nullptr, /*allow_exceptions=*/false) : Json();
  if (!json.is_object()) {
    return config.filename() == "cfg.json" ? SaeFormat::kSaeLens : SaeFormat::kGemmaScope;
  }
  if (json.contains("trainer")) return SaeFormat::kDictionaryLearning;
  if (json.contains("num_latents") || json.contains("expansion_factor")) {
    if (!json.contains("d_sae") && json.contains("k")) return SaeFormat::kSparsify;
  }
  return config.filename() == "cfg.json" ? SaeFormat::kSaeLens : SaeFormat::kGemmaScope;
}

// The source of a .npz or .safetensors file: whose it is decides the JSON beside it.
SaeSource SourceOf(const fs::path& weights) {
  const fs::path home = weights.parent_path();
  const bool npz = weights.extension() == ".npz";
  const fs::path cfg = home / "cfg.json", config = home / "config.json";
  if (IsQwenScopeName(weights.filename().string())) {
    return {weights.string(), config.string(), SaeFormat::kQwenScope};
  }
  // Llama Scope's lie in a folder "checkpoints" beside it.
  for (const fs::path& folder : {home, home.parent_path()}) {
    const fs::path hyperparams = folder / "hyperparams.json";
    if (npz || !SaeFileExists(hyperparams)) continue;
    return {weights.string(), hyperparams.string(), SaeFormat::kLlamaScope};
  }
  if (!npz && SaeFileExists(cfg) && weights.filename() != "params.safetensors") {
    return {weights.string(), cfg.string(), FormatOf(cfg)};
  }
  if (!npz && SaeFileExists(config) && FormatOf(config) == SaeFormat::kDictionaryLearning) {
    return {weights.string(), config.string(), SaeFormat::kDictionaryLearning};
  }
  return {weights.string(), config.string(), SaeFormat::kGemmaScope};
}

absl::StatusOr<SaeSource> SourceInFolder(const fs::path& folder) {
  const fs::path final = folder / "checkpoints" / "final.safetensors";
  if (SaeFileExists(folder / "hyperparams.json") && SaeFileExists(final)) return SourceOf(final);
  for (const char* name :
       {"sae_weights.safetensors", "sae.safetensors", "params.npz", "params.safetensors"}) {
    const bool needs_config = absl::StartsWith(name, "sae");
    if (!SaeFileExists(folder / name) || (needs_config && !SaeFileExists(folder / "cfg.json")))
      continue;
    return SourceOf(folder / name);
  }
  std::vector<fs::path> weights, pickles, inside;
  for (const fs::path& file : FilesIn(folder)) {
    const std::string ending = file.extension().string();
    if (ending == ".safetensors" && file.filename() != "sparsity.safetensors") {
      weights.push_back(file);
    }
    if (IsPickle(ending) && file.filename() != "trainer_state.pt") pickles.push_back(file);
    for (const char* of_one : {"cfg.json", "params.npz", "hyperparams.json"}) {
      if (SaeFileExists(file / of_one)) inside.push_back(file);
    }
    if (IsQwenScopeName(file.filename().string())) inside.push_back(file);
  }
  const bool described =
      SaeFileExists(folder / "cfg.json") || SaeFileExists(folder / "config.json");
  if (weights.size() == 1 && described) return SourceOf(weights.front());
  if (weights.empty() && !pickles.empty()) return Pickle(pickles.front());
  if (!inside.empty()) {
    return Refuse(folder.string(),
                  absl::StrCat("it holds several SAEs; name one, e.g. ", inside.front().string()));
  }
  return Refuse(folder.string(),
                "the folder has neither params.npz, params.safetensors nor cfg.json with "
                "sae_weights.safetensors or sae.safetensors, nor one .safetensors with the "
                "config.json of dictionary_learning");
}

}  // namespace

absl::StatusOr<SaeSource> FindSaeSource(const std::string& path) {
  std::error_code error;
  const fs::path given(path);
  if (!SaeFileExists(given)) {
    return absl::NotFoundError(absl::StrCat("there is no SAE file or folder ", path));
  }
  if (fs::is_directory(given, error)) return SourceInFolder(given);
  const std::string ending = given.extension().string();
  if (IsPickle(ending)) return Pickle(given);
  if (ending != ".npz" && ending != ".safetensors") {
    return Refuse(path,
                  absl::StrCat("unknown ending \"", ending, "\"; .npz and .safetensors are read"));
  }
  return SourceOf(given);
}

}  // namespace fpo
