#include "worker/trainer/torch_status.h"

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

constexpr char kMemoryAdvice[] =
    "; lower batch.tokens_per_microbatch or data.max_length, or turn on activation_checkpointing";

// LibTorch reports a failed CPU allocation as a plain c10::Error.
bool IsOutOfMemory(absl::string_view what) {
  return absl::StrContains(what, "not enough memory") ||
         absl::StrContains(what, "can't allocate memory") ||
         absl::StrContains(what, "out of memory");
}

std::string FirstLine(absl::string_view what) {
  return std::string(what.substr(0, what.find('\n')));
}

}  // namespace

absl::Status RunTorch(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "out of device memory: ", FirstLine(error.what_without_backtrace()), kMemoryAdvice));
  } catch (const c10::DistBackendError& error) {
    return absl::AbortedError(
        absl::StrCat("another rank was lost: ", FirstLine(error.what_without_backtrace())));
  } catch (const c10::Error& error) {
    const std::string what = FirstLine(error.what_without_backtrace());
    if (IsOutOfMemory(what)) {
      return absl::ResourceExhaustedError(absl::StrCat("out of memory: ", what, kMemoryAdvice));
    }
    return absl::InternalError(what);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("out of memory", kMemoryAdvice));
  } catch (const std::exception& error) {
    return absl::InternalError(FirstLine(error.what()));
  }
}

}  // namespace fpo::train
