// Reads the source tree and fails with file, line, rule and what to do instead. The limits are
// those of docs/architecture.md. An exception is one line in kExceptions with its reason; that list
// may only shrink.

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

struct SourceFile {
  std::string path;  // from the root of the project, with slashes
  Lines lines;
};

struct Exception {
  const char* path;
  const char* rule;
  const char* reason;
};

constexpr Exception kExceptions[] = {
    {"train/collective/nccl_plugin.cc", "mirror-test",
     "one function in a library of its own; nccl_backend_test opens it"},
    {"common/postgres/no_postgres.cc", "mirror-test", "in builds without libpq only: says so"},
    {"train/saving/side_write.cc", "wall-wait",
     "says each second that it waits, and is woken at the end"},
};

struct Layer {
  const char* folder;                  // the longest matching folder counts
  std::vector<const char*> allowed;    // project folders it may include besides its own
  std::vector<const char*> forbidden;  // foreign headers
};

const std::vector<Layer>& Layers() {
  const std::vector<const char*> numeric = {"common/", "train/cuda/", "train/kernels/",
                                            "train/nf4/", "train/ops/"};
  static const std::vector<Layer> layers = {
      {"common/", {"common/"}, {"grpc", "google/", "torch/", "ATen/", "rocksdb/"}},
      {"common/values/",
       {"common/values/"},
       {"grpc", "google/", "torch/", "ATen/", "rocksdb/", "nlohmann/"}},
      {"common/wire/", {"common/", "proto/"}, {"grpc", "torch/", "ATen/", "rocksdb/"}},
      {"common/cache_client/", {"common/", "proto/"}, {"torch/", "ATen/", "rocksdb/"}},
      {"common/postgres/", {"common/"}, {"grpc", "google/", "torch/", "ATen/", "rocksdb/"}},
      {"common/rocksdb/", {"common/"}, {"grpc", "google/", "torch/", "ATen/"}},
      {"common/rpc/", {"common/", "proto/fpo/v1/error.pb.h"}, {"torch/", "ATen/", "rocksdb/"}},
      {"common/evaluation/",
       {"common/evaluation/"},
       {"grpc", "google/", "torch/", "ATen/", "rocksdb/", "nlohmann/"}},
      {"common/reference/", {"common/"}, {"grpc", "google/", "torch/", "ATen/", "rocksdb/"}},
      {"coordinator/core/", {"common/"}, {"grpc", "google/", "torch/", "ATen/", "common/rpc/"}},
      {"cache/core/", {"common/"}, {"grpc", "google/", "torch/", "ATen/", "common/rpc/"}},
      {"worker/core/",
       {"common/"},
       {"grpc", "google/", "torch/", "ATen/", "rocksdb/", "common/rpc/"}},
      {"coordinator/", {"common/", "proto/"}, {"torch/", "ATen/", "rocksdb/"}},
      {"cache/", {"common/", "proto/"}, {"torch/", "ATen/", "rocksdb/"}},
      {"worker/", {"common/", "proto/"}, {"torch/", "ATen/", "rocksdb/"}},
      {"ctl/", {"common/", "proto/"}, {"torch/", "ATen/", "rocksdb/"}},
      {"train/kernels/", {}, {"torch/", "ATen/", "c10/", "absl/", "grpc", "google/"}},
      {"train/cuda/", {"common/", "train/kernels/"}, {"torch/nn", "grpc", "google/"}},
      {"train/cuda/kernels/",
       {"train/kernels/"},
       {"torch/", "ATen/", "c10/", "absl/", "grpc", "google/"}},
      {"train/ops/", {"common/", "train/cuda/", "train/kernels/"}, {"torch/nn", "grpc", "google/"}},
      {"train/nf4/",
       {"common/", "train/cuda/", "train/kernels/", "train/ops/"},
       {"torch/nn", "grpc", "google/"}},
      {"train/model/", numeric, {"grpc", "google/"}},
      {"train/sae/", numeric, {"grpc", "google/"}},
      {"train/loss/", numeric, {"grpc", "google/"}},
      {"train/optim/", numeric, {"grpc", "google/"}},
      {"train/formats/", {"common/"}, {"grpc", "google/"}},
      {"train/checkpoint/", {"common/", "train/formats/"}, {"grpc", "google/"}},
      {"train/tokenizer/", {"common/", "train/formats/"}, {"grpc", "google/"}},
      {"train/tables/", {"common/"}, {"grpc", "google/", "torch/", "ATen/"}},
      {"train/statistics/", {"common/"}, {"grpc", "google/", "torch/", "ATen/"}},
      {"train/rows/", {"common/", "train/tables/"}, {"grpc", "google/", "torch/", "ATen/"}},
      {"train/chat/",
       {"common/", "train/rows/", "train/tokenizer/"},
       {"grpc", "google/", "torch/", "ATen/"}},
      {"train/verdicts/",
       {"common/", "train/events/", "train/rows/"},
       {"grpc", "google/", "torch/", "ATen/"}},
      {"train/data/",
       {"common/", "train/formats/", "train/tokenizer/", "train/rows/", "train/chat/"},
       {"grpc", "google/"}},
      {"train/collective/", {"common/"}, {"grpc", "google/"}},
      {"train/", {"common/", "train/"}, {"grpc", "google/", "rocksdb/"}},
  };
  return layers;
}

struct OneFileLibrary {
  const char* include;
  std::vector<const char*> files;  // prefixes
};

const std::vector<OneFileLibrary>& OneFileLibraries() {
  static const std::vector<OneFileLibrary> libraries = {
      {"CLI/", {"ctl/command_line/flags", "common/flags/"}},
      {"yaml-cpp/", {"common/job/job_yaml.cc"}},
      {"utf8proc.h", {"ctl/show/text_layout.cc", "train/tokenizer/words/nfc.cc"}},
      {"openssl/", {"common/hash.cc", "common/http/hmac.cc", "common/rpc/security/credentials.cc"}},
      {"spdlog/", {"common/observe/log.cc"}},
      {"rocksdb/",
       {"common/rocksdb/", "coordinator/core/store/rocksdb_", "cache/core/store/rocksdb_"}},
      {"common/rocksdb/",
       {"common/rocksdb/", "coordinator/core/store/rocksdb_", "cache/core/store/rocksdb_"}},
      {"curl/", {"common/http/", "common/object_store/s3_request.cc"}},
      {"pugixml.hpp", {"common/object_store/s3_xml.cc"}},
      {"libpq", {"common/postgres/"}},
      {"prometheus/", {"common/observe/metrics.cc"}},
      {"microhttpd.h", {"common/observe/http_server.cc"}},
      {"zlib.h", {"train/formats/", "train/rows/"}},
      {"zstd.h", {"train/rows/"}},
      {"arrow/", {"train/tables/arrow_"}},
      {"parquet/", {"train/tables/arrow_"}},
  };
  return libraries;
}

bool StartsWith(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}
bool EndsWith(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() &&
         text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

fs::path Root() {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  return root != nullptr ? fs::path(root) : fs::current_path();
}

Lines ReadLines(const fs::path& path) {
  std::ifstream in(path);
  Lines lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<SourceFile> ReadTree(const std::vector<std::string>& folders,
                                 const std::vector<std::string>& endings) {
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    if (!fs::exists(Root() / folder)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(Root() / folder)) {
      const std::string path = fs::relative(entry.path(), Root()).generic_string();
      const bool wanted =
          std::any_of(endings.begin(), endings.end(),
                      [&](const std::string& ending) { return EndsWith(path, ending); });
      if (entry.is_regular_file() && wanted) files.push_back({path, ReadLines(entry.path())});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

const std::vector<SourceFile>& Sources() {
  static const std::vector<SourceFile> files =
      ReadTree({"common", "coordinator", "worker", "cache", "train", "ctl"}, {".cc", ".h", ".cu"});
  return files;
}

void Complain(const SourceFile& file, size_t line, const std::string& rule,
              const std::string& what) {
  for (const Exception& e : kExceptions) {
    if (file.path == e.path && rule == e.rule) return;
  }
  ADD_FAILURE() << file.path << ":" << line + 1 << ": [" << rule << "] " << what;
}

// The line without string literals, character literals and // comments.
std::string Code(const std::string& line) {
  std::string code;
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\')
        ++i;
      else if (c == quote)
        quote = 0;
    } else if (c == '"' ||
               (c == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(line[i - 1]))))) {
      quote = c;
    } else if (c == '/' && i + 1 < line.size() && line[i + 1] == '/') {
      break;
    } else {
      code += c;
    }
  }
  return code;
}

// The included name of an #include line, or "".
std::string Included(const std::string& line) {
  if (!StartsWith(line, "#include")) return "";
  const size_t begin = line.find_first_of("<\"");
  const size_t end = line.find_first_of(">\"", begin + 1);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return line.substr(begin + 1, end - begin - 1);
}

const Layer* LayerOf(const std::string& path) {
  const Layer* best = nullptr;
  for (const Layer& layer : Layers()) {
    if (StartsWith(path, layer.folder) &&
        (best == nullptr || std::string(layer.folder).size() > std::string(best->folder).size())) {
      best = &layer;
    }
  }
  return best;
}

bool IsProjectHeader(const std::string& name) {
  for (const char* folder :
       {"common/", "coordinator/", "worker/", "cache/", "train/", "ctl/", "proto/"}) {
    if (StartsWith(name, folder)) return true;
  }
  return false;
}

TEST(Architecture, TreeIsFound) { ASSERT_GT(Sources().size(), 20u) << "set FPO_SOURCE_DIR"; }

TEST(Architecture, IncludesFollowTheLayerTable) {
  for (const SourceFile& file : Sources()) {
    const Layer* layer = LayerOf(file.path);
    if (layer == nullptr) continue;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string name = Included(file.lines[i]);
      if (name.empty()) continue;
      bool allowed = !IsProjectHeader(name) || StartsWith(name, layer->folder);
      for (const char* prefix : layer->allowed) allowed = allowed || StartsWith(name, prefix);
      // common/ itself must not reach up into its rpc and rocksdb folders.
      if (std::string(layer->folder) == "common/" ||
          std::string(layer->folder) == "common/reference/") {
        allowed =
            allowed && !StartsWith(name, "common/rpc/") && !StartsWith(name, "common/rocksdb/");
      }
      // Who does not see the messages does not see what they become either.
      const bool sees_messages =
          std::any_of(layer->allowed.begin(), layer->allowed.end(),
                      [](const char* prefix) { return std::string(prefix) == "proto/"; });
      if (!sees_messages) {
        allowed = allowed && !StartsWith(name, "common/wire/") &&
                  !StartsWith(name, "common/cache_client/");
      }
      if (!allowed)
        Complain(file, i, "layers",
                 "must not include " + name + "; depend on an interface of its own layer");
      for (const char* prefix : layer->forbidden) {
        const bool store =
            StartsWith(name, "rocksdb/") && file.path.find("/rocksdb_") != std::string::npos;
        if (StartsWith(name, prefix) && !store)
          Complain(file, i, "layers", "must not include " + name);
      }
    }
  }
}

TEST(Architecture, OneLibraryOneFile) {
  for (const SourceFile& file : Sources()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string name = Included(file.lines[i]);
      for (const OneFileLibrary& library : OneFileLibraries()) {
        if (!StartsWith(name, library.include)) continue;
        bool allowed = false;
        for (const char* prefix : library.files) allowed = allowed || StartsWith(file.path, prefix);
        if (!allowed)
          Complain(file, i, "one-library",
                   name + " belongs to " + library.files.front() + " alone");
      }
      if (name == "nlohmann/json.hpp" && EndsWith(file.path, ".h")) {
        Complain(file, i, "one-library", "nlohmann/json.hpp costs seconds: use it in a .cc");
      }
      if (name == "torch/torch.h")
        Complain(file, i, "one-library", "use ATen/core/Tensor.h and the ops needed");
    }
  }
}

TEST(Architecture, FilesAndLinesFit) {
  for (const SourceFile& file : Sources()) {
    const size_t limit = EndsWith(file.path, ".h") ? 150 : 400;
    if (file.lines.size() > limit) {
      Complain(file, limit, "file-length",
               std::to_string(file.lines.size()) + " lines, limit " + std::to_string(limit) +
                   ": split by idea");
    }
    for (size_t i = 0; i < file.lines.size(); ++i) {
      if (file.lines[i].size() > 100)
        Complain(file, i, "line-length",
                 std::to_string(file.lines[i].size()) + " columns, limit 100");
    }
  }
}

// Commas at the depth of the outermost parentheses of a signature, outside templates.
int CountParameters(const std::string& signature) {
  const size_t open = signature.find('(');
  if (open == std::string::npos) return 0;
  int depth = 0, angle = 0, commas = 0;
  bool any = false;
  for (size_t i = open; i < signature.size(); ++i) {
    const char c = signature[i];
    if (c == '(' || c == '{' || c == '[')
      ++depth;
    else if (c == ')' || c == '}' || c == ']') {
      if (--depth == 0) break;
    } else if (c == '<')
      ++angle;
    else if (c == '>' && (i == 0 || signature[i - 1] != '-'))
      --angle;
    else if (c == ',' && depth == 1 && angle == 0)
      ++commas;
    else if (!std::isspace(static_cast<unsigned char>(c)))
      any = true;
  }
  return any ? commas + 1 : 0;
}

struct Function {
  size_t first;
  size_t last;
  std::string signature;
};

// Function bodies by the formatter's layout: a line at `indent` that opens a brace, closed by "}"
// at the same indent.
std::vector<Function> Functions(const SourceFile& file, size_t indent) {
  std::vector<Function> functions;
  const std::string pad(indent, ' ');
  const std::string close = pad + "}";
  std::string signature;
  size_t start = 0;
  bool inside = false;
  for (size_t i = 0; i < file.lines.size(); ++i) {
    const std::string code = Code(file.lines[i]);
    const bool at_indent = code.size() > indent && StartsWith(code, pad) && code[indent] != ' ' &&
                           code[indent] != '}' && code[indent] != '#';
    if (at_indent) {
      signature.clear();
      start = i;
      inside = true;
    } else if (code.find_first_not_of(' ') < indent)
      inside = false;
    if (!inside) continue;
    if (code.find(';') != std::string::npos && code.find('{') == std::string::npos) {
      signature.clear();
      continue;
    }
    signature += code + " ";
    const bool opens = EndsWith(code, "{");
    const bool is_function =
        signature.find('(') != std::string::npos &&
        !StartsWith(signature.substr(std::min(indent, signature.size())), "namespace") &&
        signature.find(" = ") == std::string::npos;
    if (!opens || !is_function || signature.size() <= indent || start > i) {
      if (opens) inside = false;
      continue;
    }
    size_t end = i + 1;
    while (end < file.lines.size() && !StartsWith(file.lines[end], close)) ++end;
    functions.push_back({start, end, signature});
    i = end;
    signature.clear();
  }
  return functions;
}

TEST(Architecture, FunctionsFitAScreen) {
  for (const SourceFile& file : Sources()) {
    for (size_t indent : {size_t{0}, size_t{2}}) {
      for (const Function& f : Functions(file, indent)) {
        const size_t length = f.last - f.first + 1;
        if (length > 70)
          Complain(file, f.first, "function-length",
                   std::to_string(length) + " lines, limit 70: extract a named step");
        if (indent == 0 && CountParameters(f.signature) > 4) {
          Complain(file, f.first, "parameters",
                   std::to_string(CountParameters(f.signature)) +
                       " parameters, limit 4: group them in a struct");
        }
      }
    }
  }
}

bool ContainsWord(const std::string& code, const std::string& word) {
  for (size_t at = code.find(word); at != std::string::npos; at = code.find(word, at + 1)) {
    const bool before =
        at == 0 || !(std::isalnum(static_cast<unsigned char>(code[at - 1])) ||
                     code[at - 1] == '_' || code[at - 1] == '.' || code[at - 1] == '>');
    if (before) return true;
  }
  return false;
}

// The name that a line declares with class or struct, without its bases.
std::string DeclaredName(const std::string& code) {
  for (const std::string keyword : {"class ", "struct "}) {
    const size_t at = code.find(keyword);
    if (at == std::string::npos) continue;
    const size_t begin = at + keyword.size();
    return code.substr(begin, code.find_first_of(":{;", begin) - begin);
  }
  return "";
}

TEST(Architecture, WordsAndCallsStayWhereTheyBelong) {
  struct Call {
    const char* word;
    std::vector<const char*> files;
    const char* instead;
  };
  const std::vector<Call> calls = {
      {"exit(", {"ctl/", "/main.cc", "train/program.cc"}, "return a status"},
      {"abort(", {}, "return a status"},
      {"getenv(",
       {"flags.cc", "/main.cc", "train/program.cc", "ctl/", "worker/core/process/spawner",
        "train/events/event_writer.cc", "train/device/host_settings.cc"},
       "read it in flags.cc and pass it on"},
      {"sleep(", {}, "wait on a condition with a deadline"},
      {"std::cout",
       {"ctl/", "/main.cc", "train/program.cc", "flags.cc"},
       "return text to main or fpoctl"},
  };
  const std::vector<std::string> names = {"Manager", "Helper", "Util", "Misc", "Handler"};
  for (const SourceFile& file : Sources()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string code = Code(file.lines[i]);
      for (const Call& call : calls) {
        bool allowed = false;
        for (const char* place : call.files)
          allowed = allowed || file.path.find(place) != std::string::npos;
        if (!allowed && ContainsWord(code, call.word))
          Complain(file, i, "calls", std::string(call.word) + " is not used here: " + call.instead);
      }
      for (const std::string& name : names) {
        if (DeclaredName(code).find(name) != std::string::npos)
          Complain(file, i, "names", name + " says nothing: name the thing it is");
      }
      if (file.lines[i].find("FIXME") != std::string::npos)
        Complain(file, i, "unfinished", "finish it or file an issue");
      const size_t todo = file.lines[i].find("TODO");
      if (todo != std::string::npos && file.lines[i].compare(todo, 6, "TODO(#") != 0)
        Complain(file, i, "unfinished", "write TODO(#issue)");
    }
  }
}

// absl's timeouts are points of the wall clock: one that is set back by an hour lengthens them by
// an hour.
TEST(Architecture, WaitsFollowTheSteadyClock) {
  const std::vector<std::string> calls = {"AwaitWithTimeout(", "AwaitWithDeadline(",
                                          "WaitForNotificationWith", "WaitWithTimeout(",
                                          "WaitWithDeadline("};
  for (const SourceFile& file : Sources()) {
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string code = Code(file.lines[i]);
      for (const std::string& call : calls) {
        if (code.find(call) != std::string::npos)
          Complain(file, i, "wall-wait",
                   "use AwaitFor (common/waits/steady_wait.h) or WaitUnlessStopped "
                   "(common/waits/stop_wait.h)");
      }
    }
  }
}

// A room that one can take in at a glance.
TEST(Architecture, AFolderHoldsOneSubject) {
  constexpr size_t kLimit = 27;
  std::map<std::string, std::vector<SourceFile>> folders;
  const auto add = [&](const std::vector<SourceFile>& files) {
    for (const SourceFile& file : files)
      folders[fs::path(file.path).parent_path().generic_string()].push_back(file);
  };
  add(Sources());
  add(ReadTree({"tests", "bench", "scripts"}, {".cc", ".h", ".sh", ".py"}));
  for (const auto& [folder, files] : folders) {
    if (files.size() > kLimit)
      ADD_FAILURE() << folder << "/: [folder] " << files.size() << " files, limit " << kLimit
                    << ": make rooms by subject";
  }
}

// Names that several headers may have, and why.
const std::map<std::string, std::string>& SharedHeaderNames() {
  static const std::map<std::string, std::string> names = {
      {"flags.h", "each program's command line"},
      {"config.h", "each program's settings"},
      {"convert.h", "each edge's protobuf conversions"},
  };
  return names;
}

TEST(Architecture, AHeaderHasANameOfItsOwn) {
  std::map<std::string, std::string> first;
  std::vector<SourceFile> files = Sources();
  for (const SourceFile& file : ReadTree({"tests"}, {".h"})) files.push_back(file);
  for (const SourceFile& file : files) {
    const std::string name = fs::path(file.path).filename().string();
    if (!EndsWith(name, ".h") || SharedHeaderNames().count(name) != 0) continue;
    const auto [other, fresh] = first.emplace(name, file.path);
    if (!fresh) Complain(file, 0, "header-name", "is also the name of " + other->second);
  }
}

struct DeclaredType {
  std::string name;
  std::string where;  // its namespace
  size_t line;
};

// The classes, structs and enums that a header defines outside of others.
std::vector<DeclaredType> DeclaredTypes(const Lines& lines) {
  std::vector<DeclaredType> types;
  std::string where;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string code = Code(lines[i]);
    if (StartsWith(code, "namespace ")) where = code.substr(0, code.find('{'));
    for (const std::string keyword : {"class ", "struct ", "enum class "}) {
      const bool announces = EndsWith(code, ";") && code.find('{') == std::string::npos;
      if (!StartsWith(code, keyword) || announces) continue;
      const size_t begin = keyword.size();
      const std::string name = code.substr(begin, code.find_first_of(" :{<", begin) - begin);
      if (!name.empty() && code.find("<", begin) == std::string::npos)
        types.push_back({name, where, i});
    }
  }
  return types;
}

// Names that several programs' types may have, and why.
const std::map<std::string, std::string>& SharedTypeNames() {
  static const std::map<std::string, std::string> names = {
      {"ExitCode", "the trainer's and fpoctl's; no program sees both"},
  };
  return names;
}

TEST(Architecture, ANameMeansOneTypeInAllPrograms) {
  std::map<std::string, std::pair<std::string, std::string>> first;  // namespace and header
  for (const SourceFile& file : Sources()) {
    if (!EndsWith(file.path, ".h")) continue;
    for (const DeclaredType& type : DeclaredTypes(file.lines)) {
      if (SharedTypeNames().count(type.name) != 0) continue;
      const auto known = first.emplace(type.name, std::pair(type.where, file.path)).first;
      if (known->second.first != type.where)
        Complain(file, type.line, "type-name",
                 type.name + " is also a type of " + known->second.second +
                     ": share it or say what is different");
    }
  }
}

// Lexically: a CMakeLists.txt without comments, cut at blanks and parentheses.
std::vector<std::string> CMakeWords(const Lines& lines) {
  std::vector<std::string> words;
  for (const std::string& line : lines) {
    std::string word;
    for (const char c : line.substr(0, line.find('#')) + " ") {
      if (std::isspace(static_cast<unsigned char>(c)) || c == '(' || c == ')' || c == '"') {
        if (!word.empty()) words.push_back(word);
        word.clear();
      } else {
        word += c;
      }
    }
  }
  return words;
}

// The sources that the CMakeLists.txt of `folder` and of the folders it adds name, as paths from
// the root. A folder that is not added builds nothing, so its sources are not among them.
void CollectTargetSources(const std::string& folder, const Lines& lines,
                          std::set<std::string>* sources) {
  const std::vector<std::string> words = CMakeWords(lines);
  for (size_t i = 0; i < words.size(); ++i) {
    std::string word = words[i];
    if (word == "fpo_add" && i + 1 < words.size()) {
      const std::string below = (fs::path(folder) / words[i + 1]).generic_string();
      CollectTargetSources(below, ReadLines(Root() / below / "CMakeLists.txt"), sources);
    }
    if (!EndsWith(word, ".cc") && !EndsWith(word, ".cu")) continue;
    const std::string root = "${CMAKE_SOURCE_DIR}/";
    sources->insert(StartsWith(word, root)
                        ? word.substr(root.size())
                        : (fs::path(folder) / word).lexically_normal().generic_string());
  }
}

const std::set<std::string>& TargetSources() {
  static const std::set<std::string> sources = [] {
    std::set<std::string> all;
    CollectTargetSources("", ReadLines(Root() / "CMakeLists.txt"), &all);
    return all;
  }();
  return sources;
}

void ExpectInATarget(const std::vector<SourceFile>& files) {
  for (const SourceFile& file : files) {
    if (!EndsWith(file.path, ".h") && TargetSources().count(file.path) == 0)
      Complain(file, 0, "target", "is in no target: name it in the CMakeLists.txt of its folder");
  }
}

TEST(Architecture, EverySourceIsInATarget) {
  ExpectInATarget(Sources());
  ExpectInATarget(ReadTree({"tests", "bench"}, {".cc"}));
}

// Files at the network and command-line edges share one test per folder; their behaviour shows only
// through a running server or program.
bool SharesItsTest(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return name == "main.cc" || name == "flags.cc" || name == "config.cc" ||
         path.find("/rpc/") != std::string::npos || StartsWith(path, "ctl/");
}

// A file as short as this may be covered by a test of its folder that includes its header, so that
// no file is split or padded for the sake of the rule.
constexpr size_t kShortFile = 40;

// "coordinator/core" -> what the tests in tests/coordinator/core/ include.
std::map<std::string, std::set<std::string>> IncludesOfTests(const std::vector<SourceFile>& tests) {
  std::map<std::string, std::set<std::string>> includes;
  for (const SourceFile& test : tests) {
    const std::string folder = fs::path(test.path).parent_path().generic_string();
    const std::string mirrored = fs::path(folder).lexically_relative("tests").generic_string();
    for (const std::string& line : test.lines) includes[mirrored].insert(Included(line));
  }
  return includes;
}

// What a source lacks, or "".
std::string MissingTest(const SourceFile& source, const std::set<std::string>& tests,
                        const std::map<std::string, std::set<std::string>>& includes) {
  const std::string stem = source.path.substr(0, source.path.size() - 3);
  const std::string mirror = "tests/" + stem + "_test.cc";
  if (tests.count(mirror) != 0) return "";
  if (source.lines.size() >= kShortFile) return "has no " + mirror;
  const auto folder = includes.find(fs::path(source.path).parent_path().generic_string());
  if (folder != includes.end() && folder->second.count(stem + ".h") != 0) return "";
  return "has no " + mirror + ", and no test beside it includes " + stem + ".h";
}

TEST(Architecture, EverySourceHasItsMirrorTest) {
  const std::vector<SourceFile> files = ReadTree({"tests"}, {"_test.cc"});
  std::set<std::string> tests;
  for (const SourceFile& file : files) tests.insert(file.path);
  const auto includes = IncludesOfTests(files);
  for (const SourceFile& file : Sources()) {
    if (!EndsWith(file.path, ".cc") || SharesItsTest(file.path)) continue;
    const std::string missing = MissingTest(file, tests, includes);
    if (!missing.empty()) Complain(file, 0, "mirror-test", missing);
  }
}

// Folders that programs make where they run, which the documentation names by these words alone.
constexpr const char* kMadeByPrograms[] = {"lost/", "model/"};

// Whether a word in backticks is a path of this tree: not one of a running system, a URL, a pattern
// (`*/rpc/`) or a placeholder (`WORK/spool/`).
bool IsTreePath(const std::string& word) {
  bool ends = EndsWith(word, "/");
  for (const char* ending : {".h", ".cc", ".md", ".sh", ".py"})
    ends = ends || EndsWith(word, ending);
  const size_t slash = word.find('/');
  if (!ends || slash == std::string::npos || slash == 0) return false;
  const auto in_a_path = [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.' || c == '/';
  };
  const auto upper = [](unsigned char c) { return std::isupper(c) != 0; };
  return std::all_of(word.begin(), word.end(), in_a_path) &&
         !std::all_of(word.begin(), word.begin() + static_cast<std::ptrdiff_t>(slash), upper) &&
         std::find(std::begin(kMadeByPrograms), std::end(kMadeByPrograms), word) ==
             std::end(kMadeByPrograms);
}

// The paths that a line of a document has in backticks, in order.
std::vector<std::string> QuotedPaths(const std::string& line) {
  std::vector<std::string> paths;
  for (size_t open = line.find('`'); open != std::string::npos;) {
    const size_t close = line.find('`', open + 1);
    if (close == std::string::npos) break;
    std::istringstream words(line.substr(open + 1, close - open - 1));
    for (std::string word; words >> word;) {
      if (IsTreePath(word)) paths.push_back(word);
    }
    open = line.find('`', close + 1);
  }
  return paths;
}

// What a line of a document links to in this tree, without headings.
std::vector<std::string> LinkedPaths(const std::string& line) {
  std::vector<std::string> paths;
  for (size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 1)) {
    std::string target = line.substr(at + 2, line.find(')', at) - at - 2);
    target.resize(std::min(target.size(), target.find('#')));
    if (!target.empty() && target.find("://") == std::string::npos) paths.push_back(target);
  }
  return paths;
}

// `path` below the first of `folders` that has it; "" when none does.
std::string FindBelow(const std::vector<std::string>& folders, const std::string& path) {
  for (const std::string& folder : folders) {
    const std::string found = (fs::path(folder) / path).lexically_normal().generic_string();
    const fs::path there = Root() / found;
    if (EndsWith(path, "/") ? fs::is_directory(there) : fs::exists(there)) return found;
  }
  return "";
}

std::vector<SourceFile> Documents() {
  std::vector<SourceFile> documents = ReadTree({"docs", "common", "coordinator", "worker", "cache",
                                                "train", "ctl", "tests", "bench", "examples"},
                                               {".md"});
  for (const char* path : {"README.md", "CONTRIBUTING.md"})
    documents.push_back({path, ReadLines(Root() / path)});
  return documents;
}

// A path in backticks is one from the root, from the document's folder, or from a folder named
// earlier in its line (`common/rpc/` with `security/`). Blocks of commands are not read.
TEST(Architecture, EveryPathInTheDocsExists) {
  for (const SourceFile& document : Documents()) {
    ASSERT_FALSE(document.lines.empty()) << document.path;
    const std::string folder = fs::path(document.path).parent_path().generic_string();
    bool block = false;
    for (size_t i = 0; i < document.lines.size(); ++i) {
      const std::string& line = document.lines[i];
      if (StartsWith(line, "```")) block = !block;
      if (block) continue;
      for (const std::string& path : LinkedPaths(line)) {
        if (FindBelow({folder}, path).empty())
          Complain(document, i, "path", "links to " + path + ", which is not there");
      }
      std::vector<std::string> folders = {"", folder};
      for (const std::string& path : QuotedPaths(line)) {
        const std::string found = FindBelow(folders, path);
        if (found.empty())
          Complain(document, i, "path", path + " is not there: name the file that is");
        else if (EndsWith(path, "/"))
          folders.push_back(found);
      }
    }
  }
}

// The rules themselves, on text that breaks them.
TEST(ArchitectureRules, SeeWhatTheyShould) {
  EXPECT_EQ(Included("#include \"torch/torch.h\""), "torch/torch.h");
  EXPECT_EQ(CountParameters("void F(int a, std::map<int, int> b, int c) {"), 3);
  EXPECT_EQ(CountParameters("void F() {"), 0);
  EXPECT_TRUE(ContainsWord("  exit(1);", "exit("));
  EXPECT_FALSE(ContainsWord("  server.exit(1);", "exit("));
  EXPECT_EQ(DeclaredName("class A final : public Handler {"), "A final ");
  EXPECT_EQ(Code("x = \"exit(\"; // exit("), "x = ; ");
  EXPECT_EQ(std::string(LayerOf("coordinator/core/jobs/job.cc")->folder), "coordinator/core/");
  SourceFile file{"a.cc",
                  {"void Long(int a,", "          int b) {", "  x();", "}", "struct S {",
                   "  int F() {", "    return 1;", "  }", "};"}};
  ASSERT_EQ(Functions(file, 0).size(), 1u);
  EXPECT_EQ(Functions(file, 0)[0].last, 3u);
  ASSERT_EQ(Functions(file, 2).size(), 1u);
  EXPECT_EQ(Functions(file, 2)[0].first, 5u);
}

TEST(ArchitectureRules, SeeTheTypesOfAHeader) {
  const auto types = DeclaredTypes({"namespace fpo::cache {", "class Ahead;",
                                    "enum class Kind { kA };", "class Open final : public Stream {",
                                    "  struct Inner {", "  };", "};", "struct hash<Digest> {"});
  ASSERT_EQ(types.size(), 2u);
  EXPECT_EQ(types[0].name, "Kind");
  EXPECT_EQ(types[0].where, "namespace fpo::cache ");
  EXPECT_EQ(types[1].name, "Open");
}

TEST(ArchitectureRules, SeeThePathsOfADocument) {
  const std::vector<std::string> quoted = {"a/b.h", "scripts/x.sh", "rpc/"};
  EXPECT_EQ(QuotedPaths("`a/b.h`, `b.h` and `scripts/x.sh --go`; `rpc/` but not `WORK/spool/`,"
                        "`*/rpc/`, `/etc/x.sh`, `http://host/` or `lost/`"),
            quoted);
  EXPECT_EQ(LinkedPaths("[x](../a.md#b), [y](https://host/y.md), [z](#z)"),
            (std::vector<std::string>{"../a.md"}));
}

TEST(ArchitectureRules, AnOrphanIsSeenBesideASourceWhoseNameEndsLikeIt) {
  std::set<std::string> sources;
  CollectTargetSources("coordinator/core",
                       {"# orphan.cc is gone", "fpo_library(x SRCS explain_job.cc rpc/a.cc",
                        "  ${CMAKE_SOURCE_DIR}/common/b.cc DEPS fpo_common)"},
                       &sources);
  EXPECT_EQ(sources, (std::set<std::string>{"common/b.cc", "coordinator/core/explain_job.cc",
                                            "coordinator/core/rpc/a.cc"}));
}

TEST(ArchitectureRules, OnlyAShortFileMayDoWithATestOfItsFolder) {
  const SourceFile test{"tests/coordinator/core/job_test.cc",
                        {"#include \"coordinator/core/moment.h\""}};
  const auto includes = IncludesOfTests({test});
  const std::set<std::string> tests = {test.path};
  const auto missing = [&](const std::string& path, size_t lines) {
    return MissingTest({path, Lines(lines)}, tests, includes);
  };
  EXPECT_EQ(missing("coordinator/core/job.cc", 300), "");
  EXPECT_EQ(missing("coordinator/core/moment.cc", 39), "");
  EXPECT_EQ(missing("coordinator/core/moment.cc", 40),
            "has no tests/coordinator/core/moment_test.cc");
  EXPECT_NE(missing("coordinator/core/other.cc", 10), "");
  EXPECT_NE(missing("coordinator/rpc/moment.cc", 10), "") << "another folder's tests do not count";
}

}  // namespace
