#include "worker/trainer/data/tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <unordered_map>
#include <utility>

// SentencePiece declares its own absl::string_view (std's), which clashes with Debian's Abseil. It
// needs no more of the namespace than that alias, so it gets another name here.
#define absl sentencepiece_alias
#include <sentencepiece_processor.h>
#undef absl

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

constexpr size_t kTextBytesMax = size_t{64} << 20;

std::string_view View(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

struct Tokenizer::State {
  sentencepiece::SentencePieceProcessor processor;
  std::vector<std::string> pieces;
  std::unordered_map<std::string, int32_t> ids;
  // SentencePiece never makes these from text; Hugging Face's tokenizer does, so the text is cut at
  // them. Longest first.
  std::vector<std::pair<std::string, int32_t>> controls;
  std::array<bool, 256> control_starts{};

  // The control piece that stands at `at`, or null.
  const std::pair<std::string, int32_t>* ControlAt(absl::string_view text, size_t at) const {
    if (!control_starts[static_cast<uint8_t>(text[at])]) return nullptr;
    for (const auto& control : controls) {
      if (text.compare(at, control.first.size(), control.first) == 0) return &control;
    }
    return nullptr;
  }

  absl::Status EncodePlain(absl::string_view text, std::vector<int32_t>* out) const {
    if (text.empty()) return absl::OkStatus();
    std::vector<int> ids_of_part;
    const auto status = processor.Encode(View(text), &ids_of_part);
    if (!status.ok()) {
      return absl::InternalError(
          absl::StrCat("cannot tokenise ", text.size(), " bytes: ", status.error_message()));
    }
    out->insert(out->end(), ids_of_part.begin(), ids_of_part.end());
    return absl::OkStatus();
  }
};

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

absl::StatusOr<Tokenizer> Tokenizer::Open(const std::string& model_folder) {
  std::error_code error;
  const std::string file = absl::StrCat(model_folder, "/tokenizer.model");
  if (!std::filesystem::exists(file, error)) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", model_folder,
                     " has no tokenizer.model; Gemma's SentencePiece file is "
                     "needed (tokenizer.json alone is not read)"));
  }
  return OpenFile(file);
}

absl::StatusOr<Tokenizer> Tokenizer::OpenFile(const std::string& model_file) {
  auto state = std::make_unique<State>();
  const auto status = state->processor.Load(model_file);
  if (!status.ok()) {
    return absl::DataLossError(
        absl::StrCat(model_file, " is not a SentencePiece model: ", status.error_message()));
  }
  const int size = state->processor.GetPieceSize();
  for (int id = 0; id < size; ++id) {
    const std::string& piece = state->processor.IdToPiece(id);
    state->pieces.push_back(piece);
    state->ids.emplace(piece, id);
    if (state->processor.IsControl(id) && !piece.empty()) {
      state->controls.emplace_back(piece, id);
      state->control_starts[static_cast<uint8_t>(piece[0])] = true;
    }
  }
  std::stable_sort(state->controls.begin(), state->controls.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  if (state->processor.bos_id() < 0 || state->processor.eos_id() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(model_file, " has no BOS or EOS piece, which training needs"));
  }
  return Tokenizer(std::move(state));
}

absl::StatusOr<std::vector<int32_t>> Tokenizer::Encode(absl::string_view text) const {
  if (text.size() > kTextBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a text of ", text.size(), " bytes; at most ",
                                                   kTextBytesMax, " are tokenised at once"));
  }
  std::vector<int32_t> ids;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const auto* control = state_->ControlAt(text, at);
    if (control == nullptr) {
      ++at;
      continue;
    }
    FPO_RETURN_IF_ERROR(state_->EncodePlain(text.substr(begin, at - begin), &ids));
    ids.push_back(control->second);
    at += control->first.size();
    begin = at;
  }
  FPO_RETURN_IF_ERROR(state_->EncodePlain(text.substr(begin), &ids));
  return ids;
}

absl::StatusOr<std::string> Tokenizer::Decode(absl::Span<const int32_t> ids) const {
  std::string text;
  std::vector<int> run;
  const auto flush = [&] {
    std::string part;
    const auto status = state_->processor.Decode(run, &part);
    run.clear();
    text += part;
    return status.ok();
  };
  for (const int32_t id : ids) {
    if (id < 0 || id >= size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("token id ", id, " is outside the vocabulary of ", size()));
    }
    if (!state_->processor.IsControl(id)) {
      run.push_back(id);
      continue;
    }
    if (!flush()) return absl::InternalError("cannot decode token ids");
    text += PieceOf(id);
  }
  if (!flush()) return absl::InternalError("cannot decode token ids");
  return text;
}

std::optional<int32_t> Tokenizer::IdOf(absl::string_view piece) const {
  const auto it = state_->ids.find(std::string(piece));
  if (it == state_->ids.end()) return std::nullopt;
  return it->second;
}

const std::string& Tokenizer::PieceOf(int32_t id) const {
  return state_->pieces[static_cast<size_t>(id)];
}
int32_t Tokenizer::size() const { return static_cast<int32_t>(state_->pieces.size()); }
int32_t Tokenizer::pad() const { return state_->processor.pad_id(); }
int32_t Tokenizer::bos() const { return state_->processor.bos_id(); }
int32_t Tokenizer::eos() const { return state_->processor.eos_id(); }

}  // namespace fpo::train
