#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job_fields.h"
#include "common/job_file.h"
#include "common/json.h"

namespace fpo {
namespace {

struct Example {
  const char* name;
  const char* about;
  std::set<std::string> sections;  // besides name, kind, model, data, output
};

const std::vector<Example>& Examples() {
  static const std::vector<Example> examples = {
      {"sft",
       "Supervised fine-tuning on the chosen answers.",
       {"method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"dpo",
       "DPO against a frozen reference, from cached records.",
       {"reference", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"ln_dpo",
       "Length-normalised DPO against a frozen reference, from cached records.",
       {"reference", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"simpo",
       "SimPO: no reference.",
       {"method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"simpo_kl",
       "SimPO with a KL constraint: the reference model stays in memory.",
       {"reference", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"tdpo1",
       "TDPO-1: DPO with the sequential KL of each response; the reference stays in memory.",
       {"reference", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"tdpo2",
       "TDPO-2: TDPO with a weighted, one-sided KL; the reference stays in memory.",
       {"reference", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"fpo",
       "FPO: length-normalised preference training that holds SAE features near the reference's.",
       {"reference", "sae", "method", "optimizer", "schedule", "batch", "checkpoint", "evaluate"}},
      {"sae",
       "Trains a JumpReLU SAE on a model's activations, for models without a published one.",
       {"sae", "sae_training"}},
      {"reference",
       "Computes the reference records of a dataset and trains nothing.",
       {"reference", "sae", "method"}},
      {"evaluate", "Measures a model on held-out pairs.", {"method", "evaluate"}},
  };
  return examples;
}

// Fields of the method section that a method reads.
bool MethodReads(const std::string& method, const std::string& field) {
  static const std::set<std::string> feature_fields = {"top_k", "feature_selection", "features",
                                                       "feature_weights"};
  static const std::set<std::string> constraint_fields = {"alpha", "stop_gradient"};
  if (field == "name") return true;
  if (method == "sft") return false;
  if (feature_fields.count(field) != 0) return method == "fpo";
  if (field == "gamma") return method == "simpo" || method == "simpo_kl";
  if (constraint_fields.count(field) != 0) {
    return method == "fpo" || method == "tdpo2" || method == "simpo_kl";
  }
  return true;
}

JobConfig ExampleConfig(const std::string& name) {
  JobConfig config;
  config.name = "my-" + name;
  std::replace(config.name.begin(), config.name.end(), '_', '-');
  config.model.path = "/models/gemma-2-2b-sft";
  config.output = "/runs/my-run";
  config.data.train = {"/data/train.jsonl.gz"};
  config.data.eval = {"/data/test.jsonl.gz"};
  const bool is_kind = name == "sae" || name == "reference" || name == "evaluate";
  if (is_kind) config.kind = name;
  config.method.name = is_kind ? (name == "evaluate" ? "simpo" : "fpo") : name;
  const std::string& method = config.method.name;
  const bool per_token = method == "fpo" || method == "ln_dpo" || absl::StartsWith(method, "simpo");
  if (per_token) config.method.beta = 2.0;
  config.reference.source = DefaultReferenceSource(method);
  config.reference.path = config.model.path;
  SaeSection sae;
  sae.path = name == "sae" ? "" : "/saes/layer_25/width_16k/average_l0_55/params.npz";
  if (name == "sae") sae.layer = 12;
  if (name == "sae") sae.site = "resid_post";
  config.sae = {sae};
  return config;
}

std::string Line(const std::string& indent, const JobField& field, const std::string& value) {
  std::string line = absl::StrCat(indent, field.name, ": ", value);
  if (line.size() < 44) line.resize(44, ' ');
  absl::StrAppend(&line, "  # ", field.doc);
  if (!field.words.empty()) absl::StrAppend(&line, ": ", absl::StrJoin(field.words, " | "));
  return line + "\n";
}

std::string Plain(const JobField& field) {
  if (auto* const* text = std::get_if<std::string*>(&field.slot)) {
    return (*text)->empty() ? "null" : **text;
  }
  if (auto* const* number = std::get_if<int64_t*>(&field.slot)) return absl::StrCat(**number);
  if (auto* const* real = std::get_if<double*>(&field.slot)) return JsonNumber(**real);
  if (auto* const* flag = std::get_if<bool*>(&field.slot)) return **flag ? "true" : "false";
  if (auto* const* maybe = std::get_if<std::optional<int64_t>*>(&field.slot)) {
    return (*maybe)->has_value() ? absl::StrCat(***maybe) : "null";
  }
  if (auto* const* list = std::get_if<std::vector<std::string>*>(&field.slot)) {
    return absl::StrCat("[", absl::StrJoin(**list, ", "), "]");
  }
  return absl::StrCat("[", absl::StrJoin(*std::get<std::vector<double>*>(field.slot), ", "), "]");
}

std::string Section(const JobEntry& entry, const JobConfig& config) {
  std::string text = absl::StrCat("\n", entry.name, ":");
  text.resize(std::max<size_t>(text.size(), 45), ' ');
  absl::StrAppend(&text, "  # ", entry.doc, "\n");
  for (const JobField& field : entry.fields) {
    const bool method = std::string(entry.name) == "method";
    if (method && !MethodReads(config.method.name, field.name)) continue;
    absl::StrAppend(&text, Line("  ", field, Plain(field)));
  }
  return text;
}

std::string SaeText(const JobEntry& entry, JobConfig* config) {
  JobEntry section = entry;
  section.fields = SaeFields(&config->sae.front());
  std::erase_if(section.fields, [](const JobField& field) {
    const std::string value = Plain(field);
    return value.empty() || value == "null";
  });
  return Section(section, *config);
}

}  // namespace

absl::StatusOr<std::string> ExampleJob(absl::string_view name) {
  std::vector<std::string> names;
  const Example* example = nullptr;
  for (const Example& candidate : Examples()) {
    names.emplace_back(candidate.name);
    if (name == candidate.name) example = &candidate;
  }
  if (example == nullptr) {
    return absl::NotFoundError(absl::StrCat("there is no example \"", name,
                                            "\"; there are: ", absl::StrJoin(names, ", ")));
  }
  JobConfig config = ExampleConfig(example->name);
  std::string text = absl::StrCat(
      "# ", example->about, "\n# Keys left out have the defaults shown by `fpoctl schema`.\n");
  const std::set<std::string> always = {"name", "kind", "output"};
  for (const JobEntry& entry : JobEntries(&config)) {
    const bool section = entry.kind == JobEntry::Kind::kSection;
    const bool common = std::string(entry.name) == "model" || std::string(entry.name) == "data";
    if (entry.kind == JobEntry::Kind::kField && always.count(entry.name) != 0) {
      const bool last = std::string(entry.name) == "output";
      absl::StrAppend(&text, last ? "\n" : "", Line("", entry.fields[0], Plain(entry.fields[0])));
    } else if (entry.kind == JobEntry::Kind::kSaeList && example->sections.count("sae") != 0) {
      absl::StrAppend(&text, SaeText(entry, &config));
    } else if (section && (common || example->sections.count(entry.name) != 0)) {
      absl::StrAppend(&text, Section(entry, config));
    }
  }
  return text;
}

}  // namespace fpo
