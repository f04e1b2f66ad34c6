#include "train/data/token_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include <ATen/ops/from_blob.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"
#include "train/data/context_id.h"
#include "train/data/mismatched_responses.h"
#include "train/formats/safetensors.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {
namespace {

template <typename T>
at::Tensor View(const std::vector<T>& values, c10::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), {static_cast<int64_t>(values.size())},
                       at::TensorOptions().dtype(type));
}

constexpr std::array<const char*, 7> kRangeNames = {
    "prompt_start",   "prompt_length",   "chosen_start", "chosen_length",
    "rejected_start", "rejected_length", "row"};
enum Range {
  kPromptStart,
  kPromptLength,
  kChosenStart,
  kChosenLength,
  kRejectedStart,
  kRejectedLength,
  kRow
};

}  // namespace

void TokenFileWriter::Add(const TokenPair& pair) {
  const auto append = [&](const std::vector<int32_t>& part, std::vector<int64_t>* starts,
                          std::vector<int64_t>* lengths) {
    starts->push_back(part.empty() ? 0 : static_cast<int64_t>(ids_.size()));
    lengths->push_back(static_cast<int64_t>(part.size()));
    ids_.insert(ids_.end(), part.begin(), part.end());
  };
  append(pair.prompt, &prompt_start_, &prompt_length_);
  append(pair.chosen, &chosen_start_, &chosen_length_);
  append(pair.rejected, &rejected_start_, &rejected_length_);
  row_.push_back(pair.row);
  if (pair.label) label_.push_back(*pair.label ? 1 : 0);
  TORCH_CHECK(label_.empty() || label_.size() == row_.size(), "some pairs have no label");
  row_ids_ += pair.row_id;
  row_id_end_.push_back(static_cast<int64_t>(row_ids_.size()));
}

std::vector<int64_t> TokenFileWriter::PromptNumbers() const {
  absl::flat_hash_map<absl::string_view, int64_t> known;
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < row_.size(); ++i) {
    const auto* first = reinterpret_cast<const char*>(ids_.data() + prompt_start_[i]);
    const absl::string_view prompt(first, static_cast<size_t>(prompt_length_[i]) * sizeof(int32_t));
    numbers.push_back(known.try_emplace(prompt, static_cast<int64_t>(i)).first->second);
  }
  return numbers;
}

absl::Status TokenFileWriter::AddMismatchedResponses(int64_t max_length) {
  FPO_ASSIGN_OR_RETURN(const std::vector<int64_t> others,
                       MismatchedExamples(PromptNumbers(), label_));
  for (size_t i = 0; i < others.size(); ++i) {
    const auto other = static_cast<size_t>(others[i]);
    const int64_t start = chosen_start_[other];
    int64_t length = std::min(chosen_length_[other], max_length - prompt_length_[i]);
    while (length > 0 && IsContextId(ids_[static_cast<size_t>(start + length - 1)])) --length;
    TORCH_CHECK(length > 0, "no room for a mismatched response in ", max_length, " tokens");
    rejected_start_[i] = start;
    rejected_length_[i] = length;
  }
  return absl::OkStatus();
}

absl::Status TokenFileWriter::Write(const std::string& path,
                                    const std::map<std::string, std::string>& metadata) const {
  TensorMap tensors = {{"ids", View(ids_, c10::kInt)},
                       {"prompt_start", View(prompt_start_, c10::kLong)},
                       {"prompt_length", View(prompt_length_, c10::kLong)},
                       {"chosen_start", View(chosen_start_, c10::kLong)},
                       {"chosen_length", View(chosen_length_, c10::kLong)},
                       {"rejected_start", View(rejected_start_, c10::kLong)},
                       {"rejected_length", View(rejected_length_, c10::kLong)},
                       {"row", View(row_, c10::kLong)}};
  std::vector<uint8_t> id_bytes(row_ids_.begin(), row_ids_.end());
  if (!row_ids_.empty()) {
    tensors["row_id_bytes"] = View(id_bytes, c10::kByte);
    tensors["row_id_end"] = View(row_id_end_, c10::kLong);
  }
  if (!label_.empty()) tensors["label"] = View(label_, c10::kByte);
  std::map<std::string, std::string> all = metadata;
  all["format"] = "fpo-tokens-1";
  return WriteSafetensors(path, tensors, all);
}

struct TokenFile::State {
  std::shared_ptr<const SafetensorsFile> file;
  absl::Span<const int32_t> ids;
  std::array<absl::Span<const int64_t>, kRangeNames.size()> ranges;
  absl::Span<const int64_t> row_id_end;
  absl::string_view row_ids;
  absl::Span<const uint8_t> labels;  // empty: none
  std::vector<at::Tensor> keep;      // owns copies of what the file stores unaligned
  bool has_rejected = true;

  int64_t At(Range range, int64_t index) const { return ranges[range][static_cast<size_t>(index)]; }
  absl::Span<const int32_t> Part(Range start, Range length, int64_t index) const {
    return ids.subspan(static_cast<size_t>(At(start, index)),
                       static_cast<size_t>(At(length, index)));
  }

  absl::Status Load(const std::string& path);
  absl::Status LoadRowIds();
  absl::Status LoadLabels();
  absl::Status CheckPair(int64_t index) const;
};

absl::Status TokenFile::State::Load(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(file, SafetensorsFile::Open(path));
  if (!file->Contains("ids") || !file->Contains("row")) {
    return absl::DataLossError(absl::StrCat(path, " is not a token file: it has no ids and row"));
  }
  FPO_ASSIGN_OR_RETURN(const at::Tensor all, file->Tensor("ids", "I32", {-1}));
  keep.push_back(all);
  ids = absl::MakeConstSpan(all.const_data_ptr<int32_t>(), static_cast<size_t>(all.numel()));
  const int64_t pairs = file->entries().at("row").Elements();
  for (size_t i = 0; i < kRangeNames.size(); ++i) {
    FPO_ASSIGN_OR_RETURN(const at::Tensor range, file->Tensor(kRangeNames[i], "I64", {pairs}));
    keep.push_back(range);
    ranges[i] = absl::MakeConstSpan(range.const_data_ptr<int64_t>(), static_cast<size_t>(pairs));
  }
  for (int64_t i = 0; i < pairs; ++i) {
    FPO_RETURN_IF_ERROR(CheckPair(i));
    has_rejected = has_rejected && At(kRejectedLength, i) > 0;
  }
  FPO_RETURN_IF_ERROR(LoadLabels());
  return LoadRowIds();
}

absl::Status TokenFile::State::LoadLabels() {
  if (!file->Contains("label")) return absl::OkStatus();
  const auto pairs = static_cast<int64_t>(ranges[kRow].size());
  FPO_ASSIGN_OR_RETURN(const at::Tensor all, file->Tensor("label", "U8", {pairs}));
  keep.push_back(all);
  labels = absl::MakeConstSpan(all.const_data_ptr<uint8_t>(), static_cast<size_t>(pairs));
  for (const uint8_t label : labels) {
    if (label > 1) return absl::DataLossError(absl::StrCat(file->path(), ": a label is ", label));
  }
  return absl::OkStatus();
}

absl::Status TokenFile::State::CheckPair(int64_t index) const {
  const auto total = static_cast<int64_t>(ids.size());
  for (const auto& [start, length] : {std::pair{kPromptStart, kPromptLength},
                                      {kChosenStart, kChosenLength},
                                      {kRejectedStart, kRejectedLength}}) {
    const int64_t from = At(start, index), count = At(length, index);
    if (from < 0 || count < 0 || from > total || count > total - from ||
        (count == 0 && length != kRejectedLength)) {
      return absl::DataLossError(absl::StrCat(file->path(), ": pair ", index, " has ",
                                              kRangeNames[start], " ", from, " and length ", count,
                                              " in ", total, " ids"));
    }
    const absl::Span<const int32_t> part = Part(start, length, index);
    const int64_t scored = ScoredTokens(part);
    if (start == kPromptStart ? scored < count : count > 0 && scored == 0) {
      return absl::DataLossError(absl::StrCat(file->path(), ": pair ", index, ": of the ", count,
                                              " ids at ", kRangeNames[start], ", ", count - scored,
                                              " are negative"));
    }
  }
  return absl::OkStatus();
}

absl::Status TokenFile::State::LoadRowIds() {
  if (!file->Contains("row_id_end")) return absl::OkStatus();
  const auto pairs = static_cast<int64_t>(ranges[kRow].size());
  FPO_ASSIGN_OR_RETURN(const at::Tensor ends, file->Tensor("row_id_end", "I64", {pairs}));
  FPO_ASSIGN_OR_RETURN(row_ids, file->Bytes("row_id_bytes"));
  keep.push_back(ends);
  row_id_end = absl::MakeConstSpan(ends.const_data_ptr<int64_t>(), static_cast<size_t>(pairs));
  int64_t previous = 0;
  for (const int64_t end : row_id_end) {
    if (end < previous || end > static_cast<int64_t>(row_ids.size())) {
      return absl::DataLossError(absl::StrCat(file->path(), ": row_id_end holds ", end));
    }
    previous = end;
  }
  return absl::OkStatus();
}

TokenFile::TokenFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
TokenFile::~TokenFile() = default;
TokenFile::TokenFile(TokenFile&&) noexcept = default;
TokenFile& TokenFile::operator=(TokenFile&&) noexcept = default;

absl::StatusOr<TokenFile> TokenFile::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  const absl::Status loaded = state->Load(path);
  // A file that lacks a tensor is there, and is no token file.
  const bool lacks = state->file != nullptr && absl::IsNotFound(loaded);
  if (absl::IsInvalidArgument(loaded) || lacks) return absl::DataLossError(loaded.message());
  FPO_RETURN_IF_ERROR(loaded);
  return TokenFile(std::move(state));
}

int64_t TokenFile::size() const { return static_cast<int64_t>(state_->ranges[kRow].size()); }

TokenPairView TokenFile::pair(int64_t index) const {
  return {state_->Part(kPromptStart, kPromptLength, index),
          state_->Part(kChosenStart, kChosenLength, index),
          state_->Part(kRejectedStart, kRejectedLength, index), state_->At(kRow, index),
          state_->labels.empty() || state_->labels[static_cast<size_t>(index)] == 1};
}

std::string TokenFile::row_id(int64_t index) const {
  if (state_->row_id_end.empty()) return "";
  const auto i = static_cast<size_t>(index);
  const int64_t begin = i == 0 ? 0 : state_->row_id_end[i - 1];
  return std::string(state_->row_ids.substr(static_cast<size_t>(begin),
                                            static_cast<size_t>(state_->row_id_end[i] - begin)));
}

bool TokenFile::has_labels() const { return !state_->labels.empty(); }
bool TokenFile::has_rejected() const { return state_->has_rejected; }
int64_t TokenFile::tokens() const { return static_cast<int64_t>(state_->ids.size()); }

int32_t TokenFile::greatest_id() const {
  int32_t greatest = -1;
  for (const int32_t id : state_->ids) greatest = std::max(greatest, TokenOf(id));
  return greatest;
}

int64_t TokenFile::LongestSequence(int64_t index) const {
  return state_->At(kPromptLength, index) +
         std::max(state_->At(kChosenLength, index), state_->At(kRejectedLength, index));
}

int64_t TokenFile::PackedTokens(int64_t index) const {
  return state_->At(kPromptLength, index) + state_->At(kChosenLength, index) +
         state_->At(kRejectedLength, index);
}

const std::map<std::string, std::string>& TokenFile::metadata() const {
  return state_->file->metadata();
}

Digest TokenFile::digest() const {
  Sha256 hash;
  hash.Update(absl::StrCat("tokens:", state_->ids.size(), ":", size(), "\n"));
  hash.Update(absl::string_view(reinterpret_cast<const char*>(state_->ids.data()),
                                state_->ids.size() * sizeof(int32_t)));
  for (const auto& range : state_->ranges) {
    hash.Update(absl::string_view(reinterpret_cast<const char*>(range.data()),
                                  range.size() * sizeof(int64_t)));
  }
  hash.Update(absl::string_view(reinterpret_cast<const char*>(state_->labels.data()),
                                state_->labels.size()));
  return hash.Finish();
}

}  // namespace fpo::train
