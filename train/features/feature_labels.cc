#include "train/features/feature_labels.h"

#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/files/data_files.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/text/utf8.h"
#include "train/rows/byte_stream.h"

namespace fpo::train {
namespace {

constexpr size_t kLabelLineBytesMax = size_t{1} << 20;
constexpr int64_t kLabelLinesMax = int64_t{1} << 24;
constexpr size_t kLabelBytesMax = 300;

// Lines of a stream, without their ends.
class LabelLines {
 public:
  explicit LabelLines(ByteStream& stream) : stream_(stream) {}

  // False at the end.
  absl::StatusOr<bool> Next(std::string* line) {
    for (;;) {
      const size_t end = buffer_.find('\n', at_);
      if (end != std::string::npos) {
        line->assign(buffer_, at_, end - at_);
        at_ = end + 1;
        return true;
      }
      if (buffer_.size() - at_ > kLabelLineBytesMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("a line of more than ", kLabelLineBytesMax, " bytes"));
      }
      buffer_.erase(0, at_);
      at_ = 0;
      char bytes[1 << 16];
      FPO_ASSIGN_OR_RETURN(const size_t got, stream_.Read(bytes, sizeof(bytes)));
      if (got > 0) {
        buffer_.append(bytes, got);
        continue;
      }
      *line = std::exchange(buffer_, "");
      return !line->empty();
    }
  }

 private:
  ByteStream& stream_;
  std::string buffer_;
  size_t at_ = 0;
};

absl::StatusOr<int64_t> IndexOf(const nlohmann::json& object) {
  const nlohmann::json* const index = FindMember(object, "index");
  if (index == nullptr) return absl::InvalidArgumentError("it has no \"index\"");
  int64_t value = -1;
  const bool read = index->is_string() ? absl::SimpleAtoi(index->get<std::string>(), &value)
                                       : index->is_number_integer();
  if (index->is_number_integer()) value = index->get<int64_t>();
  if (read && value >= 0) return value;
  return absl::InvalidArgumentError(
      absl::StrCat("\"index\" is ", index->dump(), ", not the number of a feature"));
}

// Reads the lines of all files.
class LabelReader {
 public:
  LabelReader(const LabelledSae& sae, const std::set<int64_t>& wanted)
      : sae_(sae), wanted_(wanted) {}

  absl::Status ReadFile(const std::string& file) {
    FPO_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream, ByteStream::Open(file));
    LabelLines lines(*stream);
    std::string line;
    for (int64_t number = 1;; ++number) {
      const absl::StatusOr<bool> more = lines.Next(&line);
      absl::Status status = more.status();
      if (status.ok() && !*more) return absl::OkStatus();
      if (status.ok()) status = ReadLine(line);
      if (!status.ok()) {
        return absl::Status(status.code(), absl::StrCat(file, ":", number, ": ", status.message()));
      }
    }
  }

  FeatureLabels Take() {
    if (!unchecked_.empty()) {
      labels_.warnings.push_back(absl::StrCat(
          "labels: ", unchecked_, ", so it was not checked that they are those of this SAE (layer ",
          sae_.layer, " ", sae_.site, ", ", sae_.features, " features)"));
    }
    return std::move(labels_);
  }

 private:
  absl::Status ReadLine(absl::string_view line) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) return absl::OkStatus();
    if (++labels_.lines > kLabelLinesMax) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kLabelLinesMax, " labels"));
    }
    FPO_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJson(line));
    if (!object.is_object()) return absl::InvalidArgumentError("it is not a JSON object");
    FPO_ASSIGN_OR_RETURN(const int64_t index, IndexOf(object));
    std::string description, layer;
    FPO_RETURN_IF_ERROR(ReadMember(object, "description", &description));
    FPO_RETURN_IF_ERROR(ReadMember(object, "layer", &layer));
    FPO_RETURN_IF_ERROR(CheckLayer(layer));
    if (index >= sae_.features) {
      return absl::InvalidArgumentError(absl::StrCat("it labels feature ", index,
                                                     ", and the SAE has ", sae_.features,
                                                     ": these are another SAE's labels"));
    }
    const absl::string_view text = absl::StripAsciiWhitespace(description);
    if (wanted_.count(index) != 0 && !text.empty()) {
      labels_.texts.emplace(index, ShortText(std::string(text), kLabelBytesMax));
    }
    return absl::OkStatus();
  }

  absl::Status CheckLayer(const std::string& layer) {
    if (layer == checked_ && labels_.lines > 1) return absl::OkStatus();
    checked_ = layer;
    bool known = false;
    const std::string problem = LabelMismatch(layer, sae_, &known);
    if (!problem.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("these are another SAE's labels: ", problem,
                                                     " (\"layer\": ", JsonQuote(layer), ")"));
    }
    if (!known && unchecked_.empty()) {
      unchecked_ = layer.empty() ? "their lines have no \"layer\""
                                 : absl::StrCat("their \"layer\" is ", JsonQuote(layer));
    }
    return absl::OkStatus();
  }

  const LabelledSae& sae_;
  const std::set<int64_t>& wanted_;
  FeatureLabels labels_;
  std::string checked_, unchecked_;
};

// "16k" of 16,384 features, "1m" of 1,048,576.
std::string WidthWord(int64_t features) {
  return features >= 1000000 ? absl::StrCat(features / 1000000, "m")
                             : absl::StrCat(features / 1000, "k");
}

bool IsWidthWord(absl::string_view word) {
  int64_t number = 0;
  return word.size() > 1 && (word.back() == 'k' || word.back() == 'm') &&
         absl::SimpleAtoi(word.substr(0, word.size() - 1), &number);
}

const std::map<std::string, std::string>& SiteWords() {
  static const std::map<std::string, std::string> words = {
      {"res", "resid_post"}, {"mlp", "mlp_out"},      {"att", "attn_z"},
      {"attn", "attn_z"},    {"resid", "resid_post"}, {"transcoder", "a transcoder's"}};
  return words;
}

}  // namespace

std::string LabelMismatch(const std::string& layer, const LabelledSae& sae, bool* known) {
  const std::vector<std::string> words = absl::StrSplit(layer, '-');
  int64_t number = 0;
  const bool has_layer = absl::SimpleAtoi(words.front(), &number);
  std::string site, width;
  for (const std::string& word : words) {
    if (SiteWords().count(word) != 0) site = SiteWords().at(word);
    if (IsWidthWord(word)) width = word;
  }
  *known = has_layer && !site.empty() && !width.empty();
  if (has_layer && number != sae.layer) {
    return absl::StrCat("of layer ", number, ", and the SAE reads layer ", sae.layer);
  }
  if (!site.empty() && site != sae.site) {
    return absl::StrCat("of site ", site, ", and the SAE reads ", sae.site);
  }
  if (!width.empty() && width != WidthWord(sae.features)) {
    return absl::StrCat("of ", width, " features, and the SAE has ", sae.features);
  }
  return "";
}

absl::StatusOr<FeatureLabels> ReadFeatureLabels(const std::string& path, const LabelledSae& sae,
                                                const std::set<int64_t>& wanted) {
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> files, ExpandDataFiles(path));
  LabelReader reader(sae, wanted);
  for (const std::string& file : files) FPO_RETURN_IF_ERROR(reader.ReadFile(file));
  FeatureLabels labels = reader.Take();
  if (labels.lines == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, " has no lines: no labels"));
  }
  return labels;
}

}  // namespace fpo::train
