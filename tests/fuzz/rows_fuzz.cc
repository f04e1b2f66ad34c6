// One row of input. The first byte picks data.format; the rest is the row's text.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "common/text/utf8.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "train/rows/preference_dataset.h"

namespace {

using fpo::train::Message;
using fpo::train::PreferenceRow;

// Errors are shown to users: a long row must not make a long one.
constexpr size_t kErrorBytesMax = 2000;

bool IsText(const std::string& text) { return fpo::FirstInvalidUtf8(text) == text.size(); }

void CheckMessages(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    FUZZ_CHECK(IsText(message.content));
    std::string joined;
    for (const std::string& part : message.parts) joined += part;
    FUZZ_CHECK(message.parts.empty() || joined == message.content);
  }
}

void CheckRoles(const std::vector<Message>& messages) {
  for (const Message& message : messages) {
    FUZZ_CHECK(message.role == "system" || message.role == "user" || message.role == "assistant");
  }
}

void CheckRow(const PreferenceRow& row) {
  if (row.drop_reason.empty()) {
    CheckRoles(row.prompt_messages);
    CheckRoles(row.chosen_messages);
    CheckRoles(row.rejected_messages);
  }
  for (const std::string* text : {&row.id, &row.prompt, &row.chosen, &row.rejected}) {
    FUZZ_CHECK(IsText(*text));
  }
  CheckMessages(row.prompt_messages);
  CheckMessages(row.chosen_messages);
  CheckMessages(row.rejected_messages);
  for (const auto* ids : {&row.prompt_ids, &row.chosen_ids, &row.rejected_ids}) {
    FUZZ_CHECK(std::all_of(ids->begin(), ids->end(), [](int32_t id) { return id >= 0; }));
  }
  FUZZ_CHECK(row.rejected.empty() || row.has_rejected);
  FUZZ_CHECK(row.rejected_messages.empty() || row.has_rejected || !row.drop_reason.empty());
}

}  // namespace

FUZZ_TARGET(rows) {
  static const char* const kFormats[] = {"auto", "preference", "messages", "transcript", "ids"};
  if (size == 0) return 0;
  const absl::string_view text = fpo::fuzz::Text(data + 1, size - 1);
  fpo::train::RowFormat format{kFormats[data[0] % std::size(kFormats)], {}};
  if (data[0] >= 0x80) format.columns = {{"prompt", "question"}, {"chosen", "answers.0.text"}};
  size_t bad = absl::string_view::npos;
  const auto row = fpo::train::ParsePreferenceRow(text, format, &bad);
  if (row.ok()) {
    CheckRow(*row);
    return 0;
  }
  FUZZ_CHECK(absl::IsInvalidArgument(row.status()));
  FUZZ_CHECK(row.status().message().size() <= kErrorBytesMax);
  FUZZ_CHECK(bad == absl::string_view::npos || bad <= text.size());
  return 0;
}
