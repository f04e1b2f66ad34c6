#include "coordinator/core/store/line_codec.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(LineCodec, LinesReadBack) {
  const LogLine log = {
      0, 2, 3, LineStream::kStderr, 1'800'000'000'123, "text\twith \"everything\"\n"};
  EXPECT_EQ(DecodeLogLine(EncodeLogLine(log)).value(), log);
  const EventLine event = {0, 1, -1, R"({"kind":"step"})"};
  EXPECT_EQ(DecodeEventLine(EncodeEventLine(event)).value(), event);
  const SenderPosition position = {1ull << 63, 5};
  EXPECT_EQ(DecodePosition(EncodePosition(position)).value(), position);
  const SubmittedRequest request = {"r", "d", "j-1", kStart};
  EXPECT_EQ(DecodeRequest(EncodeRequest(request)).value(), request);
  const AuditEntry entry = {0, kStart, "ana", "Submit", "j-1", "OK", "tiny", "r"};
  EXPECT_EQ(DecodeAuditEntry(EncodeAuditEntry(entry)).value(), entry);
}

// Stores hold these bytes; programs before and after read them.
TEST(LineCodec, TheStoredBytesStay) {
  EXPECT_EQ(EncodeWorkerMode({WorkerMode::Kind::kDraining, "new disk"}),
            R"({"kind":2,"note":"new disk"})");
  EXPECT_EQ(EncodeRequest({"r", "d", "j-1", kStart}),
            R"({"digest":"d","job_id":"j-1","request_id":"r","time":1800000000000000})");
  EXPECT_EQ(EncodeRequest({"r", "d", "j-1", absl::InfinitePast()}),
            R"({"digest":"d","job_id":"j-1","request_id":"r","time":null})");
  EXPECT_EQ(EncodeAuditEntry({9, kStart, "ana", "Submit", "j-1", "OK", "tiny", "r"}),
            R"([1800000000000000,"ana","Submit","j-1","OK","tiny","r"])");
  EXPECT_EQ(EncodeLogLine({9, 2, 3, LineStream::kStderr, 1'800'000'000'123, "a\t\"b\"\n"}),
            R"([2,3,"stderr",1800000000123,"a\t\"b\"\n"])");
  EXPECT_EQ(EncodeEventLine({9, 1, -1, R"({"kind":"step"})"}), R"([1,-1,"{\"kind\":\"step\"}"])");
  EXPECT_EQ(EncodePosition({1ull << 63, 5}), "[9223372036854775808,5]");
  EXPECT_EQ(EncodeLogStock({1, 2, 1ull << 63, 4, 5}), "[1,2,9223372036854775808,4,5]");
}

TEST(LineCodec, AStreamOfNoKnownNameIsTheAgents) {
  EXPECT_EQ(DecodeLogLine(R"([1,0,"later",0,"text"])").value().stream, LineStream::kAgent);
}

TEST(LineCodec, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  const LogLine log = {0, 1, 0, LineStream::kStdout, 0, "ab\xff"};
  EXPECT_EQ(DecodeLogLine(EncodeLogLine(log)).value().text, "ab\xEF\xBF\xBD");
}

TEST(LineCodec, WorkerModesReadBack) {
  const WorkerMode mode = {WorkerMode::Kind::kDraining, "new disk"};
  EXPECT_EQ(DecodeWorkerMode(EncodeWorkerMode(mode)).value(), mode);
}

TEST(LineCodec, DamageIsAnErrorNotAGuess) {
  for (const char* bytes : {"{}", "null", R"({"note":"n"})", R"({"kind":null,"note":"n"})"}) {
    EXPECT_FALSE(DecodeWorkerMode(bytes).ok()) << bytes;
  }
  EXPECT_FALSE(DecodeRequest("[1]").ok());
  EXPECT_FALSE(DecodeRequest(R"({"request_id":"r","digest":"d"})").ok());
  EXPECT_FALSE(DecodeLogLine(R"([1,null,"stdout",0,"text"])").ok());
  EXPECT_FALSE(DecodeLogStock("[1,2,3,4]").ok());
  EXPECT_FALSE(DecodeLogLine("[1,2]").ok());
  EXPECT_FALSE(DecodeEventLine("{}").ok());
  EXPECT_FALSE(DecodePosition("[1]").ok());
  EXPECT_FALSE(DecodeAuditEntry("[1,2]").ok());
  EXPECT_FALSE(DecodeAuditEntry("[1,2,3,4,5,6,7]").ok());
}

TEST(LineCodec, KeysSortAsCursorsDo) {
  uint64_t last = 0;
  for (const uint64_t cursor : {1ull, 255ull, 256ull, 1ull << 32, 1ull << 63}) {
    EXPECT_LT(LineKey("j-1", last), LineKey("j-1", cursor));
    EXPECT_EQ(CursorOfLineKey(LineKey("j-1", cursor)), cursor);
    last = cursor;
  }
}

}  // namespace
}  // namespace fpo::coordinator
