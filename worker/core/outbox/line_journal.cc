#include "worker/core/outbox/line_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/clock.h"
#include "common/files/posix_status.h"

namespace fpo::worker {
namespace {

constexpr int64_t kFileBytesMax = 64 << 20;          // of a file that is read back
constexpr absl::Duration kRetry = absl::Seconds(1);  // after an error of the disk

}  // namespace

void AppendEncoded(const Line& line, std::string* out) {
  absl::StrAppend(out, line.rank, " ", line.stream ? Name(*line.stream) : "-", " ",
                  line.time_unix_ms, " ", line.text.size(), "\n", line.text, "\n");
}

std::vector<Line> DecodeLines(absl::string_view bytes) {
  std::vector<Line> lines;
  while (!bytes.empty()) {
    const size_t newline = bytes.find('\n');
    if (newline == absl::string_view::npos) break;
    const std::vector<absl::string_view> head = absl::StrSplit(bytes.substr(0, newline), ' ');
    Line line;
    size_t size = 0;
    if (head.size() != 4 || !absl::SimpleAtoi(head[0], &line.rank) ||
        !absl::SimpleAtoi(head[2], &line.time_unix_ms) || !absl::SimpleAtoi(head[3], &size) ||
        bytes.size() - newline - 1 < size + 1) {
      break;
    }
    line.stream = FromName<LineStream>(head[1]);  // "-": an event
    line.text = std::string(bytes.substr(newline + 1, size));
    bytes.remove_prefix(newline + 1 + size + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

bool LineJournal::Open(uint64_t seq) {
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  File file;
  file.path = absl::StrCat(options_.folder, "/", options_.name, ".journal-", seq);
  file.first_seq = file.end_seq = seq;
  out_ = FileDescriptor(open(file.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (out_.is_open()) files_.push_back(std::move(file));
  return out_.is_open();
}

// A full disk would get a file for each line otherwise.
void LineJournal::OnFailure() {
  retry_at_ = BootNow() + kRetry;
  if (!out_.is_open()) return;
  out_.Close();
  if (files_.back().bytes > 0) return;
  unlink(files_.back().path.c_str());
  files_.pop_back();
}

void LineJournal::Append(uint64_t seq, const Line& line) {
  if (BootNow() < retry_at_) return;
  const bool is_open = out_.is_open() && files_.back().bytes < options_.file_bytes;
  if (!is_open && !Open(seq)) return OnFailure();
  std::string bytes;
  AppendEncoded(line, &bytes);
  // A short write leaves an incomplete line; reading stops there.
  if (write(out_.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    return OnFailure();
  }
  files_.back().end_seq = seq + 1;
  files_.back().bytes += bytes.size();
  size_t all = 0;
  for (const File& file : files_) all += file.bytes;
  if (all > options_.bytes_max && files_.size() > 1) Drop(1);
}

void LineJournal::Acknowledge(uint64_t seq) {
  size_t done = 0;
  while (done < files_.size() && files_[done].end_seq <= seq + 1) {
    const bool is_open = done + 1 == files_.size() && out_.is_open();
    if (is_open && files_[done].bytes < options_.keep_bytes) break;
    ++done;
  }
  Drop(done);
}

void LineJournal::Drop(size_t count) {
  for (; count > 0; --count) {
    unlink(files_.front().path.c_str());
    files_.pop_front();
  }
  if (files_.empty()) out_.Close();
}

void LineJournal::Remove() { Drop(files_.size()); }

LineJournal::Recovered LineJournal::Recover() {
  const std::string prefix = options_.name + ".journal-";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder, error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    File file;
    file.path = entry.path().string();
    if (!absl::ConsumePrefix(&number, prefix) || !absl::SimpleAtoi(number, &file.first_seq)) {
      continue;
    }
    files_.push_back(std::move(file));
  }
  std::sort(files_.begin(), files_.end(),
            [](const File& a, const File& b) { return a.first_seq < b.first_seq; });
  Recovered recovered;
  if (!files_.empty()) recovered.first_seq = files_.front().first_seq;
  uint64_t next = recovered.first_seq;
  for (File& file : files_) {
    const absl::StatusOr<std::string> bytes = ReadFile(file.path, kFileBytesMax);
    std::vector<Line> lines = bytes.ok() ? DecodeLines(*bytes) : std::vector<Line>();
    file.end_seq = file.first_seq + lines.size();
    file.bytes = bytes.ok() ? bytes->size() : 0;
    if (file.first_seq != next) recovered.lost = file.end_seq - next;
    if (recovered.lost > 0) continue;
    next = file.end_seq;
    std::move(lines.begin(), lines.end(), std::back_inserter(recovered.lines));
  }
  return recovered;
}

}  // namespace fpo::worker
