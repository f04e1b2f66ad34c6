#include "common/object_store/s3_xml.h"

#include <utility>

#include <pugixml.hpp>

#include "absl/strings/str_cat.h"

namespace fpo {
namespace {

constexpr int kDepthMax = 8;

// False: nested too deep.
bool Read(const pugi::xml_node& node, int depth, S3Element* element) {
  if (depth > kDepthMax) return false;
  element->name = node.name();
  for (const pugi::xml_node& child : node.children()) {
    switch (child.type()) {
      case pugi::node_pcdata:
      case pugi::node_cdata:
        element->text.append(child.value());
        break;
      case pugi::node_element:
        if (!Read(child, depth + 1, &element->children.emplace_back())) return false;
        break;
      default:
        break;
    }
  }
  return true;
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
  pugi::xml_document document;
  const pugi::xml_parse_result result =
      document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_doctype);
  if (!result)
    return absl::DataLossError(absl::StrCat("the answer is no XML: ", result.description()));
  S3Element root;
  for (const pugi::xml_node& node : document.children()) {
    // Entities of its own are all that a document type could be for.
    if (node.type() == pugi::node_doctype || !root.name.empty() || !Read(node, 1, &root)) {
      return absl::DataLossError(
          "the answer declares a document type, has several roots, or is nested too deep");
    }
  }
  if (root.name.empty()) return absl::DataLossError("the answer is no XML: it has no element");
  return root;
}

}  // namespace fpo
