#include "train/generate/chat.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/events/exit_status.h"
#include "train/events/stop_signal.h"
#include "train/generate/chat_session.h"

namespace fpo::train {
namespace {

constexpr size_t kLineBytesMax = 1 << 20;
constexpr char kHelp[] =
    "  /reset         forget the conversation, keep the system message\n"
    "  /system TEXT   set the system message (none: remove it) and begin anew\n"
    "  /quit          end; so does Ctrl-D\n"
    "  Ctrl-C         end the answer in progress\n"
    "A question that begins with a slash: put a space before it.\n";

volatile std::sig_atomic_t interrupted = 0;

void CatchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
}

// Ctrl-C would make the terminal drop what was printed just then, such as the next prompt. What was
// typed is dropped by DropTyped instead.
class KeptOutput {
 public:
  KeptOutput() : set_(tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!set_) return;
    termios kept = before_;
    kept.c_lflag |= NOFLSH;
    tcsetattr(STDIN_FILENO, TCSANOW, &kept);
  }
  ~KeptOutput() {
    if (set_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  KeptOutput(const KeptOutput&) = delete;
  KeptOutput& operator=(const KeptOutput&) = delete;

 private:
  termios before_{};
  const bool set_;
};

void DropTyped() { tcflush(STDIN_FILENO, TCIFLUSH); }

// Waits for standard input. False: a signal came, now or since it was last looked at.
bool WaitForInput() {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  bool ready = false;
  if (interrupted == 0 && !StopRequested()) {  // none can come between this and the wait
    pollfd input{STDIN_FILENO, POLLIN, 0};
    ready = ppoll(&input, 1, nullptr, &before) >= 0;
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return ready;
}

// Lines of standard input.
class LineInput {
 public:
  // nullopt at the end and when the program is to stop; "" also after an interrupt.
  absl::StatusOr<std::optional<std::string>> Next() {
    while (true) {
      const size_t end = buffer_.find('\n');
      if (end != std::string::npos) return Take(end + 1);
      if (StopRequested()) return std::optional<std::string>();
      if (!WaitForInput()) return std::optional<std::string>("");
      char bytes[4096];
      const ssize_t count = read(STDIN_FILENO, bytes, sizeof(bytes));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return PosixError(errno, "read", "standard input");
      if (count == 0 && buffer_.empty()) return std::optional<std::string>();
      if (count == 0) return Take(buffer_.size());
      buffer_.append(bytes, static_cast<size_t>(count));
      if (buffer_.size() > kLineBytesMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("a line of standard input is longer than ", kLineBytesMax, " bytes"));
      }
    }
  }

 private:
  std::optional<std::string> Take(size_t size) {
    std::string line = buffer_.substr(0, size);
    buffer_.erase(0, size);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return line;
  }

  std::string buffer_;
};

// A model's text must not steer the terminal.
std::string Harmless(const std::string& text) {
  std::string shown;
  for (const char c : text) {
    const bool control =
        (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    absl::StrAppend(&shown, control ? "\xEF\xBF\xBD" : std::string(1, c));
  }
  return shown;
}

class ChatProgram {
 public:
  ChatProgram(ChatSession session, bool terminal)
      : session_(std::move(session)), terminal_(terminal) {}

  absl::Status Run() {
    while (true) {
      interrupted = 0;
      Print(terminal_ ? "> " : "");
      FPO_ASSIGN_OR_RETURN(const std::optional<std::string> line, input_.Next());
      if (!line) {
        Print(terminal_ ? "\n" : "");
        return absl::OkStatus();
      }
      if (line->empty()) {
        if (terminal_ && interrupted != 0) {
          DropTyped();
          Print("\n(/quit or Ctrl-D ends)\n");
        }
        continue;
      }
      if (!absl::StartsWith(*line, "/")) {
        FPO_RETURN_IF_ERROR(Answer(*line));
      } else if (!Obey(*line)) {
        return absl::OkStatus();
      }
    }
  }

 private:
  static void Print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  // For people beside the answers.
  static void Note(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

  // False: the program ends.
  bool Obey(const std::string& line) {
    absl::string_view rest = line;
    if (line == "/quit" || line == "/exit") return false;
    if (line == "/reset") {
      session_.Reset();
      Note("(a new conversation)");
    } else if (absl::ConsumePrefix(&rest, "/system") && (rest.empty() || rest[0] == ' ')) {
      absl::ConsumePrefix(&rest, " ");
      session_.SetSystem(std::string(rest));
      Note(rest.empty() ? "(no system message; a new conversation)"
                        : "(a new system message and conversation)");
    } else if (line == "/help") {
      std::fputs(kHelp, stderr);
    } else {
      Note(absl::StrCat("(", line, " is no command; /help lists them)"));
    }
    return true;
  }

  absl::Status Answer(const std::string& question) {
    ChatSession::Callbacks callbacks;
    if (terminal_) callbacks.on_text = [](const std::string& text) { Print(Harmless(text)); };
    callbacks.should_stop = [] { return interrupted != 0 || StopRequested(); };
    const absl::StatusOr<ChatSession::Reply> reply = session_.Ask(question, callbacks);
    if (absl::IsInvalidArgument(reply.status())) {  // of this question; the next may be answered
      Note(absl::StrCat("(", reply.status().message(), ")"));
      if (!terminal_) Print("\n");
      return absl::OkStatus();
    }
    FPO_RETURN_IF_ERROR(reply.status());
    if (terminal_) {
      const char* how = reply->interrupted ? " (interrupted)" : " (cut at the limit of tokens)";
      Print(absl::StrCat(reply->stopped ? "" : how, "\n"));
    } else {
      Print(absl::StrCat(absl::StrReplaceAll(reply->text, {{"\\", "\\\\"}, {"\n", "\\n"}}), "\n"));
    }
    return absl::OkStatus();
  }

  ChatSession session_;
  const bool terminal_;
  LineInput input_;
};

absl::Status CheckTemplate(const ChatOptions& options, const GenerationModel& model) {
  const ChatTemplate& chat = model.chat_template();
  FPO_RETURN_IF_ERROR(model.tokenizer().present());
  if (chat.model_has_turns() || options.model.template_name != "auto") {
    if (chat.has_turns()) return absl::OkStatus();
    return absl::InvalidArgumentError("chat needs a chat template, and --template none is none");
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "model ", options.model.folder,
      " has no chat template (neither chat_template.jinja nor chat_template in "
      "tokenizer_config.json): a base model continues a text, it does not answer. Train it on "
      "conversations (fpoctl init sft), continue texts with fpo-train generate --prompts FILE, or "
      "name the template that it was trained with: --template gemma, halo or a FILE.jinja"));
}

}  // namespace

absl::Status RunChat(const ChatOptions& options, EventSink& events) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<GenerationModel> model,
                       GenerationModel::Open(options.model));
  FPO_RETURN_IF_ERROR(CheckTemplate(options, *model));
  FPO_RETURN_IF_ERROR(model->Load(WarnOn(events)));
  ChatSession::Options session;
  session.system = options.system;
  session.seed = options.seed;
  session.context = options.context;
  session.max_new_tokens = options.max_new_tokens;
  session.sampling = options.sampling.value_or(model->defaults().sampling.value_or(Sampling{}));
  const bool terminal = isatty(STDIN_FILENO) != 0;
  events.Emit(PhaseEvent("train", absl::StrCat("loaded ", options.model.folder,
                                               terminal ? "; /help lists commands" : "")));
  std::vector<std::string> warnings = model->tokenizer().warnings();
  for (const std::string& warning : model->chat_template().warnings()) warnings.push_back(warning);
  for (const std::string& warning : warnings) events.Emit(WarningEvent(warning));
  CatchInterrupts();
  std::optional<KeptOutput> kept;
  if (terminal) kept.emplace();
  return ChatProgram(ChatSession(*model, std::move(session)), terminal).Run();
}

}  // namespace fpo::train
