#include "train/rows/preference_dataset.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

constexpr char kGood[] = R"({"prompt":"p","chosen":"c","rejected":"r"})";

std::string Lines(int good, int bad) {
  std::string text;
  for (int i = 0; i < good; ++i) absl::StrAppend(&text, kGood, "\n");
  for (int i = 0; i < bad; ++i) absl::StrAppend(&text, "{\"prompt\": 1}\n");
  return text;
}

absl::Status Ignore(PreferenceRow&&) { return absl::OkStatus(); }

TEST(PreferenceDatasetTest, FilesFollowEachOther) {
  ScratchFolder folder;
  DatasetOptions options;
  options.files = {folder.Put("a.jsonl", Lines(2, 0)), folder.Put("b.jsonl", Lines(1, 0))};
  std::vector<std::string> places;
  const auto counts = ReadPreferenceRows(options, [&](PreferenceRow&& row) {
    places.push_back(absl::StrCat(row.row, " ", row.where));
    return absl::OkStatus();
  });
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->rows, 3);
  EXPECT_EQ(places, (std::vector<std::string>{"0 a.jsonl:1", "1 a.jsonl:2", "2 b.jsonl:1"}));
}

TEST(PreferenceDatasetTest, FewBadRowsAreCountedMoreStopTheJob) {
  ScratchFolder folder;
  DatasetOptions options;
  options.max_bad_fraction = 0.1;
  options.files = {folder.Put("a.jsonl", Lines(9, 1))};
  const auto counts = ReadPreferenceRows(options, Ignore);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->malformed, 1);
  EXPECT_TRUE(
      absl::StrContains(counts->malformed_examples.at(0), "a.jsonl:10: no field 'chosen'") ||
      absl::StrContains(counts->malformed_examples.at(0), "a.jsonl:10: field 'prompt'"));
  options.files = {folder.Put("b.jsonl", Lines(8, 2))};
  const auto stopped = ReadPreferenceRows(options, Ignore);
  EXPECT_TRUE(absl::IsInvalidArgument(stopped.status()));
  EXPECT_TRUE(absl::StrContains(stopped.status().message(), "2 of 10 rows are malformed"));
}

TEST(PreferenceDatasetTest, AForeignFormIsNamedOnceWithWhatIsAccepted) {
  ScratchFolder folder;
  DatasetOptions options;
  std::string rows;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&rows, R"({"input_ids":[1],"labels":[2]})", "\n");
  }
  options.files = {folder.Put("ids.jsonl", rows)};
  const std::string why(ReadPreferenceRows(options, Ignore).status().message());
  EXPECT_TRUE(absl::StrContains(why,
                                "ids.jsonl:1 and 299 more: no field 'prompt'; the row has the "
                                "fields \"input_ids\", \"labels\": rows tokenised elsewhere"))
      << why;
  EXPECT_TRUE(absl::StrContains(why, "accepted are prompt with chosen and rejected")) << why;
  EXPECT_EQ(why.find("elsewhere"), why.rfind("elsewhere")) << why;
}

TEST(PreferenceDatasetTest, TextThatIsNotUtf8IsNamedByByteAndLine) {
  ScratchFolder folder;
  DatasetOptions options;
  const std::string good = absl::StrCat(kGood, "\n");
  const std::string latin = "  {\"prompt\":\"caf\xE9\",\"chosen\":\"c\"}";
  const auto why = [&](const std::string& name, const std::string& text) {
    options.files = {folder.Put(name, text)};
    return std::string(ReadPreferenceRows(options, Ignore).status().message());
  };
  // Byte 17 of the second line is the e with an acute accent.
  EXPECT_TRUE(absl::StrContains(why("a.jsonl", good + latin + "\n"),
                                "a.jsonl:2: not UTF-8 at byte 17 of line 2 (0xE9); convert"));
  EXPECT_TRUE(absl::StrContains(why("b.json", absl::StrCat("[", kGood, ",\n", latin, "]")),
                                "b.json:2: not UTF-8 at byte 17 of line 2 (0xE9)"));
  EXPECT_TRUE(absl::StrContains(why("c.json", "[{\"prompt\":\"p\",\n \"chosen\":\"\xE9\"}]"),
                                "c.json:1: not UTF-8 at byte 12 of line 2 (0xE9)"));
  EXPECT_TRUE(absl::StrContains(why("d.jsonl", std::string("\xFF\xFE{\0\"\0", 6)), "-f UTF-16"));
  EXPECT_TRUE(absl::StrContains(why("e.jsonl", std::string("{\0\"\0", 4)), "e.jsonl is UTF-16"));
}

TEST(PreferenceDatasetTest, BrokenJsonIsNamedByByteAndLine) {
  ScratchFolder folder;
  DatasetOptions options;
  const auto why = [&](const std::string& name, const std::string& text) {
    options.files = {folder.Put(name, text)};
    return std::string(ReadPreferenceRows(options, Ignore).status().message());
  };
  const std::string lone = R"({"prompt":"a \ud83d","chosen":"b","rejected":"c"})";
  EXPECT_TRUE(absl::StrContains(why("a.jsonl", absl::StrCat(kGood, "\n ", lone, "\n", lone)),
                                "a.jsonl:2 and 1 more: not JSON: half of a surrogate pair"))
      << why("a.jsonl", absl::StrCat(kGood, "\n ", lone));
  EXPECT_TRUE(absl::StrContains(why("b.json", "[{\"prompt\":\"p\",\n \"chosen\":tru}]"),
                                "(byte 14 of line 2)"));
  EXPECT_TRUE(absl::StrContains(why("c.jsonl", R"({"prompt":"p","prompt":"q","chosen":"c"})"),
                                "c.jsonl:1: the key \"prompt\" appears twice"));
  EXPECT_TRUE(absl::StrContains(why("d.jsonl", "{\n \"prompt\": \"p\"\n}"), "pretty-printed"));
}

TEST(PreferenceDatasetTest, ANumberThatNobodyNeedsCostsNothing) {
  ScratchFolder folder;
  DatasetOptions options;
  options.max_bad_fraction = 0;
  options.files = {
      folder.Put("a.jsonl", R"({"prompt":"a","chosen":"b","rejected":"c","score_chosen":NaN})")};
  EXPECT_TRUE(ReadPreferenceRows(options, Ignore).ok());
}

TEST(PreferenceDatasetTest, ToolCallsAreDroppedAndNotMalformed) {
  ScratchFolder folder;
  DatasetOptions options;
  const std::string tool =
      R"({"prompt":[{"role":"user","content":"w?"},{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},{"role":"tool","content":"20C"}],"chosen":[{"role":"assistant","content":"20"}],"rejected":[{"role":"assistant","content":"?"}]})";
  options.files = {folder.Put("a.jsonl", absl::StrCat(Lines(97, 0), tool, "\n", tool, "\n", tool))};
  int dropped = 0;
  const auto counts = ReadPreferenceRows(options, [&](PreferenceRow&& row) {
    dropped += row.drop_reason == "tool_calls_unsupported";
    return absl::OkStatus();
  });
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->malformed, 0);
  EXPECT_EQ(dropped, 3);
}

TEST(PreferenceDatasetTest, PatternsAndFolders) {
  ScratchFolder folder;
  folder.Put("d/b.jsonl", Lines(1, 0));
  folder.Put("d/a.ndjson", Lines(2, 0));
  folder.Put("d/README.md", "none");
  DatasetOptions options;
  for (const char* entry : {"d", "d/*json*"}) {
    options.files = {folder / entry};
    std::vector<std::string> places;
    ASSERT_TRUE(ReadPreferenceRows(options, [&](PreferenceRow&& row) {
                  places.push_back(row.where);
                  return absl::OkStatus();
                }).ok());
    EXPECT_EQ(places, (std::vector<std::string>{"a.ndjson:1", "a.ndjson:2", "b.jsonl:1"}));
  }
  options.files = {folder / "d/*.gz"};
  EXPECT_TRUE(absl::IsNotFound(ReadPreferenceRows(options, Ignore).status()));
}

TEST(PreferenceDatasetTest, EmptyInputIsAnError) {
  ScratchFolder folder;
  DatasetOptions options;
  options.files = {folder.Put("a.jsonl", "\n\n")};
  const auto counts = ReadPreferenceRows(options, Ignore);
  EXPECT_TRUE(absl::StrContains(counts.status().message(), "no rows in")) << counts.status();
}

TEST(PreferenceDatasetTest, TheVisitorCanStop) {
  ScratchFolder folder;
  DatasetOptions options;
  options.files = {folder.Put("a.jsonl", Lines(5, 0))};
  const auto counts = ReadPreferenceRows(options, [](PreferenceRow&& row) {
    return row.row == 1 ? absl::CancelledError("enough") : absl::OkStatus();
  });
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->rows, 2);
  EXPECT_TRUE(absl::IsInternal(ReadPreferenceRows(options, [](PreferenceRow&&) {
                                 return absl::InternalError("x");
                               }).status()));
}

struct PublishedFile {
  const char* name;
  int64_t rows, malformed, dropped;  // dropped before the template sees them
};

TEST(PreferenceDatasetTest, PublishedFiles) {
  const PublishedFile files[] = {
      {"human_pairs.jsonl.gz", 4024, 0, 0},
      {"hh-rlhf.harmless-base.test.jsonl.gz", 2312, 0, 5},  // without a shared prompt
      {"alpaca_eval_pairs.jsonl.gz", 4025, 0, 0},
      {"llamafactory.dpo_en_demo.json", 300, 0, 0},
      {"llamafactory.kto_en_demo.json", 300, 0, 150},  // unwanted
      {"pandalm.testset-v1.json", 999, 6, 85},         // answers that are no texts; ties
      {"llmbar", 885, 0, 0},
  };
  for (const PublishedFile& file : files) {
    const std::string path = SharedData(std::string("prefs/") + file.name);
    if (path.empty()) GTEST_SKIP() << "shared test data is absent (FPO_SHARED_DATA)";
    DatasetOptions options;
    options.files = {path};
    int64_t dropped = 0;
    const auto counts = ReadPreferenceRows(options, [&](PreferenceRow&& row) {
      dropped += !row.drop_reason.empty() || !row.pair_drop_reason.empty();
      return absl::OkStatus();
    });
    ASSERT_TRUE(counts.ok()) << counts.status();
    EXPECT_EQ(counts->rows, file.rows) << file.name;
    EXPECT_EQ(counts->malformed, file.malformed) << file.name;
    EXPECT_EQ(dropped, file.dropped) << file.name;
  }
}

std::vector<PreferenceRow> RowsOf(const std::string& path, DatasetCounts* counts) {
  DatasetOptions options;
  options.files = {path};
  options.max_bad_fraction = 1;
  std::vector<PreferenceRow> rows;
  const auto read = ReadPreferenceRows(options, [&](PreferenceRow&& row) {
    rows.push_back(std::move(row));
    return absl::OkStatus();
  });
  EXPECT_TRUE(read.ok()) << read.status();
  if (read.ok()) *counts = *read;
  return rows;
}

void ExpectSameRows(const std::string& table, const std::string& lines) {
  DatasetCounts counts;
  const auto rows = RowsOf(GoldenTable(table), &counts);
  const auto expected = RowsOf(GoldenTable(lines), &counts);
  ASSERT_EQ(rows.size(), expected.size());
  ASSERT_GT(rows.size(), 1u);
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].prompt_messages, expected[i].prompt_messages) << i;
    EXPECT_EQ(rows[i].chosen_messages, expected[i].chosen_messages) << i;
    EXPECT_EQ(rows[i].rejected_messages, expected[i].rejected_messages) << i;
    EXPECT_EQ(rows[i].chosen_score, expected[i].chosen_score) << i;
    EXPECT_EQ(rows[i].rejected_score, expected[i].rejected_score) << i;
  }
}

TEST(PreferenceDatasetTest, RowsOfTablesAreThoseOfTheSameLines) {
  SKIP_WITHOUT_ARROW();
  ExpectSameRows("ultrafeedback.parquet", "ultrafeedback.jsonl");
  ExpectSameRows("saved", "saved.jsonl");
  DatasetCounts counts;
  const auto rows = RowsOf(GoldenTable("ultrafeedback.parquet"), &counts);
  EXPECT_EQ(rows[16].where, "ultrafeedback.parquet:17");
  EXPECT_EQ(rows[16].rejected_score, 2.5);
  EXPECT_EQ(rows[14].rejected_score, std::nullopt);  // null
  EXPECT_EQ(rows[15].rejected_score, std::nullopt);  // NaN
}

TEST(PreferenceDatasetTest, NothingIsMadeOfWhatATableLacks) {
  SKIP_WITHOUT_ARROW();
  DatasetCounts counts;
  auto rows = RowsOf(GoldenTable("ids.parquet"), &counts);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].chosen_ids, (std::vector<int32_t>{8, 1}));
  EXPECT_EQ(counts.malformed, 2);
  EXPECT_TRUE(absl::StartsWith(counts.malformed_examples.at(0), "ids.parquet:3: "));
  RowsOf(GoldenTable("ids_as_reals.parquet"), &counts);
  EXPECT_EQ(counts.malformed, 1);
  rows = RowsOf(GoldenTable("images.parquet"), &counts);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].drop_reason, "images_unsupported");
  EXPECT_EQ(rows[1].drop_reason, "");
  rows = RowsOf(GoldenTable("latin1.parquet"), &counts);
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(counts.malformed_examples.at(0),
            "latin1.parquet:1: not UTF-8: one of its texts has the byte 0xE9");
}

}  // namespace
}  // namespace fpo::train
