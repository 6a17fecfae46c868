// SPDX-License-Identifier: Apache-2.0
//
// Holds the worked example of storage/FORMAT.md to the code, in both directions.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/chunk.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

// The bytes of a block of the example, in the order of the text: two hexadecimal digits each, up to a dash on each
// line.
std::string ExampleBytes(const std::string& block) {
  std::ifstream file(TESTDATA "/../../../../storage/FORMAT.md");
  std::string line, bytes;
  bool example = false, inside = false;
  while (std::getline(file, line)) {
    example |= line == "## Example";
    if (example && line.find("    ") == 0) {
      const std::string text = line.substr(4);
      if (text == "head" || text == "body") {
        inside = text == block;
      } else if (inside) {
        std::istringstream words(text);
        for (std::string word;
             words >> word && word.size() == 2 && word.find_first_not_of("0123456789abcdef") == word.npos;) {
          bytes += static_cast<char>(std::stoi(word, nullptr, 16));
        }
      }
    } else if (example && !line.empty() && line != "## Example" && line[0] == '#') {
      break;
    }
  }
  return bytes;
}

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x} ", static_cast<unsigned char>(byte));
  return text;
}

Precision TensOfMetricOne() {
  return Precision({{.id = 1, .kind = ColumnKind::kCounter, .stored = true, .quantum = 10},
                    {.id = 2, .kind = ColumnKind::kGauge, .stored = true}});
}

CounterSet CounterOne() {
  CounterSet counters;
  counters.set(1);
  return counters;
}

// As the text says: two ticks of one task, whose counter goes from 50 to 80 while its gauge stays 3.
EncodedChunk Example() {
  ChunkBuilder builder({{{.seq = 7, .wall_ns = 2000, .boot_ns = 1000, .elapsed_ns = 0}, 64},
                        {{.seq = 8, .wall_ns = 2100, .boot_ns = 1100, .elapsed_ns = 100}, 64}},
                       CounterOne(), TensOfMetricOne());
  RowState state;
  state.task_id = 5;
  state.info_id = 9;
  state.sample.valid.set(1).set(2);
  state.sample.values.Set(1, 50);
  state.sample.values.Set(2, 3);
  state.sample.tick_seq = 7;
  builder.BeginRow(5, 0, 1);
  builder.AddUpdate(0, state);
  state.sample.values.Set(1, 80);
  state.sample.deltas.Set(1, 30);
  state.sample.tick_seq = 8;
  builder.AddUpdate(1, state);
  builder.EndRow();
  return builder.Finish();
}

TEST(Format, TheWorkedExampleIsWhatTheWriterWrites) {
  const EncodedChunk example = Example();
  EXPECT_EQ(Hex(ExampleBytes("head")), Hex(example.head));
  EXPECT_EQ(Hex(ExampleBytes("body")), Hex(example.body));
}

TEST(Format, TheWorkedExampleIsReadAsTheTextSays) {
  const std::string body = ExampleBytes("body");
  auto head = DecodeHead(ExampleBytes("head"));
  ASSERT_TRUE(head.ok()) << head.status();
  const FetchPiece fetch = [&](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    return body.substr(piece.offset, piece.size);
  };
  auto chunk = ClosedChunk::Open(*head, fetch, CounterOne(), nullptr);
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  ASSERT_TRUE(chunk->AddMetric(1, fetch).ok() && chunk->AddMetric(2, fetch).ok());
  ASSERT_EQ(chunk->ticks().size(), 2u);
  EXPECT_EQ(chunk->ticks()[1].tick.seq, 8u);
  EXPECT_EQ(chunk->ticks()[1].tick.wall_ns, 2100);
  StepChanges changes;
  ASSERT_TRUE(chunk->Step(&changes).ok());
  EXPECT_EQ(chunk->row(0).task_id, 5);
  EXPECT_EQ(chunk->row(0).info_id, 9);
  EXPECT_EQ(chunk->row(0).sample.values[1], 50);
  ASSERT_TRUE(chunk->Step(&changes).ok());
  EXPECT_EQ(chunk->row(0).sample.values[1], 80);
  EXPECT_EQ(chunk->row(0).sample.deltas[1], 30);
  EXPECT_EQ(chunk->row(0).sample.values[2], 3);
}

}  // namespace
}  // namespace taskmon::storage
