#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/job/job_config.h"

namespace fpo {

// A mapping of names to texts.
using JobNames = std::vector<std::pair<std::string, std::string>>;

// One key of the job file: where its value lives and what it may be.
struct JobField {
  using Slot =
      std::variant<std::string*, int64_t*, double*, bool*, std::optional<int64_t>*,
                   std::optional<double>*, std::vector<std::string>*, std::vector<int64_t>*,
                   std::vector<double>*, JobNames*, std::vector<FeatureSetSection>*,
                   DataSection*>;  // the last: its evaluation sets
  const char* name;
  Slot slot;
  const char* doc;
  std::vector<const char*> words = {};  // allowed values of a string, or names of a mapping
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string by_default = {};  // describes the default, when it depends on other keys
  std::string or_ending = {};   // besides `words`: a file whose name ends like this
  std::string unwritten = {};   // the value (JobFieldText) that is left out when a job is written
};

// One entry of the file's top level, in the order of the file.
struct JobEntry {
  enum class Kind { kField, kSection, kLabels, kSaeList };
  Kind kind;
  const char* name;
  const char* doc;
  std::vector<JobField> fields = {};  // one for kField
};

// The field table: the only place that has names, types, ranges and documentation. The slots point
// into `config`, which must outlive the result.
std::vector<JobEntry> JobEntries(JobConfig* config);
std::vector<JobField> SaeFields(SaeSection* sae);

// A field's value in a form that both YAML and JSON read.
std::string JobFieldText(const JobField& field);

}  // namespace fpo
