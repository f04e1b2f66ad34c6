#include "train/verdicts/verdict.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/text/utf8.h"

namespace fpo::train {
namespace {

constexpr size_t kWordsMax = 4096;
constexpr size_t kChecksumHex = 16;
constexpr size_t kKeyHex = 64;
constexpr absl::string_view kKeyForm = "fpo-verdict-1";
constexpr absl::string_view kChecksumMember = ",\"sum\":\"";

void AddKeyField(absl::string_view field, Sha256* digest) {
  digest->Update(absl::StrCat(field.size(), ":"));
  digest->Update(field);
}

std::string VerdictChecksum(absl::string_view text) {
  return ToHex(Sha256Of(text)).substr(0, kChecksumHex);
}

absl::Status DamagedVerdict(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("no verdict: ", what));
}

absl::Status ReadVerdictMembers(const nlohmann::json& row, StoredVerdict* out) {
  Verdict& verdict = out->verdict;
  FPO_RETURN_IF_ERROR(ReadMember(row, "key", &out->key));
  const nlohmann::json* first = FindMember(row, "first");
  if (first == nullptr || !(first->is_number() || first->is_null())) {
    return absl::InvalidArgumentError("\"first\" is neither a number nor null");
  }
  if (first->is_number()) verdict.first = first->get<double>();
  if (const nlohmann::json* rating = FindMember(row, "rating"); rating != nullptr) {
    if (!rating->is_number()) return absl::InvalidArgumentError("\"rating\" is no number");
    verdict.rating = rating->get<double>();
  }
  FPO_RETURN_IF_ERROR(ReadMember(row, "weighted", &verdict.is_weighted));
  FPO_RETURN_IF_ERROR(ReadMember(row, "mass", &verdict.mass));
  FPO_RETURN_IF_ERROR(ReadMember(row, "words", &verdict.words));
  FPO_RETURN_IF_ERROR(ReadMember(row, "prompt_tokens", &verdict.prompt_tokens));
  FPO_RETURN_IF_ERROR(ReadMember(row, "answer_tokens", &verdict.answer_tokens));
  return ReadMember(row, "time", &verdict.unix_seconds);
}

}  // namespace

std::string VerdictKey(absl::string_view judge, const Comparison& comparison) {
  Sha256 digest;
  AddKeyField(kKeyForm, &digest);
  AddKeyField(judge, &digest);
  AddKeyField(comparison.question, &digest);
  AddKeyField(comparison.first, &digest);
  AddKeyField(comparison.second, &digest);
  return ToHex(digest.Finish());
}

std::string VerdictLine(absl::string_view key, absl::string_view judge, const Verdict& verdict) {
  JsonObject row;
  row.Add("key", key);
  row.AddRaw("judge", judge);
  row.AddRaw("first", verdict.first ? JsonNumber(*verdict.first) : "null");
  if (verdict.rating) row.Add("rating", *verdict.rating);
  row.Add("weighted", verdict.is_weighted);
  row.Add("mass", verdict.mass);
  row.Add("words", ShortText(verdict.words, kWordsMax));
  row.Add("prompt_tokens", verdict.prompt_tokens);
  row.Add("answer_tokens", verdict.answer_tokens);
  row.Add("time", verdict.unix_seconds);
  std::string text = row.Text();
  text.pop_back();
  return absl::StrCat(text, kChecksumMember, VerdictChecksum(text), "\"}");
}

absl::StatusOr<StoredVerdict> ParseVerdictLine(absl::string_view line) {
  const size_t tail = kChecksumMember.size() + kChecksumHex + 2;
  if (line.size() < tail) return DamagedVerdict("the line is too short");
  const absl::string_view text = line.substr(0, line.size() - tail);
  if (line.substr(text.size()) != absl::StrCat(kChecksumMember, VerdictChecksum(text), "\"}")) {
    return DamagedVerdict("its checksum is another");
  }
  const absl::StatusOr<nlohmann::json> row = ParseJson(line);
  if (!row.ok()) return DamagedVerdict(row.status().message());
  StoredVerdict stored;
  const absl::Status read = ReadVerdictMembers(*row, &stored);
  if (!read.ok()) return DamagedVerdict(read.message());
  const double first = stored.verdict.first.value_or(0);
  if (!(first >= 0 && first <= 1)) return DamagedVerdict("\"first\" is outside 0 to 1");
  const double rating = stored.verdict.rating.value_or(1);
  if (!(rating >= 1 && rating <= 10)) return DamagedVerdict("\"rating\" is outside 1 to 10");
  if (stored.key.size() != kKeyHex) return DamagedVerdict("\"key\" has not 64 characters");
  return stored;
}

}  // namespace fpo::train
