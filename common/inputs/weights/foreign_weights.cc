#include "common/inputs/weights/foreign_weights.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/posix_status.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr size_t kFolderNamesMax = 5000;
constexpr int64_t kAdapterBytesMax = 16 << 20;

Names NamesIn(const std::string& folder) {
  Names names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
    if (names.size() == kFolderNamesMax) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool Has(const Names& names, const std::string& name) {
  return std::binary_search(names.begin(), names.end(), name);
}

// The first name with this beginning and ending, or "".
std::string First(const Names& names, absl::string_view prefix, absl::string_view ending) {
  for (const std::string& name : names) {
    if (absl::StartsWith(name, prefix) && absl::EndsWith(name, ending)) return name;
  }
  return "";
}

// A command that writes the folder again as safetensors; `arguments` are from_pretrained's.
std::string SaveAgain(const std::string& folder, const std::string& arguments) {
  return absl::StrCat("python3 -c \"from transformers import AutoModelForCausalLM as M, ",
                      "AutoTokenizer as T; d = '", folder, "'; M.from_pretrained(d", arguments,
                      ").save_pretrained(d + '-safetensors'); T.from_pretrained(d",
                      absl::StrContains(arguments, "gguf_file") ? arguments : "",
                      ").save_pretrained(d + '-safetensors')\"");
}

std::string TextOf(const std::string& path, const char* key) {
  const auto text = ReadFile(path, kAdapterBytesMax);
  if (!text.ok()) return "";
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto it = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && it != json.end() && it->is_string() ? it->get<std::string>() : "";
}

// transformers would load the base model that the adapter names, and the adapter, whatever else is
// in the folder.
std::string Adapter(const std::string& folder, const Names& names) {
  const std::string weights = First(names, "adapter_model.", "");
  if (!Has(names, "adapter_config.json") && weights.empty()) return "";
  const std::string config = folder + "/adapter_config.json";
  std::string kind = TextOf(config, "peft_type");
  if (kind.empty() || kind == "LORA") kind = "LoRA";
  const std::string base = TextOf(config, "base_model_name_or_path");
  const std::string model = First(names, "model", ".safetensors");
  return absl::StrCat(
      folder, " holds a ", kind, " adapter", base.empty() ? "" : absl::StrCat(" of ", base),
      model.empty() ? ", not a model"
                    : absl::StrCat(" beside ", model, ": transformers would load the adapter's ",
                                   "base model and the adapter; remove the adapter's files, or"),
      model.empty() ? "; merge it first: " : " merge it first: ", "fpo-train export '", folder,
      "' --merge --model ", base.empty() ? "BASE" : absl::StrCat("'", base, "'"), " --out '",
      folder, "-merged'");
}

// Shards without an index, of which some are missing.
std::string Incomplete(const std::string& folder, const Names& names) {
  const std::string shard = First(names, "model-0", ".safetensors");
  if (shard.empty()) return "";
  return absl::StrCat(folder, " has ", shard,
                      " but not all shards of that number, and no model.safetensors.index.json; "
                      "download or copy the whole folder again");
}

std::string Variant(const std::string& folder, const Names& names) {
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, "model.") || !absl::StrContains(name, ".safetensors")) continue;
    const std::string rest = name.substr(6);
    const std::string variant = absl::StartsWith(rest, "safetensors.index.")
                                    ? rest.substr(18, rest.find(".json") - 18)
                                    : rest.substr(0, rest.find_first_of(".-"));
    if (variant.empty() || variant == "safetensors" || variant == "json") continue;
    return absl::StrCat(folder, " has only the variant ", name,
                        ", which transformers does not load unless it is asked for; write it as "
                        "model.safetensors: ",
                        SaveAgain(folder, absl::StrCat(", variant='", variant, "'")));
  }
  return "";
}

struct OtherWeights {
  const char* prefix;
  const char* ending;
  const char* what;
  const char* way_out;  // "": SaveAgain
};
constexpr std::array<OtherWeights, 16> kOtherWeights = {{
    {"pytorch_model", ".bin", "a pickle file, which can run code when read", ""},
    {"pytorch_model", ".index.json", "the index of pickle files, which can run code when read", ""},
    {"consolidated", "",
     "weights in the layout of the original release, with other names of tensors",
     "use the folder in the Hugging Face layout (model.safetensors)"},
    {"zero_to_fp32", ".py", "a DeepSpeed checkpoint",
     "python3 zero_to_fp32.py . OUT --safe_serialization in that folder, then copy config.json and "
     "the tokenizer files to OUT"},
    {"", ".distcp", "a distributed PyTorch checkpoint (FSDP)",
     "python3 -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER model.pt, then load "
     "it into the model with transformers and save_pretrained"},
    {"_CHECKPOINT_METADATA", "", "an Orbax (JAX) checkpoint",
     "use the folder in the Hugging Face layout"},
    {"tf_model", ".h5", "TensorFlow weights",
     "convert them with transformers 4: from_pretrained(FOLDER, "
     "from_tf=True).save_pretrained(OUT)"},
    {"flax_model", ".msgpack", "Flax weights",
     "convert them with transformers 4: from_pretrained(FOLDER, "
     "from_flax=True).save_pretrained(OUT)"},
    {"", ".onnx", "an ONNX graph for inference", "use the model that it was exported from"},
    {"", ".nemo", "a NeMo archive", "convert it to the Hugging Face layout with NeMo"},
    {"", ".litertlm", "a model for LiteRT", "use the model that it was made from"},
    {"", ".task", "a model for MediaPipe", "use the model that it was made from"},
    {"", ".bin", "a pickle file, which can run code when read",
     "convert it with transformers to model.safetensors: from_pretrained, save_pretrained"},
    {"", ".pt", "a pickle file, which can run code when read",
     "load it where it was made and write a folder with save_pretrained"},
    {"", ".pth", "a pickle file, which can run code when read",
     "load it where it was made and write a folder with save_pretrained"},
    {"", ".ckpt", "a pickle file, which can run code when read",
     "load it where it was made and write a folder with save_pretrained"},
}};

std::string OtherFiles(const std::string& folder, const Names& names) {
  for (const OtherWeights& row : kOtherWeights) {
    const std::string name = First(names, row.prefix, row.ending);
    if (name.empty() || name == "training_args.bin" || name == "optimizer.pt" ||
        name == "scheduler.pt") {
      continue;
    }
    const std::string way_out = *row.way_out == '\0' ? SaveAgain(folder, "") : row.way_out;
    return absl::StrCat(folder, " has its weights only in ", name, ", ", row.what, "; ",
                        *row.way_out == '\0' ? "convert them: " : "", way_out);
  }
  const std::string other = First(names, "", ".safetensors");
  if (other.empty() || other == "optimizer.safetensors") return "";
  return absl::StrCat(folder, " has ", other,
                      ", but transformers looks for model.safetensors or "
                      "model.safetensors.index.json; if it holds the whole model, rename it");
}

// The folder above the one that was meant.
std::string Above(const std::string& folder, const Names& names) {
  std::error_code error;
  if (Has(names, "job.yaml") && (Has(names, "checkpoints") || Has(names, "model"))) {
    const bool done = Has(names, "model");
    return absl::StrCat(folder, " is the output folder of a run; name ",
                        done ? folder + "/model, its result" : folder + "/checkpoints/step-N",
                        done ? ", or a folder of its checkpoints" : "");
  }
  for (const std::string& name : names) {
    for (const std::string& inside : {name, absl::StrCat(name, "/main")}) {
      if (fs::exists(absl::StrCat(folder, "/", inside, "/config.json"), error)) {
        return absl::StrCat(folder, " has no config.json, but ", folder, "/", inside,
                            " has; did you mean that folder?");
      }
    }
  }
  if (!Has(names, "snapshots")) return "";
  for (const std::string& name : NamesIn(folder + "/snapshots")) {
    if (fs::exists(absl::StrCat(folder, "/snapshots/", name, "/config.json"), error)) {
      return absl::StrCat(folder, " is a folder of the Hub's cache; name ", folder, "/snapshots/",
                          name);
    }
  }
  return "";
}

std::string NamedFile(const std::string& path) {
  if (absl::EndsWith(path, ".gguf")) {
    const fs::path file(path);
    return absl::StrCat(path,
                        " is a GGUF file of llama.cpp; a model is a folder with "
                        "model.safetensors: ",
                        SaveAgain(file.parent_path().string(),
                                  absl::StrCat(", gguf_file='", file.filename().string(), "'")));
  }
  if (absl::EndsWith(path, ".safetensors")) {
    return absl::StrCat(path, " is a file; name the folder it is in");
  }
  return "";
}

}  // namespace

std::string ForeignWeights(const std::string& folder, bool weights) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return NamedFile(folder);
  const Names names = NamesIn(folder);
  const std::string adapter = Adapter(folder, names);
  if (!adapter.empty()) return adapter;
  const bool has_config = Has(names, "config.json");
  if (!has_config) {
    const std::string above = Above(folder, names);
    if (!above.empty()) return above;
  }
  // Without either, whatever else is there is what the folder holds.
  if (!weights && (has_config || !First(names, "", ".safetensors").empty())) return "";
  const std::string gguf = First(names, "", ".gguf");
  if (!gguf.empty()) {
    return absl::StrCat(folder, " has its weights only in ", gguf,
                        ", a GGUF file of llama.cpp; use the model that it was made from, or "
                        "convert it (weights that were quantised stay rounded): ",
                        SaveAgain(folder, absl::StrCat(", gguf_file='", gguf, "'")));
  }
  for (const auto look : {&Incomplete, &Variant, &OtherFiles}) {
    const std::string found = look(folder, names);
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace fpo
