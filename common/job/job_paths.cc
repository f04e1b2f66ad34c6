#include "common/job/job_paths.h"

#include <cctype>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/files/data_files.h"
#include "common/files/missing_path.h"
#include "common/job/method_table.h"
#include "common/object_store/object_url.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;
using PathKind = JobPath::Kind;

bool IsNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || std::isdigit(static_cast<unsigned char>(c)); }

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<std::string> Variable(const std::string& name, const Variables& variables) {
  const std::optional<std::string> value = variables ? variables(name) : std::nullopt;
  if (value.has_value() && !value->empty()) return *value;
  return absl::InvalidArgumentError(absl::StrCat("the variable ", name, " is ",
                                                 value.has_value() ? "empty" : "not set",
                                                 " in this environment"));
}

// Takes the variable that `text` begins with, dollar sign included, off its front.
absl::StatusOr<std::string> TakeVariable(absl::string_view* text, const Variables& variables) {
  const bool braces = absl::StartsWith(*text, "${");
  const size_t begin = braces ? 2 : 1;
  size_t end = begin;
  while (end < text->size() && IsNameChar((*text)[end])) ++end;
  const std::string name(text->substr(begin, end - begin));
  if (braces && (name.empty() || end == text->size() || (*text)[end] != '}')) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", *text, "\" is not a variable; write ${NAME}"));
  }
  text->remove_prefix(braces ? end + 1 : end);
  return Variable(name, variables);
}

absl::StatusOr<std::string> ExpandHome(absl::string_view* text, const Variables& variables) {
  const absl::string_view name = text->substr(0, text->find('/'));
  if (name.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " is not expanded, only ~ and ~/... are; write the folder out, e.g. /home/",
        name.substr(1)));
  }
  text->remove_prefix(1);
  return Variable("HOME", variables);
}

absl::StatusOr<std::string> Expand(absl::string_view text, const Variables& variables) {
  std::string expanded;
  if (absl::StartsWith(text, "~")) {
    FPO_ASSIGN_OR_RETURN(expanded, ExpandHome(&text, variables));
  }
  while (!text.empty()) {
    const bool variable =
        text[0] == '$' && text.size() > 1 && (text[1] == '{' || IsNameStart(text[1]));
    if (variable) {
      FPO_ASSIGN_OR_RETURN(const std::string value, TakeVariable(&text, variables));
      expanded += value;
    } else {
      expanded += text[0];
      text.remove_prefix(1);
    }
  }
  return expanded;
}

void AddPath(std::string key, PathKind kind, std::string* path, std::vector<JobPath>* paths) {
  if (!path->empty()) paths->push_back({std::move(key), kind, path});
}

void AddFiles(const std::string& key, std::vector<std::string>* files,
              std::vector<JobPath>* paths) {
  for (size_t i = 0; i < files->size(); ++i) {
    const std::string name = files->size() == 1 ? key : absl::StrCat(key, ".", i);
    AddPath(name, PathKind::kData, &(*files)[i], paths);
  }
}

// `tokenises`: the job turns text into ids with the tokenizer of the model that it trains.
// A file, a pattern with a match, or a folder with data files.
std::string DataProblem(const WantedPath& wanted) {
  if (!IsFilePattern(wanted.path)) {
    const std::string missing = MissingPathProblem(wanted, PathWanted::kFileOrFolder);
    if (!missing.empty() || !fs::is_directory(wanted.path)) return missing;
  }
  const auto files = ExpandDataFiles(wanted.path);
  return absl::IsNotFound(files.status()) ? std::string(files.status().message()) : "";
}

std::string Problem(const JobPath& path, const std::string& given, bool tokenises) {
  switch (path.kind) {
    case PathKind::kModel: {
      const bool trained = path.key == "model.path";
      return ModelFolderProblem({*path.path, given}, trained && tokenises);
    }
    case PathKind::kAdapter:
    case PathKind::kSae:
      return MissingPathProblem({*path.path, given}, PathWanted::kFileOrFolder);
    case PathKind::kData:
    case PathKind::kLabels:
      return DataProblem({*path.path, given});
    case PathKind::kPrompts:
    case PathKind::kTemplate:
    case PathKind::kFile:
    case PathKind::kJudged:
      return MissingPathProblem({*path.path, given}, PathWanted::kFile);
    case PathKind::kOutput:
      break;
  }
  return "";
}

}  // namespace

std::vector<JobPath> JobPaths(JobConfig* config) {
  std::vector<JobPath> paths;
  AddPath("model.path", PathKind::kModel, &config->model.path, &paths);
  AddPath("adapter.path", PathKind::kAdapter, &config->adapter.path, &paths);
  AddPath("reference.path", PathKind::kModel, &config->reference.path, &paths);
  for (size_t i = 0; i < config->sae.size(); ++i) {
    const std::string key = config->sae.size() == 1 ? "sae.path" : absl::StrCat("sae.", i, ".path");
    AddPath(key, PathKind::kSae, &config->sae[i].path, &paths);
  }
  AddPath("generate.prompts", PathKind::kPrompts, &config->generate.prompts, &paths);
  AddPath("judge.outputs", PathKind::kJudged, &config->judge.outputs, &paths);
  AddPath("judge.baseline", PathKind::kJudged, &config->judge.baseline, &paths);
  AddPath("judge.questions", PathKind::kJudged, &config->judge.questions, &paths);
  AddPath("judge.references", PathKind::kJudged, &config->judge.references, &paths);
  AddPath("judge.prompt", PathKind::kJudged, &config->judge.prompt, &paths);
  AddPath("judge.length_control", PathKind::kJudged, &config->judge.length_control, &paths);
  AddPath("judge.ca_file", PathKind::kJudged, &config->judge.ca_file, &paths);
  AddPath("judge.key_file", PathKind::kJudged, &config->judge.key_file, &paths);
  AddPath("judge.store", PathKind::kOutput, &config->judge.store, &paths);
  AddFiles("data.train", &config->data.train, &paths);
  const std::string first = config->data.eval_name;
  AddFiles(first.empty() ? "data.eval" : absl::StrCat("data.eval.", first), &config->data.eval,
           &paths);
  for (EvalSetSection& set : config->data.more_eval) {
    AddFiles(absl::StrCat("data.eval.", set.name), &set.files, &paths);
  }
  if (absl::EndsWith(config->data.template_name, ".jinja")) {
    AddPath("data.template", PathKind::kTemplate, &config->data.template_name, &paths);
  }
  AddPath("method.feature_weights", PathKind::kFile, &config->method.feature_weights, &paths);
  for (size_t i = 0; i < config->constraint.sets.size(); ++i) {
    AddPath(absl::StrCat("constraint.sets.", i, ".features_file"), PathKind::kFile,
            &config->constraint.sets[i].features_file, &paths);
  }
  AddPath("features.explanations", PathKind::kLabels, &config->features.explanations, &paths);
  AddPath("output", PathKind::kOutput, &config->output, &paths);
  return paths;
}

bool IsRead(const JobConfig& config, const JobPath& path) {
  if (path.kind == PathKind::kOutput) return false;
  const bool generates = config.kind == "generate", judges = config.kind == "judge";
  if (path.kind == PathKind::kPrompts) return generates;
  if (path.kind == PathKind::kJudged) return judges;
  if (generates || judges) return path.key == "model.path" || path.kind == PathKind::kTemplate;
  const bool compares = config.kind != "sae" && ComparesFeatures(config.method);
  if (path.kind == PathKind::kLabels) return MakesFeatures(config);
  if (path.kind == PathKind::kAdapter) return config.kind == "train" && config.adapter.on();
  if (path.kind == PathKind::kSae) return compares || MakesFeatures(config);
  if (path.kind == PathKind::kFile) return compares;
  if (!absl::StartsWith(path.key, "reference.")) return true;
  // The default is the model itself, which is already checked.
  return config.kind != "sae" && config.reference.source != "none" &&
         *path.path != config.model.path;
}

absl::StatusOr<std::string> ResolvePath(const std::string& path, const std::string& folder,
                                        const Variables& variables) {
  std::string expanded = path;
  if (!Exists(fs::path(folder) / path)) {
    FPO_ASSIGN_OR_RETURN(expanded, Expand(path, variables));
  }
  if (IsUrl(expanded)) return std::string(absl::StripSuffix(expanded, "/"));
  std::string whole = (fs::path(folder) / expanded).lexically_normal().string();
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  return whole;
}

std::vector<JobProblem> ResolveJobPaths(const JobSource& source, JobConfig* config) {
  std::vector<JobProblem> problems;
  for (const JobPath& path : JobPaths(config)) {
    absl::StatusOr<std::string> whole = ResolvePath(*path.path, source.folder, source.variables);
    if (whole.ok()) {
      *path.path = *std::move(whole);
    } else {
      problems.push_back({0, path.key, absl::StrCat(*path.path, ": ", whole.status().message())});
    }
  }
  return problems;
}

std::vector<JobProblem> MissingInputs(const JobConfig& given, const JobConfig& resolved) {
  JobConfig written = given, whole = resolved;
  const std::vector<JobPath> names = JobPaths(&written), paths = JobPaths(&whole);
  std::vector<JobProblem> problems;
  for (size_t i = 0; i < paths.size() && i < names.size(); ++i) {
    if (!IsRead(whole, paths[i]) || IsUrl(*paths[i].path)) continue;
    std::string problem = Problem(paths[i], *names[i].path, whole.data.format != "ids");
    if (!problem.empty()) problems.push_back({0, paths[i].key, std::move(problem)});
  }
  return problems;
}

}  // namespace fpo
