#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fpo {

// An element of one of S3's answers. Attributes and name spaces are left out.
struct S3Element {
  std::string name;
  std::string text;
  std::vector<S3Element> children;

  const S3Element* Find(absl::string_view child) const;  // nullptr: none
  std::string TextOf(absl::string_view child) const;     // "" where there is none
};

// DataLoss: it is no XML, declares a document type, or is nested more than 8 deep.
absl::StatusOr<S3Element> ParseS3Xml(absl::string_view text);

}  // namespace fpo
