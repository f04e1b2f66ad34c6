#include "train/report/tensorboard_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo::train {
namespace {

// CRC-32C (Castagnoli), bit by bit reflected: RFC 3720, appendix B.4.
uint32_t Crc32c(absl::string_view data) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < made.size(); ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
      made[i] = crc;
    }
    return made;
  }();
  uint32_t crc = ~0u;
  for (const char c : data) crc = crc >> 8 ^ table[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

template <class Unsigned>
void AppendFixed(Unsigned value, std::string* bytes) {
  for (size_t i = 0; i < sizeof value; ++i) bytes->push_back(static_cast<char>(value >> 8 * i));
}

void AppendVarint(uint64_t value, std::string* bytes) {
  for (; value >= 0x80; value >>= 7) bytes->push_back(static_cast<char>(value | 0x80));
  bytes->push_back(static_cast<char>(value));
}

// Protocol buffers' fields: a key of number and wire type, then the value.
void AppendTexts(uint32_t field, absl::string_view value, std::string* bytes) {
  AppendVarint(field << 3 | 2, bytes);
  AppendVarint(value.size(), bytes);
  absl::StrAppend(bytes, value);
}
void AppendInteger(uint32_t field, int64_t value, std::string* bytes) {
  AppendVarint(field << 3, bytes);
  AppendVarint(static_cast<uint64_t>(value), bytes);
}
void AppendDouble(uint32_t field, double value, std::string* bytes) {
  AppendVarint(field << 3 | 1, bytes);
  AppendFixed(std::bit_cast<uint64_t>(value), bytes);
}
void AppendFloat(uint32_t field, float value, std::string* bytes) {
  AppendVarint(field << 3 | 5, bytes);
  AppendFixed(std::bit_cast<uint32_t>(value), bytes);
}

// Event: wall_time 1, step 2, file_version 3, summary 5, session_log 7.
std::string EventAt(absl::Time time, int64_t step) {
  std::string event;
  AppendDouble(1, static_cast<double>(absl::ToUnixMicros(time)) / 1e6, &event);
  if (step != 0) AppendInteger(2, step, &event);
  return event;
}

std::string TagOf(absl::string_view name) {
  return absl::ConsumePrefix(&name, "eval_") ? absl::StrCat("eval/", name)
                                             : absl::StrCat("train/", name);
}

}  // namespace

std::string TensorBoardRecord(absl::string_view data) {
  const auto masked = [](absl::string_view bytes) {
    const uint32_t crc = Crc32c(bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
  };
  std::string record;
  AppendFixed(uint64_t{data.size()}, &record);
  AppendFixed(masked(record), &record);
  absl::StrAppend(&record, data);
  AppendFixed(masked(data), &record);
  return record;
}

std::string VersionEvent(absl::Time time) {
  std::string event = EventAt(time, 0);
  AppendTexts(3, "brain.Event:2", &event);
  return event;
}

std::string SessionEvent(absl::Time time, int64_t step) {
  std::string session, event = EventAt(time, step);
  AppendInteger(1, /*START*/ 1, &session);
  AppendTexts(7, session, &event);
  return event;
}

// Summary: value 1, with tag 1 and simple_value 2.
std::string ScalarsEvent(absl::Time time, int64_t step,
                         const std::map<std::string, double>& values) {
  std::string summary, event = EventAt(time, step);
  for (const auto& [name, number] : values) {
    std::string value;
    AppendTexts(1, TagOf(name), &value);
    AppendFloat(2, static_cast<float>(number), &value);
    AppendTexts(1, value, &summary);
  }
  AppendTexts(5, summary, &event);
  return event;
}

absl::StatusOr<std::unique_ptr<TensorBoardLog>> TensorBoardLog::Open(const std::string& folder,
                                                                     int64_t first_step) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return PosixError(error.value(), "create", folder);
  const absl::Time now = absl::Now();
  // TensorBoard reads the files of a folder in the order of their names.
  const std::string path = absl::StrFormat("%s/events.out.tfevents.%010d.%d.fpo-train", folder,
                                           absl::ToUnixSeconds(now), getpid());
  FileDescriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
  if (!file.is_open()) return PosixError(errno, "create", path);
  std::string head = TensorBoardRecord(VersionEvent(now));
  absl::StrAppend(&head, TensorBoardRecord(SessionEvent(now, first_step)));
  FPO_RETURN_IF_ERROR(WriteAll(file, head, path));
  return std::unique_ptr<TensorBoardLog>(new TensorBoardLog(path, std::move(file)));
}

absl::Status TensorBoardLog::Append(int64_t step, const std::map<std::string, double>& values) {
  return WriteAll(file_, TensorBoardRecord(ScalarsEvent(absl::Now(), step, values)), path_);
}

}  // namespace fpo::train
