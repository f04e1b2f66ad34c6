#include "common/observe/log.h"

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/text/json.h"
#include "spdlog/logger.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace fpo {
namespace {

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

absl::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

// One per process, as stderr is.
struct StderrLog {
  StderrLog() : logger("", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger.set_pattern("%v");
  }

  absl::Mutex mu;
  std::string program ABSL_GUARDED_BY(mu);
  spdlog::logger logger;
};

// Never destroyed: threads may log during static destruction.
StderrLog& TheLog() {
  static StderrLog* const log = new StderrLog;
  return *log;
}

}  // namespace

void InitLog(absl::string_view program, LogLevel level) {
  StderrLog& log = TheLog();
  log.logger.set_level(SpdlogLevel(level));
  absl::MutexLock lock(&log.mu);
  log.program = std::string(program);
}

void Log(LogLevel level, absl::string_view message, LogFields fields) {
  StderrLog& log = TheLog();
  if (!log.logger.should_log(SpdlogLevel(level))) return;
  JsonObject line;
  line.Add("time", absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone()));
  line.Add("level", LevelName(level));
  {
    absl::MutexLock lock(&log.mu);
    line.Add("program", log.program);
  }
  line.Add("message", message);
  for (const auto& [key, value] : fields) line.Add(key, value);
  const std::string text = line.Text();
  log.logger.log(SpdlogLevel(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace fpo
