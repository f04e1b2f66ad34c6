#include "train/export/model_card.h"

#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/job/method_table.h"

namespace fpo::train {
namespace {

using Json = nlohmann::ordered_json;

// The last part of a path: "gemma-2-2b" of /models/gemma-2-2b/.
std::string NameOf(const std::string& path) {
  const std::filesystem::path whole(path);
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

std::string TextAt(const Json& json, const std::string& pointer) {
  const Json::json_pointer at(pointer);
  if (!json.is_object() || !json.contains(at)) return "";
  const Json& value = json[at];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Two columns; rows without a value are left out.
class CardTable {
 public:
  void Row(absl::string_view name, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text_, "| ", name, " | ", value, " |\n");
  }
  std::string Text() const {
    return text_.empty() ? "" : absl::StrCat("| | |\n| --- | --- |\n", text_, "\n");
  }

 private:
  std::string text_;
};

std::string DigestText(const Json& run, const std::string& pointer) {
  const std::string digest = TextAt(run, pointer);
  return digest.empty() ? "" : absl::StrCat(" (`", digest, "`)");
}

std::string MethodFacts(const JobConfig& job) {
  const MethodSection& method = job.method;
  std::vector<std::string> facts = {method.name};
  const bool prefers = method.name != "sft";
  if (prefers) facts.push_back(absl::StrCat("beta ", method.beta));
  if (method.loss != "sigmoid") facts.push_back(absl::StrCat("loss ", method.loss));
  if (method.sft_weight > 0) facts.push_back(absl::StrCat("SFT weight ", method.sft_weight));
  if (MethodReads(method, "alpha")) facts.push_back(absl::StrCat("alpha ", method.alpha));
  if (MethodReads(method, "gamma")) facts.push_back(absl::StrCat("gamma ", method.gamma));
  if (ComparesFeatures(method)) {
    facts.push_back(absl::StrCat("top ", method.top_k, " features, ", method.feature_selection));
  }
  return absl::StrJoin(facts, ", ");
}

std::string SettingsTable(const JobConfig& job, const Json& run, const ModelCardFacts& facts) {
  CardTable table;
  table.Row("Trained from", absl::StrCat(NameOf(job.model.path), DigestText(run, "/model/digest")));
  table.Row("Method", MethodFacts(job));
  std::vector<std::string> files;
  for (const std::string& file : job.data.train) files.push_back(NameOf(file));
  const std::string pairs = TextAt(run, "/data/train_pairs");
  table.Row("Data", absl::StrCat(absl::StrJoin(files, ", "),
                                 pairs.empty() ? "" : absl::StrCat(", ", pairs, " rows"),
                                 DigestText(run, "/data/digest")));
  std::vector<std::string> saes;
  for (const SaeSection& sae : job.sae) saes.push_back(NameOf(sae.path));
  if (ComparesFeatures(job.method) && job.method.features == "sae") {
    table.Row("Sparse autoencoder",
              absl::StrCat(absl::StrJoin(saes, ", "), DigestText(run, "/sae/0/digest")));
  }
  table.Row("Reference records", TextAt(run, "/recipe_id"));
  table.Row("Step", facts.final_step
                        ? absl::StrCat(facts.step)
                        : absl::StrCat(facts.step, " of ", TextAt(run, "/total_steps")));
  table.Row("Pairs a step", absl::StrCat(job.batch.pairs));
  table.Row("Optimizer", absl::StrCat(job.optimizer.name, ", learning rate ", job.optimizer.lr,
                                      ", ", job.schedule.name, " schedule, ",
                                      job.schedule.warmup_steps, " warm-up steps"));
  table.Row("Precision", job.model.dtype);
  table.Row("Seed", absl::StrCat(job.seed));
  table.Row("Program", TextAt(run, "/version").empty()
                           ? ""
                           : absl::StrCat("fpo-train ", TextAt(run, "/version")));
  return table.Text();
}

std::string ResultTable(const Json& run) {
  CardTable table;
  if (!run.is_object() || !run.contains("result")) return "";
  for (const auto& [name, value] : run["result"].items()) {
    if (absl::StartsWith(name, "eval_") && value.is_number()) {
      table.Row(name, absl::StrFormat("%.4g", value.get<double>()));
    }
  }
  const std::string rows = table.Text();
  return rows.empty() ? "" : absl::StrCat("## On the held-out rows\n\n", rows);
}

constexpr char kChat[] = R"(messages = [{"role": "user", "content": "Why is the sky blue?"}]
inputs = tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
)";
constexpr char kPlain[] = R"(inputs = tokenizer("The sky is", return_tensors="pt")
)";

std::string Usage(bool has_turns) {
  return absl::StrCat(R"(## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "."  # this one
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
)",
                      has_turns ? kChat : kPlain,
                      R"(output = model.generate(**inputs, max_new_tokens=256)
print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```
)");
}

}  // namespace

std::string ModelCard(const JobConfig& job, absl::string_view run_json,
                      const ModelCardFacts& facts) {
  const Json run = Json::parse(run_json, nullptr, /*allow_exceptions=*/false);
  return absl::StrCat("---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- ",
                      job.method.name, "\n---\n# ", job.name, "\n\n",
                      SettingsTable(job, run, facts), facts.final_step ? ResultTable(run) : "",
                      Usage(facts.has_turns));
}

}  // namespace fpo::train
