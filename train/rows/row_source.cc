#include "train/rows/row_source.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/files/data_file_bytes.h"
#include "common/files/data_file_name.h"
#include "common/status_macros.h"
#include "train/rows/byte_stream.h"
#include "train/tables/table_reader.h"

namespace fpo::train {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;
constexpr size_t kRowBytesMax = size_t{64} << 20;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

struct RowSource::State {
  std::string path;
  std::unique_ptr<TableReader> table;
  std::unique_ptr<ByteStream> stream;  // of text
  std::string buffer;
  size_t at = 0;
  int64_t line = 1;
  int64_t line_start = 0;    // where the line begins in the unpacked file
  int64_t buffer_start = 0;  // where the buffer does
  bool array = false;
  bool done = false;

  // False at the end of the file.
  absl::StatusOr<bool> Fill() {
    if (at < buffer.size()) return true;
    buffer_start += static_cast<int64_t>(buffer.size());
    buffer.resize(kBufferBytes);
    at = 0;
    const absl::StatusOr<size_t> got = stream->Read(buffer.data(), buffer.size());
    if (!got.ok()) {
      return absl::Status(got.status().code(), absl::StrCat(path, " breaks off near line ", line,
                                                            ": ", got.status().message()));
    }
    buffer.resize(*got);
    return *got > 0;
  }

  // The next byte that is not white space, without consuming it; nullopt at the end.
  absl::StatusOr<std::optional<char>> PeekSolid() {
    while (true) {
      FPO_ASSIGN_OR_RETURN(const bool more, Fill());
      if (!more) return std::optional<char>();
      const char c = buffer[at];
      if (!IsSpace(c)) return std::optional<char>(c);
      ++at;
      if (c == '\n') NextLineBegins();
    }
  }

  // Called after a line feed was consumed.
  void NextLineBegins() {
    ++line;
    line_start = Position();
  }
  int64_t Position() const { return buffer_start + static_cast<int64_t>(at); }

  RowText RowHere() const { return {"", line, Position() - line_start, true}; }

  // After the array's last bracket: a second array would be lost without a word.
  absl::Status CheckNothingFollows() {
    const int64_t end = line;
    ++at;
    FPO_ASSIGN_OR_RETURN(const auto next, PeekSolid());
    if (!next) return absl::OkStatus();
    const char* what = next == '[' ? "another array" : "more text";
    return absl::InvalidArgumentError(absl::StrCat(
        path, ":", line, ": ", what, " begins at byte ", Position() - line_start + 1,
        ", behind the array that ends on line ", end,
        " (files put together with cat?); a file holds one array, or one row per line"));
  }

  absl::Status TooLong() const {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", line, ": a row of more than ", kRowBytesMax, " bytes"));
  }
};

RowSource::RowSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
RowSource::~RowSource() = default;

absl::StatusOr<std::unique_ptr<RowSource>> RowSource::Open(const std::string& path) {
  FPO_RETURN_IF_ERROR(CheckDataFileName(path));
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::NotFoundError(absl::StrCat("there is no data file ", path));
  }
  auto state = std::make_unique<State>();
  state->path = path;
  if (IsTableFileName(path)) {
    FPO_RETURN_IF_ERROR(CheckDataFileBegin(path));
    FPO_ASSIGN_OR_RETURN(state->table, TableReader::Open(path, kRowBytesMax));
    return std::unique_ptr<RowSource>(new RowSource(std::move(state)));
  }
  FPO_ASSIGN_OR_RETURN(state->stream, ByteStream::Open(path));
  FPO_ASSIGN_OR_RETURN(const bool any, state->Fill());
  if (any && absl::StartsWith(state->buffer, "\xEF\xBB\xBF")) state->at = 3;  // byte order mark
  FPO_ASSIGN_OR_RETURN(const auto first, state->PeekSolid());
  if (first == '[') {
    state->array = true;
    ++state->at;
  }
  return std::unique_ptr<RowSource>(new RowSource(std::move(state)));
}

absl::StatusOr<std::optional<RowText>> RowSource::Next() {
  if (state_->done) return std::optional<RowText>();
  if (state_->table != nullptr) return NextOfTable();
  return state_->array ? NextElement() : NextLine();
}

absl::StatusOr<std::optional<RowText>> RowSource::NextOfTable() {
  FPO_ASSIGN_OR_RETURN(std::optional<std::string> text, state_->table->Next());
  if (!text) {
    state_->done = true;
    return std::optional<RowText>();
  }
  return std::optional<RowText>({*std::move(text), state_->line++});
}

absl::StatusOr<std::optional<RowText>> RowSource::NextLine() {
  FPO_ASSIGN_OR_RETURN(const auto first, state_->PeekSolid());
  if (!first) {
    state_->done = true;
    return std::optional<RowText>();
  }
  RowText row = state_->RowHere();
  while (true) {
    FPO_ASSIGN_OR_RETURN(const bool more, state_->Fill());
    if (!more) break;
    const char* begin = state_->buffer.data() + state_->at;
    const size_t rest = state_->buffer.size() - state_->at;
    const auto* end = static_cast<const char*>(std::memchr(begin, '\n', rest));
    row.text.append(begin, end == nullptr ? rest : static_cast<size_t>(end - begin));
    if (row.text.size() > kRowBytesMax) return state_->TooLong();
    state_->at += end == nullptr ? rest : static_cast<size_t>(end - begin) + 1;
    if (end != nullptr) {
      state_->NextLineBegins();
      break;
    }
  }
  while (!row.text.empty() && IsSpace(row.text.back())) row.text.pop_back();
  return std::optional<RowText>(std::move(row));
}

absl::StatusOr<std::optional<RowText>> RowSource::NextElement() {
  FPO_ASSIGN_OR_RETURN(auto first, state_->PeekSolid());
  if (first == ',') {
    ++state_->at;
    FPO_ASSIGN_OR_RETURN(first, state_->PeekSolid());
  }
  if (first == ']') {
    state_->done = true;
    FPO_RETURN_IF_ERROR(state_->CheckNothingFollows());
    return std::optional<RowText>();
  }
  RowText row = state_->RowHere();
  int depth = 0;
  bool in_string = false, escaped = false;
  while (true) {
    FPO_ASSIGN_OR_RETURN(const bool more, state_->Fill());
    if (!more) {
      return absl::DataLossError(absl::StrCat(state_->path,
                                              " breaks off in the element that begins "
                                              "on line ",
                                              row.line, ": the array is not closed"));
    }
    const char c = state_->buffer[state_->at];
    if (!in_string && depth == 0 && (c == ',' || c == ']')) break;
    ++state_->at;
    if (c == '\n') state_->NextLineBegins();
    row.text.push_back(c);
    if (row.text.size() > kRowBytesMax) return state_->TooLong();
    if (in_string) {
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else {
      in_string = c == '"';
      depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
  }
  while (!row.text.empty() && IsSpace(row.text.back())) row.text.pop_back();
  return std::optional<RowText>(std::move(row));
}

}  // namespace fpo::train
