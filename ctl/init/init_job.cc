#include "ctl/init/init_job.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/missing_path.h"
#include "common/inputs/sae_config.h"
#include "common/inputs/sae_fit.h"
#include "common/job/job_paths.h"
#include "common/job/method_table.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/init/data_facts.h"
#include "ctl/init/model_facts.h"

namespace fpo::ctl {
namespace {

namespace fs = std::filesystem;

// "gemma-3-270m-fpo" for the folder .../Gemma-3-270M.
std::string NameOf(const std::string& model, const std::string& method) {
  std::string name = absl::StrCat(fs::path(model).filename().string(), "-", method);
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    c = std::isalnum(byte) != 0 && byte < 0x80 ? static_cast<char>(std::tolower(byte)) : '-';
  }
  constexpr size_t kNameMax = 63;
  return name.size() > kNameMax ? name.substr(name.size() - kNameMax) : name;
}

std::string FileList(const std::vector<std::string>& files) {
  std::vector<std::string> quoted;
  for (const std::string& file : files) quoted.push_back(YamlText(file));
  return absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
}

class Chooser {
 public:
  explicit Chooser(const InitRequest& request) : request_(request) {}

  absl::StatusOr<std::vector<TemplateChoice>> Choose() {
    FPO_RETURN_IF_ERROR(CheckRequest());
    if (!request_.model.empty()) FPO_RETURN_IF_ERROR(ChooseModel());
    if (!request_.sae.empty()) FPO_RETURN_IF_ERROR(ChooseSae());
    FPO_RETURN_IF_ERROR(ChooseData());
    if (model_.has_value()) ChooseMethod();
    return std::move(choices_);
  }

 private:
  void Add(std::string key, std::string value, std::string reason = "", bool set = true) {
    choices_.push_back({std::move(key), std::move(value), std::move(reason), set});
  }
  absl::StatusOr<std::string> Absolute(const std::string& path) const {
    return ResolvePath(path, fs::current_path().string(), request_.variables);
  }
  bool IsKind(const char* kind) const { return request_.method == kind; }
  bool ReadsTexts() const { return IsKind("generate") || IsKind("judge"); }
  const MethodInfo* Method() const { return FindMethod(TemplateMethod(request_.method)); }

  absl::string_view WhyNoSae() const {
    if (IsKind("sae")) return "trains an SAE, it reads none";
    if (Method() == nullptr || !MethodReads(*Method(), "constraint")) return "uses no SAE";
    return "has no features to hold unless the job says so: take init fpo, then set method.name "
           "and method.constraint: features";
  }

  // Rejects options that this job has no use for.
  absl::Status CheckRequest() const {
    const auto refuse = [&](absl::string_view option, absl::string_view why) {
      return UsageError(absl::StrCat("init: --", option, ": ", request_.method, " ", why),
                        "fpoctl init --help");
    };
    const bool features = Method() != nullptr && MethodReads(*Method(), "features");
    if (!request_.sae.empty() && !features) {
      return refuse("sae", WhyNoSae());
    }
    if (!request_.eval.empty() && (IsKind("sae") || ReadsTexts())) {
      return refuse("eval", "has no held-out data");
    }
    if (ReadsTexts() && request_.data.size() > 1) {
      return refuse("data", IsKind("judge") ? "reads one file of the model's answers"
                                            : "reads one file of prompts");
    }
    if (!request_.baseline.empty() && !IsKind("judge")) {
      return refuse("baseline", "compares no answers");
    }
    return absl::OkStatus();
  }

  absl::Status ChooseModel() {
    FPO_ASSIGN_OR_RETURN(const std::string path, Absolute(request_.model));
    FPO_ASSIGN_OR_RETURN(model_, ReadModelFacts({path, request_.model}));
    Add("name", NameOf(path, request_.method));
    Add("model.path", YamlText(path));
    if (request_.has_gpu) {
      Add("model.dtype", "bfloat16", "this machine has an NVIDIA GPU");
    } else if (ReadsTexts()) {
      Add("model.dtype", "float32",
          "this machine has no NVIDIA GPU, and a CPU computes in float32 anyway; for workers with "
          "GPUs take bfloat16");
    } else {
      Add("model.dtype", "float32",
          "this machine has no NVIDIA GPU, and bfloat16 is several times slower on a CPU; for "
          "workers with GPUs take bfloat16");
    }
    ChooseBatch();
    ChooseLength();
    if (IsKind("sae") && model_->shape.layers > 0) {
      const int64_t layer = model_->shape.layers * 2 / 3;
      Add("sae.layer", absl::StrCat(layer),
          absl::StrCat("two thirds of the model's ", model_->shape.layers,
                       " layers; late layers held better in the FPO paper"));
      Add("sae.site", "resid_post", "the site of the FPO paper");
    }
    return absl::OkStatus();
  }

  // On a CPU a step of the default batch and length takes as long as sixteen of those chosen here.
  void ChooseBatch() {
    constexpr int64_t kPairsOnCpu = 8;
    if (request_.has_gpu || FindMethod(request_.method) == nullptr) return;
    Add("batch.pairs", absl::StrCat(kPairsOnCpu),
        absl::StrCat("this machine has no NVIDIA GPU, and a CPU would take very long for each "
                     "step of ",
                     pairs_, " pairs; for workers with GPUs take ", pairs_));
    pairs_ = kPairsOnCpu;
  }

  void ChooseLength() {
    if (ReadsTexts()) return;
    constexpr int64_t kOnCpu = 256;
    const DataSection defaults;
    const bool cpu = !request_.has_gpu;
    int64_t length = cpu ? kOnCpu : defaults.max_length;
    std::string reason;
    if (cpu) {
      reason =
          absl::StrCat("this machine has no NVIDIA GPU, and ", defaults.max_length,
                       " tokens a row are slow on a CPU; longer rows are cut. For workers "
                       "with GPUs take ",
                       defaults.max_length, " and max_prompt_length ", defaults.max_prompt_length);
    }
    if (model_->shape.context > 0 && model_->shape.context < length) {
      length = model_->shape.context;
      reason = absl::StrCat("the model has ", length, " positions");
    }
    if (reason.empty()) return;
    Add("data.max_length", absl::StrCat(length), reason);
    Add("data.max_prompt_length", absl::StrCat(length / 2), "half of max_length");
  }

  absl::Status ChooseSae() {
    FPO_ASSIGN_OR_RETURN(const std::string path, Absolute(request_.sae));
    const std::string problem = MissingPathProblem({path, request_.sae}, PathWanted::kFileOrFolder);
    if (!problem.empty()) return absl::NotFoundError(problem);
    FPO_ASSIGN_OR_RETURN(const SaeSource source, FindSaeSource(path));
    FPO_ASSIGN_OR_RETURN(const SaeDescription sae, DescribeSae(source));
    Add("sae.path", YamlText(path));
    const std::string said = "the SAE says so";
    const bool layer = sae.layer.has_value();
    Add("sae.layer", absl::StrCat(sae.layer.value_or(0)),
        layer ? said : "neither the SAE nor its folder says the layer: set it", layer);
    const bool site = !sae.site.empty();
    Add("sae.site", site ? sae.site : "resid_post",
        site ? said : "neither the SAE nor its folder says the site: set it", site);
    return model_.has_value() ? CheckSaeFits(path, sae, model_->shape) : absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> Files(const std::vector<std::string>& given) const {
    std::vector<std::string> files;
    for (const std::string& file : given) {
      FPO_ASSIGN_OR_RETURN(files.emplace_back(), Absolute(file));
      FPO_RETURN_IF_ERROR(CheckDataFile(files.back()));
    }
    return files;
  }

  absl::Status ChoosePrompts(const std::string& file) {
    Add("generate.prompts", YamlText(file));
    const PromptFacts facts = ReadPromptFacts(file);
    if (!facts.format.empty()) Add("generate.format", facts.format, facts.reason);
    return absl::OkStatus();
  }

  absl::Status ChooseAnswers(const std::vector<std::string>& outputs) {
    if (!outputs.empty()) Add("judge.outputs", YamlText(outputs.front()));
    if (request_.baseline.empty()) return absl::OkStatus();
    FPO_ASSIGN_OR_RETURN(const std::vector<std::string> baseline, Files({request_.baseline}));
    Add("judge.baseline", YamlText(baseline.front()));
    return absl::OkStatus();
  }

  absl::Status ChooseData() {
    FPO_ASSIGN_OR_RETURN(std::vector<std::string> train, Files(request_.data));
    if (IsKind("judge")) return ChooseAnswers(train);
    if (IsKind("generate")) return train.empty() ? absl::OkStatus() : ChoosePrompts(train.front());
    FPO_ASSIGN_OR_RETURN(std::vector<std::string> eval, Files(request_.eval));
    if (IsKind("evaluate")) {
      eval.insert(eval.begin(), train.begin(), train.end());
      train.clear();
    }
    if (!train.empty()) Add("data.train", FileList(train));
    if (!eval.empty()) Add("data.eval", FileList(eval));
    const DataFacts facts = ReadDataFacts(train);
    if (eval.empty() && !facts.held_out.empty() && !IsKind("sae")) {
      Add("data.eval", FileList({facts.held_out}),
          "it lies beside the training data; without held-out pairs nothing is measured", false);
    }
    const bool gemma = model_.has_value() && absl::StartsWith(model_->shape.family, "gemma");
    if (facts.plain_strings && gemma && !model_->has_chat_template) {
      Add("data.template", "gemma",
          "the model has no chat template and the rows are plain strings, which auto then joins as "
          "they are; gemma makes turns of them",
          false);
    }
    ChooseWarmUp(facts.rows);
    return absl::OkStatus();
  }

  // 150 steps of warm-up are the paper's, of 1,911.
  void ChooseWarmUp(int64_t rows) {
    constexpr int64_t kWarmUp = 150;
    const int64_t steps = (rows + pairs_ - 1) / pairs_;
    if (rows == 0 || steps >= 10 * kWarmUp || FindMethod(request_.method) == nullptr) return;
    Add("schedule.warmup_steps", absl::StrCat(steps / 10),
        absl::StrCat("a tenth of about ", steps, " steps: ", rows, " rows, ", pairs_,
                     " pairs a step, one epoch"));
  }

  void ChooseMethod() {
    const MethodInfo* method = Method();
    if (FindMethod(request_.method) == nullptr || method->beta == 0) return;
    const std::string paper = method->beta_paper;
    Add("method.beta", absl::StrCat(method->beta),
        absl::StrCat(BetaReason(*method), "; ", BetaRange(*method), " is usual",
                     paper == "-" ? "" : absl::StrCat(", the FPO paper: ", paper)));
    if (IsKind("tdpo2"))
      Add("method.alpha", "0.5", "the FPO paper's; a KL has no scale of its own");
    if (!MethodReads(*method, "features")) return;
    if (model_->shape.family == "gemma3") {
      Add("method.alpha", "0.001",
          "D, the squared distance of pooled features, is 1 to 200 on a Gemma-3 residual stream "
          "(seen with Gemma-3-270M); the FPO paper's 0.5, for D below 0.1, would outweigh the "
          "preference. Chosen by model family: look at divergence/* after some steps");
    } else if (model_->shape.family == "gemma2") {
      Add("method.alpha", "0.5",
          "the FPO paper's, for Gemma-2-2B with Gemma Scope, where D stays below 0.1. Chosen by "
          "model family: look at divergence/* after some steps");
    } else {
      Add("method.alpha", "0.5",
          "the FPO paper's, for Gemma-2-2B with Gemma Scope, where D stays below 0.1. Nothing is "
          "known of this model family: look at divergence/* after some steps, and lower it where "
          "D is larger");
    }
  }

  const InitRequest& request_;
  std::optional<ModelFacts> model_;
  int64_t pairs_ = BatchSection().pairs;  // of a step
  std::vector<TemplateChoice> choices_;
};

}  // namespace

absl::StatusOr<std::vector<TemplateChoice>> ChooseForJob(const InitRequest& request) {
  return Chooser(request).Choose();
}

bool HasGpu() {
  std::error_code error;
  return fs::exists("/dev/nvidia0", error);
}

}  // namespace fpo::ctl
