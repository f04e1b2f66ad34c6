#include "train/report/inspect.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/inputs/weights/rank_files.h"
#include "common/reference/record_file.h"
#include "common/status_macros.h"
#include "train/checkpoint/checkpoint_reader.h"
#include "train/data/token_file.h"
#include "train/formats/nf4_names.h"
#include "train/formats/sae_files.h"
#include "train/formats/safetensors_directory.h"
#include "train/formats/tensor_type.h"
#include "train/model/gemma_config.h"
#include "train/tokenizer/tokenizer.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

std::string Bytes(double count) {
  for (const char* unit : {"bytes", "KiB", "MiB"}) {
    if (count < 1024)
      return absl::StrFormat("%.*f %s", count == std::floor(count) ? 0 : 1, count, unit);
    count /= 1024;
  }
  return absl::StrFormat("%.2f GiB", count);
}

// "F32", or "BF16 (288 tensors), F32 (1)" when types are mixed.
std::string TypeList(const std::map<std::string, int64_t>& types) {
  if (types.size() == 1) return types.begin()->first;
  std::vector<std::string> words;
  for (const auto& [type, count] : types) words.push_back(absl::StrCat(type, " (", count, ")"));
  return absl::StrJoin(words, ", ");
}

void AddConfigFacts(const std::string& folder, Inspection* out) {
  const auto text = ReadFile(absl::StrCat(folder, "/config.json"), 1 << 24);
  if (!text.ok()) return;
  const OrderedJson config = OrderedJson::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return;
  const OrderedJson nested = config.value("text_config", OrderedJson::object());
  for (const char* key : {"model_type", "num_hidden_layers", "hidden_size", "num_attention_heads",
                          "num_key_value_heads", "vocab_size"}) {
    const auto& holder = config.contains(key) || !nested.is_object() ? config : nested;
    if (!holder.contains(key)) continue;
    const OrderedJson& value = holder[key];
    out->facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

void AddTokenizerFacts(const std::string& folder, Inspection* out) {
  const auto tokenizer = Tokenizer::Open(folder);
  if (!tokenizer.ok()) {
    out->facts.emplace_back("tokenizer", std::string(tokenizer.status().message()));
    return;
  }
  const bool turns = tokenizer->IdOf("<start_of_turn>").has_value();
  out->facts.emplace_back(
      "tokenizer", absl::StrCat(tokenizer->size(), " pieces, ", turns ? "with" : "without",
                                " turn marks, ", fs::path(tokenizer->file()).filename().string()));
  for (const std::string& warning : tokenizer->warnings()) {
    out->facts.emplace_back("tokenizer warning", warning);
  }
}

// Of a folder whose tensors are not one number for each.
std::string ParametersByConfig(const std::string& folder) {
  const auto text = ReadFile(folder + "/config.json", 16 << 20);
  if (!text.ok()) return "unknown";
  const auto config = ParseGemmaConfig(*text);
  return config.ok() ? absl::StrCat(ParameterCount(*config)) : "unknown";
}

absl::StatusOr<Inspection> InspectModel(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const SafetensorsDirectory weights, SafetensorsDirectory::Open(folder));
  Inspection out{"model", folder, {}};
  AddConfigFacts(folder, &out);
  std::map<std::string, int64_t> types;
  int64_t bytes = 0;
  for (const std::string& name : weights.Names()) {
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, weights.Entry(name));
    ++types[entry.dtype];
    bytes += entry.end - entry.begin;
  }
  FPO_ASSIGN_OR_RETURN(const Digest digest, weights.WeightsDigest());
  out.facts.emplace_back("tensors", absl::StrCat(weights.Names().size()));
  const bool packed = !SplitNf4Names(weights.Names()).packed.empty();
  out.facts.emplace_back("parameters",
                         packed ? ParametersByConfig(folder) : absl::StrCat(weights.Parameters()));
  if (packed) out.facts.emplace_back("quantised", "NF4, by bitsandbytes");
  out.facts.emplace_back("dtype", TypeList(types));
  out.facts.emplace_back("size", Bytes(static_cast<double>(bytes)));
  AddTokenizerFacts(folder, &out);
  for (const std::string& note : weights.notes()) out.facts.emplace_back("note", note);
  out.facts.emplace_back("weights digest", ToHex(digest));
  return out;
}

absl::StatusOr<Inspection> InspectSae(const std::string& path) {
  auto loaded = LoadSaeFile(path);
  std::string unsaid;
  if (!loaded.ok() && absl::StrContains(loaded.status().message(), "give sae.")) {
    // Layer or site is stated nowhere; the rest can still be shown.
    unsaid = "not stated; a job must give layer and site";
    for (const char* site : {"resid_post", ""}) {
      loaded = LoadSaeFile(path, std::nullopt, site);
      if (!loaded.ok()) loaded = LoadSaeFile(path, 0, site);
      if (loaded.ok()) break;
    }
  }
  FPO_RETURN_IF_ERROR(loaded.status());
  Inspection out{"sae", path, {}};
  out.facts = {{"format", loaded->source},
               {"width", absl::StrCat(loaded->w_enc.size(0))},
               {"features", absl::StrCat(loaded->w_enc.size(1))},
               {"layer", unsaid.empty() ? absl::StrCat(loaded->layer) : unsaid},
               {"site", unsaid.empty() ? loaded->site : unsaid},
               {"target L0", loaded->target_l0 ? absl::StrCat(*loaded->target_l0) : "not stated"},
               {"measured L0", loaded->l0 ? absl::StrCat(*loaded->l0) : "not stated"},
               {"decoder", loaded->w_dec.defined() ? "present" : "absent"},
               {"b_dec subtracted", loaded->apply_b_dec_to_input ? "yes" : "no"}};
  if (loaded->top_k > 0) {
    out.facts.emplace_back("active per token", absl::StrCat("the ", loaded->top_k, " largest"));
  }
  for (const std::string& note : loaded->notes) out.facts.emplace_back("note", note);
  if (unsaid.empty()) out.facts.emplace_back("digest", ToHex(loaded->digest));
  return out;
}

absl::StatusOr<Inspection> InspectCheckpoint(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const SavedCheckpoint checkpoint, ReadCheckpoint(folder));
  int64_t parameters = 0;
  std::map<std::string, int64_t> types;
  for (const std::string& name : checkpoint.model.Names()) {
    FPO_ASSIGN_OR_RETURN(const TensorEntry entry, checkpoint.model.Entry(name));
    parameters += entry.Elements();
    ++types[entry.dtype];
  }
  Inspection out{"checkpoint", folder, {}};
  out.facts = {{"step", absl::StrCat(checkpoint.info.step)},
               {"score", checkpoint.info.score ? absl::StrCat(*checkpoint.info.score) : "none"},
               {"parameters", absl::StrCat(parameters)},
               {"dtype", TypeList(types)},
               {"optimizer tensors", absl::StrCat(checkpoint.optimizer.size())},
               {"written by", checkpoint.world == 1 ? std::string("one rank")
                                                    : absl::StrCat(checkpoint.world, " ranks")},
               {"files", "all match their manifest"},
               {"digest", ToHex(checkpoint.digest)}};
  return out;
}

absl::StatusOr<Inspection> InspectTokens(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const TokenFile file, TokenFile::Open(path));
  Inspection out{"tokens", path, {}};
  int64_t longest = 0;
  for (int64_t i = 0; i < file.size(); ++i) longest = std::max(longest, file.LongestSequence(i));
  out.facts = {{"pairs", absl::StrCat(file.size())},
               {"tokens", absl::StrCat(file.tokens())},
               {"rejected side", file.has_rejected() ? "yes" : "not everywhere"},
               {"longest sequence", absl::StrCat(longest)}};
  for (const auto& [key, value] : file.metadata()) out.facts.emplace_back(key, value);
  out.facts.emplace_back("digest", ToHex(file.digest()));
  return out;
}

absl::StatusOr<Inspection> InspectRecords(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const auto file, RecordFile::Open(path));
  const Recipe& recipe = file->recipe();
  Inspection out{"records", path, {}};
  out.facts = {{"records", absl::StrCat(file->size())},
               {"recipe id", ToHex(RecipeId(recipe))},
               {"model digest", recipe.model_digest},
               {"forward", recipe.forward},
               {"dtype", recipe.dtype},
               {"device", recipe.device},
               {"features", recipe.sae.empty() ? "none (log-probs only)" : recipe.features}};
  for (const SaeRecipe& sae : recipe.sae) {
    out.facts.emplace_back(
        "sae", absl::StrCat("layer ", sae.layer, ", ", sae.site,
                            sae.k > 0 ? absl::StrCat(", the ", sae.k, " largest") : "", ", digest ",
                            sae.digest));
  }
  return out;
}

absl::StatusOr<Inspection> InspectSafetensors(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  for (const char* name : {"w_enc", "W_enc", "encoder.weight"}) {
    if (file->Contains(name)) return InspectSae(path);
  }
  const auto format = file->metadata().find("format");
  if (format != file->metadata().end() && absl::StartsWith(format->second, "fpo-tokens")) {
    return InspectTokens(path);
  }
  Inspection out{"safetensors", path, {}};
  int64_t elements = 0;
  std::map<std::string, int64_t> types;
  for (const auto& [name, entry] : file->entries()) {
    elements += entry.Elements();
    ++types[entry.dtype];
  }
  out.facts = {{"tensors", absl::StrCat(file->entries().size())},
               {"elements", absl::StrCat(elements)},
               {"dtype", TypeList(types)}};
  for (const auto& [key, value] : file->metadata()) out.facts.emplace_back(key, value);
  FPO_ASSIGN_OR_RETURN(const Digest digest, Sha256OfFile(path));
  out.facts.emplace_back("sha256", ToHex(digest));
  return out;
}

absl::StatusOr<Inspection> InspectPrepared(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(folder + "/prepare.json", 1 << 20));
  const OrderedJson json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::DataLossError(absl::StrCat(folder, "/prepare.json is not a JSON object"));
  }
  Inspection out{"prepared data", folder, {}};
  for (const auto& [key, value] : json.items()) {
    out.facts.emplace_back(key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

absl::StatusOr<Inspection> InspectRun(const std::string& folder) {
  Inspection out{"run", folder, {}};
  std::vector<std::string> steps;
  for (const CheckpointInfo& info : ListCheckpoints(folder))
    steps.push_back(absl::StrCat(info.step));
  out.facts.emplace_back("checkpoints", steps.empty() ? "none" : absl::StrJoin(steps, ", "));
  std::error_code error;
  for (const char* name : {"model", "report.html", "metrics.jsonl", "run.json", "admission.json"}) {
    out.facts.emplace_back(
        name, fs::exists(absl::StrCat(folder, "/", name), error) ? "present" : "absent");
  }
  return out;
}

absl::StatusOr<Inspection> InspectFolder(const std::string& path) {
  std::error_code error;
  const auto has = [&](const char* name) {
    return fs::exists(absl::StrCat(path, "/", name), error);
  };
  if (has("manifest.json") &&
      (has("optimizer.safetensors") || HasRankFile(path, kOptimizerRankStem))) {
    return InspectCheckpoint(path);
  }
  if (has("params.npz") || has("params.safetensors") || has("sae_weights.safetensors") ||
      has("sae.safetensors") || has("ae.safetensors") || has("cfg.json")) {
    return InspectSae(path);
  }
  if (has("prepare.json")) return InspectPrepared(path);
  if (has("config.json")) return InspectModel(path);
  if (has("metrics.jsonl") || has("checkpoints")) return InspectRun(path);
  return absl::InvalidArgumentError(absl::StrCat(
      path,
      " is none of: model folder (config.json), SAE (params.npz, cfg.json), checkpoint "
      "(manifest.json), prepared data (prepare.json), run (metrics.jsonl)"));
}

}  // namespace

absl::StatusOr<Inspection> Inspect(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return absl::NotFoundError(absl::StrCat("there is no ", path));
  absl::StatusOr<Inspection> found = absl::InvalidArgumentError(
      absl::StrCat(path, " is not a file of a known kind (.safetensors, .npz, .fpr)"));
  if (fs::is_directory(path, error)) {
    found = InspectFolder(path);
  } else if (absl::EndsWith(path, ".safetensors")) {
    found = InspectSafetensors(path);
  } else if (absl::EndsWith(path, ".npz")) {
    found = InspectSae(path);
  } else if (absl::EndsWith(path, ".fpr")) {
    found = InspectRecords(path);
  }
  if (!found.ok() && absl::IsDataLoss(found.status())) {
    return absl::InvalidArgumentError(found.status().message());
  }
  return found;
}

std::string Inspection::Text() const {
  size_t width = 4;
  for (const auto& [name, value] : facts) width = std::max(width, name.size());
  std::string text =
      absl::StrFormat("%-*s  %s\n%-*s  %s\n", width, "kind", kind, width, "path", path);
  for (const auto& [name, value] : facts) {
    absl::StrAppendFormat(&text, "%-*s  %s\n", width, name, value);
  }
  return text;
}

std::string Inspection::Json() const {
  nlohmann::ordered_json json = {{"kind", kind}, {"path", path}};
  for (const auto& [name, value] : facts) json["facts"][name] = value;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace fpo::train
