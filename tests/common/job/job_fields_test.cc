#include "common/job/job_fields.h"

#include <set>

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(JobFields, EveryEntryIsNamedOnceAndDocumented) {
  JobConfig config;
  std::set<std::string> names;
  for (const JobEntry& entry : JobEntries(&config)) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_GT(std::string(entry.doc).size(), 3u) << entry.name;
    for (const JobField& field : entry.fields) EXPECT_GT(std::string(field.doc).size(), 3u);
  }
  EXPECT_GE(names.size(), 20u);
}

TEST(JobFields, DefaultsAreAllowed) {
  JobConfig config;
  for (const JobEntry& entry : JobEntries(&config)) {
    for (const JobField& field : entry.fields) {
      if (const auto* number = std::get_if<double*>(&field.slot)) {
        EXPECT_LE(field.min, **number) << entry.name << "." << field.name;
        EXPECT_GE(field.max, **number) << entry.name << "." << field.name;
      }
    }
  }
}

}  // namespace
}  // namespace fpo
