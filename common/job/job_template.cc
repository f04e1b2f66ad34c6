#include "common/job/job_template.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/job/job_fields.h"
#include "common/job/job_file.h"
#include "common/job/method_table.h"
#include "common/text/json.h"

namespace fpo {
namespace {

constexpr size_t kCommentColumn = 40;
constexpr size_t kReasonWidth = 110;

const std::set<std::string> kTraining = {"labels",
                                         "data",
                                         "optimizer",
                                         "schedule",
                                         "batch",
                                         "epochs",
                                         "max_steps",
                                         "seed",
                                         "retry",
                                         "evaluate",
                                         "checkpoint",
                                         "resources",
                                         "activation_checkpointing"};

struct Template {
  std::string name;
  std::string about;
  std::string kind = "train";
  std::string method;                 // "": no section "method"
  std::vector<const char*> required;  // keys that must be set, besides name
  std::set<std::string> sections;     // other sections that it may set
  const char* model = "";             // the model's role in this job; empty: as in the field table
};

std::vector<Template> MakeTemplates() {
  std::vector<Template> all;
  for (const MethodInfo& method : Methods()) {
    Template t{method.name, method.about, "train", method.name, {"model.path"}, kTraining};
    if (method.reference != std::string("none")) t.sections.insert("reference");
    if (MethodReads(method, "alpha")) t.sections.insert("constraint");
    if (MethodReads(method, "features")) {
      t.required.push_back("sae.path");
      t.sections.insert("features");
    }
    t.required.push_back("data.train");
    all.push_back(std::move(t));
  }
  all.push_back(
      {"sae",
       "Trains a JumpReLU SAE on a model's activations, for models without a published one.",
       "sae",
       "",
       {"model.path", "sae.layer", "sae.site", "data.train"},
       {"labels", "sae_training", "seed", "resources", "retry"},
       "the model whose activations the SAE learns; it is read, never changed"});
  all.push_back({"reference",
                 "Computes the reference records of a dataset and trains nothing.",
                 "reference",
                 "fpo",
                 {"model.path", "sae.path", "data.train"},
                 {"labels", "reference", "resources", "retry"},
                 "the model whose answers are scored, unless reference.path names another"});
  all.push_back({"evaluate",
                 "Measures a model on held-out pairs.",
                 "evaluate",
                 "simpo",
                 {"model.path", "data.eval"},
                 {"labels", "evaluate", "resources", "retry"},
                 "the model to measure; it is read, never changed"});
  all.push_back({"generate",
                 "Answers the prompts of a file with a model.",
                 "generate",
                 "",
                 {"model.path", "generate.prompts"},
                 {"labels", "data", "seed", "resources", "retry"},
                 "the model that answers; it is read, never changed"});
  all.push_back({"judge",
                 "Compares the answers of two files, by a model or a server that judges.",
                 "judge",
                 "",
                 {"model.path", "judge.outputs", "judge.baseline"},
                 {"labels", "data", "seed", "resources", "retry"},
                 "the judge; for a server leave this section out and set judge.url, judge.model"});
  return all;
}

const std::vector<Template>& Templates() {
  static const std::vector<Template> templates = MakeTemplates();
  return templates;
}

const Template* FindTemplate(absl::string_view name) {
  for (const Template& t : Templates()) {
    if (name == t.name) return &t;
  }
  return nullptr;
}

// Placeholders for what only the user knows.
std::string StandIn(const std::string& key) {
  if (key == "model.path") return "/path/to/model";
  if (key == "reference.path") return "/path/to/reference";
  if (key == "sae.path") return "/path/to/sae/params.npz";
  if (key == "sae.layer") return "12";
  if (key == "sae.site") return "resid_post";
  if (key == "data.train") return "[/path/to/train.jsonl]";
  if (key == "data.eval") return "[/path/to/test.jsonl]";
  if (key == "generate.prompts") return "/path/to/prompts.jsonl";
  if (key == "judge.outputs") return "/path/to/answers.json";
  if (key == "judge.baseline") return "/path/to/baseline.json";
  if (key == "method.feature_weights") return "/path/to/weights.txt";
  return "";
}

// Not 5e-07, which YAML 1.1 readers take for text.
std::string PlainNumber(double value) {
  std::string text = JsonNumber(value);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string Plain(const JobField& field) {
  if (auto* const* text = std::get_if<std::string*>(&field.slot)) {
    return (*text)->empty() ? "null" : **text;
  }
  if (auto* const* number = std::get_if<int64_t*>(&field.slot)) return absl::StrCat(**number);
  if (auto* const* real = std::get_if<double*>(&field.slot)) return PlainNumber(**real);
  if (auto* const* flag = std::get_if<bool*>(&field.slot)) return **flag ? "true" : "false";
  if (auto* const* maybe = std::get_if<std::optional<int64_t>*>(&field.slot)) {
    return (*maybe)->has_value() ? absl::StrCat(***maybe) : "null";
  }
  const bool nested = std::holds_alternative<JobNames*>(field.slot) ||
                      std::holds_alternative<std::optional<double>*>(field.slot) ||
                      std::holds_alternative<std::vector<int64_t>*>(field.slot) ||
                      std::holds_alternative<std::vector<FeatureSetSection>*>(field.slot) ||
                      std::holds_alternative<DataSection*>(field.slot);
  if (nested) return JobFieldText(field);
  if (auto* const* list = std::get_if<std::vector<std::string>*>(&field.slot)) {
    return absl::StrCat("[", absl::StrJoin(**list, ", "), "]");
  }
  return absl::StrCat("[", absl::StrJoin(*std::get<std::vector<double>*>(field.slot), ", "), "]");
}

// Writes one template, entry by entry of the field table.
class Writer {
 public:
  Writer(const Template& form, const std::vector<TemplateChoice>& choices)
      : form_(form), choices_(choices) {
    config_.name = absl::StrCat("my-", form.name);
    std::replace(config_.name.begin(), config_.name.end(), '_', '-');
    config_.kind = form.kind;
    config_.output = "runs/" + config_.name;
    if (!form.method.empty()) config_.method.name = form.method;
    method_ = FindMethod(config_.method.name);
    if (method_->beta > 0) config_.method.beta = method_->beta;
    config_.method.constraint = method_->constraint;
    config_.reference.source = method_->reference;
    config_.sae.emplace_back();
  }

  std::string Write() {
    std::vector<std::string> needed = {form_.required.begin(), form_.required.end()};
    absl::StrAppend(&text_, "# ", form_.about, "\n# Set these: ", absl::StrJoin(needed, ", "),
                    ". Everything else is optional and stands here with its default: take\n",
                    "# the \"# \" away to change it. (fpoctl schema prints all keys.)\n");
    const std::vector<JobEntry> entries = JobEntries(&config_);
    for (const bool required : {true, false}) {
      for (const JobEntry& entry : entries) WriteEntry(entry, required);
    }
    return std::move(text_);
  }

 private:
  bool MustSet(const std::string& key) const {
    if (key == "name" || (key == "kind" && form_.kind != "train")) return true;
    if (key == "method.name") return !form_.method.empty();
    return std::find(form_.required.begin(), form_.required.end(), key) != form_.required.end();
  }

  // Sections with keys that must be set come first.
  bool IsRequired(const std::string& entry) const {
    if (MustSet(entry) || (entry == "method" && !form_.method.empty())) return true;
    return std::any_of(form_.required.begin(), form_.required.end(),
                       [&](const char* key) { return absl::StartsWith(key, entry + "."); });
  }

  bool Has(const std::string& entry) const {
    return IsRequired(entry) || form_.sections.count(entry) != 0 || entry == "kind" ||
           entry == "output";
  }

  // A template leaves out keys that its job would not read.
  bool Reads(const std::string& key) const {
    const bool measures = form_.kind == "evaluate", sae = form_.kind == "sae";
    const bool texts = form_.kind == "generate" || form_.kind == "judge";
    if (texts && absl::StartsWith(key, "data.")) return key == "data.template";
    if (absl::StartsWith(key, "method.")) {
      for (const char* trains : {"beta", "alpha", "loss", "sft_weight", "label_smoothing"}) {
        if (form_.kind == "reference" && key.substr(7) == trains) return false;
      }
      return MethodReads(*method_, key.substr(7));
    }
    if (absl::StartsWith(key, "constraint.") && key != "constraint.budget") {
      return MethodReads(*method_, "features");
    }
    if (absl::StartsWith(key, "evaluate.") && key != "evaluate.pairs") return !measures;
    if (key == "data.train") return !measures;
    if (key == "data.max_pairs" || key == "data.shuffle") return form_.kind != "evaluate";
    if (key == "data.train_on") return !sae;
    if (key == "data.eval") return !sae;
    if (key == "sae.path") return !sae;
    return true;
  }

  const TemplateChoice* ChoiceOf(const std::string& key) const {
    for (const TemplateChoice& choice : choices_) {
      if (choice.key == key) return &choice;
    }
    return nullptr;
  }

  std::string Doc(const std::string& key, const JobField& field) const {
    std::string doc = field.doc;
    const bool choice = !field.words.empty() && !std::holds_alternative<JobNames*>(field.slot);
    if (choice) absl::StrAppend(&doc, ": ", absl::StrJoin(field.words, " | "));
    if (key == "method.beta") {
      const bool paper = method_->beta_paper != std::string("-");
      return absl::StrCat(doc, "; ", BetaRange(*method_), " is usual",
                          paper ? absl::StrCat(", the FPO paper: ", method_->beta_paper) : "");
    }
    if (key == "method.alpha") {
      absl::StrAppend(&doc, "; see divergence/*, or set constraint.budget");
    }
    if (!field.by_default.empty()) absl::StrAppend(&doc, "; default: ", field.by_default);
    return doc;
  }

  void WriteReason(const std::string& indent, const TemplateChoice& choice) {
    std::string line = absl::StrCat(indent, choice.set ? "# init chose: " : "# init found: ");
    for (absl::string_view word : absl::StrSplit(choice.reason, ' ')) {
      if (line.size() + word.size() > kReasonWidth) {
        absl::StrAppend(&text_, absl::StripTrailingAsciiWhitespace(line), "\n");
        line = absl::StrCat(indent, "#   ");
      }
      absl::StrAppend(&line, word, " ");
    }
    absl::StrAppend(&text_, absl::StripTrailingAsciiWhitespace(line), "\n");
  }

  void WriteLine(std::string line, absl::string_view comment) {
    if (line.size() < kCommentColumn) line.resize(kCommentColumn, ' ');
    absl::StrAppend(&text_, line, "  # ", comment, "\n");
  }

  void WriteField(const std::string& section, const JobField& field) {
    const std::string key = section.empty() ? field.name : absl::StrCat(section, ".", field.name);
    if (!Reads(key)) return;
    const std::string indent = section.empty() ? "" : "  ";
    const TemplateChoice* choice = ChoiceOf(key);
    const bool set = choice != nullptr ? choice->set : MustSet(key);
    if (choice != nullptr && !choice->reason.empty()) WriteReason(indent, *choice);
    const std::string stand_in = StandIn(key);
    const std::string value = choice != nullptr  ? choice->value
                              : stand_in.empty() ? Plain(field)
                                                 : stand_in;
    WriteLine(absl::StrCat(indent, set ? "" : "# ", field.name, ": ", value), Doc(key, field));
  }

  void WriteEntry(const JobEntry& entry, bool required) {
    const std::string name = entry.name;
    if (!Has(name) || IsRequired(name) != required) return;
    if (entry.kind == JobEntry::Kind::kField) {
      if (after_section_) absl::StrAppend(&text_, "\n");
      after_section_ = false;
      return WriteField("", entry.fields.front());
    }
    after_section_ = true;
    std::string doc = entry.doc;
    if (name == "model" && *form_.model != '\0') doc = form_.model;
    absl::StrAppend(&text_, "\n");
    WriteLine(name + ":", doc);
    if (entry.kind == JobEntry::Kind::kLabels) {
      absl::StrAppend(&text_, "  # team: alignment\n");
      return;
    }
    const bool sae = entry.kind == JobEntry::Kind::kSaeList;
    std::vector<JobField> fields = sae ? SaeFields(&config_.sae.front()) : entry.fields;
    // Keys that must be set come first.
    std::stable_partition(fields.begin(), fields.end(), [&](const JobField& field) {
      return MustSet(absl::StrCat(name, ".", field.name));
    });
    for (const JobField& field : fields) WriteField(name, field);
  }

  const Template& form_;
  const std::vector<TemplateChoice>& choices_;
  JobConfig config_;
  const MethodInfo* method_ = nullptr;
  bool after_section_ = false;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::string> JobTemplate(absl::string_view name,
                                        const std::vector<TemplateChoice>& choices) {
  const Template* form = FindTemplate(name);
  if (form != nullptr) return Writer(*form, choices).Write();
  std::vector<std::string> names;
  for (const Template& t : Templates()) names.push_back(t.name);
  return absl::NotFoundError(
      absl::StrCat("there is no template \"", name, "\"; there are: ", absl::StrJoin(names, ", ")));
}

std::string TemplateMethod(absl::string_view name) {
  const Template* form = FindTemplate(name);
  return form == nullptr ? "" : form->method;
}

std::string YamlText(const std::string& text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '/' || c == '.' || c == '_' || c == '-' || c >= 0x80;
  });
  return plain && text[0] != '-' ? text : JsonQuote(text);
}

}  // namespace fpo
