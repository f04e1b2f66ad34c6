#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "train/chat/line_process.h"
#include "train/rows/preference_row.h"

namespace fpo::train {

// One conversation to render.
struct JinjaRequest {
  std::vector<Message> messages;
  bool asks = false;  // add_generation_prompt: ends where the assistant's turn begins
};

// The text, or why the template refuses the conversation.
struct JinjaText {
  std::string error;  // "" for a text
  std::string text;
  // What stood between {% generation %} and {% endgeneration %}, in bytes: begin and end.
  std::vector<std::pair<size_t, size_t>> spans;
};

// A chat template in Jinja, rendered by a helper process (render_chat.py) as transformers renders
// it: in Jinja's sandbox, without files, within limits of time, memory and size. Thread-safe.
class JinjaTemplate {
 public:
  struct Options {
    std::string text;
    std::string name;                           // for messages
    std::map<std::string, std::string> tokens;  // "bos_token" to "<bos>"
    double seconds = 5;                         // for one conversation
    double hang_seconds = 120;  // for any response of the helper, which is then ended
    std::vector<std::string> pythons = {"/usr/bin/python3", "python3"};  // the first with Jinja
  };
  // Starts the helper and compiles the template. FailedPrecondition, naming the Debian package,
  // without Python or Jinja; InvalidArgument, with the line, for a template that is not Jinja.
  static absl::StatusOr<std::unique_ptr<JinjaTemplate>> Start(Options options);

  // In the order of the requests. InvalidArgument when the helper dies or hangs over them.
  // `with_parts`: a content of several parts is passed as a list, else as their text.
  absl::StatusOr<std::vector<JinjaText>> Render(absl::Span<const JinjaRequest> requests,
                                                bool with_parts = false);

  // It has asked for today's date, and received a fixed one.
  bool uses_date() const;

 private:
  JinjaTemplate(Options options, LineProcess process);
  absl::Status RenderSome(absl::Span<const JinjaRequest> requests, bool with_parts,
                          std::vector<JinjaText>* texts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  LineProcess process_ ABSL_GUARDED_BY(mutex_);
  bool uses_date_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fpo::train
