#pragma once

#include <string>
#include <vector>

#include "train/data/admission_report.h"

namespace fpo::train {

// One line for the job's log about the admission of input `key` (data.train or data.eval): rows,
// what was left out and why, template, cuts, duplicates, lengths.
std::string AdmissionLine(const std::string& key, const AdmissionReport& report);

// What a user should know before paying for training on this data, one sentence each with a remedy:
// many rows left out, most responses cut, most rows alike, an instruction-tuned model without its
// turns, prompts that run into their responses. Empty for good data.
std::vector<std::string> AdmissionWarnings(const std::string& key, const AdmissionReport& report);

// Why nothing was admitted, with a remedy.
std::string NothingAdmitted(const std::string& key, const AdmissionReport& report);

}  // namespace fpo::train
