#include "common/rocksdb/log_damage.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

// The format of RocksDB's logs: blocks of 32 KiB with records of a masked CRC-32C (4 bytes), a
// length (2) and a type (1 whole, 2 to 4 parts), little-endian; what is left of a block is zero.
constexpr size_t kBlock = 32 << 10;
constexpr size_t kHeader = 7;
constexpr int64_t kLogBytesMax = int64_t{1} << 30;

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}

uint32_t MaskedCrc(absl::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = ~uint32_t{0};
  for (const char byte : bytes) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 255];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

uint32_t Little(absl::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

// The payload of the record at `at`; empty data() when there is no valid one.
absl::string_view RecordAt(absl::string_view log, size_t at) {
  const size_t left = std::min(kBlock - at % kBlock, log.size() - at);
  if (left < kHeader) return {};
  const size_t length = Little(log.substr(at + 4, 2));
  const auto type = static_cast<uint8_t>(log[at + 6]);
  if (type < 1 || type > 4 || kHeader + length > left) return {};
  if (Little(log.substr(at, 4)) != MaskedCrc(log.substr(at + 6, length + 1))) return {};
  return log.substr(at + kHeader, length);
}

// Where a log is damaged, and whether a synced write follows (in it).
struct LogState {
  bool is_damaged = false;
  size_t at = 0;
  bool has_synced = false;        // at all
  bool has_synced_after = false;  // behind the damage
};

LogState Look(absl::string_view log) {
  LogState state;
  bool begun_after = false;  // the record that is read began behind the damage
  for (size_t at = 0; at < log.size();) {
    const size_t left = kBlock - at % kBlock;
    if (left < kHeader) {
      at += left;
      continue;
    }
    const absl::string_view payload = RecordAt(log, at);
    if (payload.data() != nullptr) {
      const auto type = static_cast<uint8_t>(log[at + kHeader - 1]);
      if (type <= 2) begun_after = state.is_damaged;
      const bool is_synced = absl::StrContains(payload, kSyncedMark);
      state.has_synced |= is_synced;
      state.has_synced_after |= is_synced && begun_after;
      at += kHeader + payload.size();
      continue;
    }
    if (!std::exchange(state.is_damaged, true)) state.at = at;
    begun_after = false;  // what is left of a record that is damaged itself
    ++at;                 // the next valid record may begin anywhere
  }
  return state;
}

absl::StatusOr<std::vector<std::string>> LogsIn(const std::string& folder) {
  std::vector<std::pair<uint64_t, std::string>> logs;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view digits = name;
    uint64_t number = 0;
    if (absl::ConsumeSuffix(&digits, ".log") && absl::SimpleAtoi(digits, &number)) {
      logs.emplace_back(number, entry.path().string());
    }
  }
  if (error) return PosixError(error.value(), "list", folder);
  std::sort(logs.begin(), logs.end());
  std::vector<std::string> paths;
  for (auto& [number, path] : logs) paths.push_back(std::move(path));
  return paths;
}

}  // namespace

absl::Status CheckLogs(const std::string& folder) {
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> paths, LogsIn(folder));
  std::string damaged;
  for (const std::string& path : paths) {
    FPO_ASSIGN_OR_RETURN(const std::string log, ReadFile(path, kLogBytesMax));
    const LogState state = Look(log);
    const bool is_loss = damaged.empty() ? state.has_synced_after : state.has_synced;
    if (damaged.empty() && state.is_damaged) {
      damaged = absl::StrCat(path, " is damaged at byte ", state.at);
    }
    if (is_loss) {
      return absl::DataLossError(
          absl::StrCat("Corruption: the log of writes ", damaged,
                       ", and what was acknowledged after that would be lost"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fpo
