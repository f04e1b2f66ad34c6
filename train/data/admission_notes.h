#pragma once

#include <string>
#include <vector>

#include "train/data/admission_report.h"

namespace fpo::train {

// What the job's log says about the admission of one input, `key` (data.train or data.eval), in one
// line: rows, what was left out and why, template, cuts, duplicates, lengths.
std::string AdmissionLine(const std::string& key, const AdmissionReport& report);

// What a user must know before he pays for training on it, a sentence each with the way out: many
// rows left out, most responses cut, most rows alike, an instruction-tuned model without its turns,
// prompts that run into their responses. Empty for good data.
std::vector<std::string> AdmissionWarnings(const std::string& key, const AdmissionReport& report);

// Why nothing was admitted, with the way out.
std::string NothingAdmitted(const std::string& key, const AdmissionReport& report);

}  // namespace fpo::train
