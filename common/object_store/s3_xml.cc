#include "common/object_store/s3_xml.h"

#include <expat.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

constexpr size_t kDepthMax = 8;

struct XmlReading {
  XML_Parser parser = nullptr;
  std::vector<S3Element> open;  // from the root inwards
  S3Element root;
  bool refused = false;

  void Refuse() {
    refused = true;
    XML_StopParser(parser, XML_FALSE);
  }
};

void OnBegin(void* user, const XML_Char* name, const XML_Char**) {
  auto* reading = static_cast<XmlReading*>(user);
  if (reading->open.size() >= kDepthMax) return reading->Refuse();
  reading->open.push_back({name, "", {}});
}

void OnEnd(void* user, const XML_Char*) {
  auto* reading = static_cast<XmlReading*>(user);
  S3Element element = std::move(reading->open.back());
  reading->open.pop_back();
  if (reading->open.empty()) {
    reading->root = std::move(element);
  } else {
    reading->open.back().children.push_back(std::move(element));
  }
}

void OnText(void* user, const XML_Char* text, int length) {
  auto* reading = static_cast<XmlReading*>(user);
  if (!reading->open.empty()) reading->open.back().text.append(text, static_cast<size_t>(length));
}

}  // namespace

const S3Element* S3Element::Find(absl::string_view child) const {
  for (const S3Element& element : children) {
    if (element.name == child) return &element;
  }
  return nullptr;
}

std::string S3Element::TextOf(absl::string_view child) const {
  const S3Element* const found = Find(child);
  return found == nullptr ? "" : found->text;
}

absl::StatusOr<S3Element> ParseS3Xml(absl::string_view text) {
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate(nullptr),
                                                                       &XML_ParserFree);
  if (!parser) return absl::ResourceExhaustedError("no memory for an XML parser");
  XmlReading reading;
  reading.parser = parser.get();
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), &OnBegin, &OnEnd);
  XML_SetCharacterDataHandler(parser.get(), &OnText);
  // Entities of its own are all that a document type could be for.
  XML_SetStartDoctypeDeclHandler(
      parser.get(), +[](void* user, const XML_Char*, const XML_Char*, const XML_Char*, int) {
        static_cast<XmlReading*>(user)->Refuse();
      });
  const auto result = XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), XML_TRUE);
  if (reading.refused) {
    return absl::DataLossError("the answer declares a document type, or is nested too deep");
  }
  if (result != XML_STATUS_OK) {
    return absl::DataLossError(
        absl::StrCat("the answer is no XML: ", XML_ErrorString(XML_GetErrorCode(parser.get()))));
  }
  return std::move(reading.root);
}

}  // namespace fpo
