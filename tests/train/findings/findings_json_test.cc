#include "train/findings/findings_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/train/findings/some_findings.h"
#include "train/findings/findings_page.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FindingsJson, HasWhatWasFound) {
  const auto json = nlohmann::json::parse(FindingsJson(SomeFindings()));
  EXPECT_EQ(json["labels"]["suspects"][0]["chosen"], kHostile);
  EXPECT_EQ(json["labels"]["suspects"][0]["row"], 7);
  EXPECT_EQ(json["labels"]["self_check"]["found_in_first_tenth"], 0.6);
  EXPECT_EQ(json["features"]["list"][0]["spans"][0]["strong"], kHostile);
  EXPECT_EQ(json["copies"]["alike"][0]["opposite"], true);
  EXPECT_EQ(json["leaks"]["pairs"], 2);
  Findings few;
  few.labels_unchecked = "too few";
  EXPECT_EQ(nlohmann::json::parse(FindingsJson(few))["labels"]["unchecked"], "too few");
}

TEST(FindingsPage, TextsOfTheDataCannotLeaveTheirPlace) {
  const std::string json = FindingsJson(SomeFindings());
  const std::string page = FindingsPage(json);
  const std::string open = "<script type=\"application/json\" id=\"findings\">";
  const size_t begin = page.find(open) + open.size();
  const std::string data = page.substr(begin, page.find("</script>", begin) - begin);
  EXPECT_EQ(nlohmann::json::parse(data), nlohmann::json::parse(json));
  EXPECT_THAT(data, Not(HasSubstr("<")));
  size_t scripts = 0;
  for (size_t at = 0; (at = page.find("<script", at)) != std::string::npos; ++at) ++scripts;
  EXPECT_EQ(scripts, 2u) << "the data and the page's own";
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(page, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

}  // namespace
}  // namespace fpo::train
