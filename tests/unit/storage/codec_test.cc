// SPDX-License-Identifier: Apache-2.0
#include "storage/codec.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "storage/column.h"

namespace taskmon::storage {
namespace {

constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

const std::vector<int64_t> kExtremes = {0, 1, -1, 63, 64, -64, -65, 127, 128, 1 << 20, kMax, kMin, kMax - 1, kMin + 1};

std::vector<int64_t> RandomNumbers(std::mt19937_64* random, size_t n) {
  std::vector<int64_t> numbers(n);
  const int shape = static_cast<int>((*random)() % 6);
  int64_t at = static_cast<int64_t>((*random)() % 100000);
  for (int64_t& v : numbers) {
    switch (shape) {
      case 0: v = at; break;
      case 1: v = at += static_cast<int64_t>((*random)() % 50); break;
      case 2: v = at += 4096 * static_cast<int64_t>((*random)() % 9); break;
      case 3: v = (*random)() % 10 == 0 ? at += 7 : at; break;
      case 4: v = static_cast<int64_t>((*random)()); break;
      default: v = at += 1000; break;
    }
  }
  return numbers;
}

bool ReadSeries(const std::string& bytes, int64_t first, size_t n, std::vector<int64_t>* values) {
  ByteReader in(bytes);
  SeriesCursor cursor(first, &in);
  if (!in.ok()) return false;
  values->assign(1, first);
  while (values->size() < n) {
    if (!cursor.Next()) return false;
    values->push_back(cursor.value());
  }
  return true;
}

TEST(Varint, KeepsEverySignedNumber) {
  for (int64_t v : kExtremes) {
    ByteWriter out;
    out.Signed(v);
    EXPECT_EQ(out.size(), VarintSize(ZigZag(v)));
    ByteReader in(out.data());
    EXPECT_EQ(in.Signed(), v);
    EXPECT_TRUE(in.ok());
    EXPECT_EQ(in.left(), 0u);
  }
}

TEST(ByteReader, FailsForGoodAtTheEndOfItsBytes) {
  ByteReader in(
      std::string_view("\x05"
                       "abc",
                       4));
  EXPECT_EQ(in.Sized(), "");
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.Byte(), 0);
  EXPECT_EQ(in.Varint(), 0u);
}

TEST(ByteReader, RefusesAVarintThatNeverEnds) {
  ByteReader in(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
  in.Varint();
  EXPECT_FALSE(in.ok());
}

TEST(ByteReader, RefusesACountThatCannotBe) {
  ByteWriter out;
  out.Varint(1u << 30);
  ByteReader in(out.data());
  EXPECT_EQ(in.Count(in.left()), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(MetricBits, SurviveTheTripThroughBytes) {
  MetricSet set;
  for (size_t m : {0u, 7u, 8u, 63u, 64u, 71u}) set.set(m);
  ByteWriter out;
  PutMetricBits(MetricBits::Of(set), &out);
  ByteReader in(out.data());
  EXPECT_EQ(GetMetricBits(&in).ToSet(), set);
}

TEST(Numbers, SurviveInEveryShape) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 500; ++round) {
    const std::vector<int64_t> numbers = round == 0 ? kExtremes : RandomNumbers(&random, round % 97);
    ByteWriter out;
    PutNumbers(numbers, &out);
    ByteReader in(out.data());
    std::vector<int64_t> got;
    ASSERT_TRUE(GetNumbers(numbers.size(), &in, &got));
    EXPECT_EQ(got, numbers);
    EXPECT_EQ(in.left(), 0u);
  }
}

TEST(Series, SurvivesInEveryShape) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 1000; ++round) {
    const std::vector<int64_t> values = round == 0 ? kExtremes : RandomNumbers(&random, 1 + round % 97);
    ByteWriter out;
    PutSeries(values.data(), values.size(), nullptr, &out);
    std::vector<int64_t> got;
    ASSERT_TRUE(ReadSeries(out.data(), values[0], values.size(), &got));
    EXPECT_EQ(got, values);
  }
}

TEST(Series, ACursorAdvancesAsFarAsItIsTold) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<int64_t> values = RandomNumbers(&random, 1 + round % 97);
    ByteWriter out;
    PutSeries(values.data(), values.size(), nullptr, &out);
    ByteReader in(out.data());
    SeriesCursor cursor(values[0], &in);
    for (size_t at = 0; at < values.size();) {
      const size_t step = std::min<size_t>(random() % 9, values.size() - 1 - at);
      ASSERT_TRUE(cursor.Advance(step));
      at += step;
      ASSERT_EQ(cursor.value(), values[at]);
      if (at + 1 == values.size()) break;
    }
  }
}

TEST(Series, KeepsRecentInstantsAsTheirAge) {
  std::mt19937_64 random(6);
  std::vector<int64_t> now, values;
  for (int64_t second = 0; second < 60; ++second) {
    now.push_back(1'000'000 + 1000 * second);
    values.push_back(random() % 10 == 0 ? 0 : now.back() - static_cast<int64_t>(random() % 60));
  }
  ByteWriter out, plain;
  PutSeries(values.data(), values.size(), now.data(), &out);
  PutSeries(values.data(), values.size(), nullptr, &plain);
  EXPECT_LT(out.size(), plain.size() - 40);
  ByteReader in(out.data());
  SeriesCursor cursor(values[0], &in);
  ASSERT_TRUE(cursor.is_age());
  for (size_t i = 1; i < values.size(); ++i) {
    ASSERT_TRUE(cursor.Next(now[i]));
    EXPECT_EQ(cursor.value(), values[i]);
  }
}

TEST(Series, TakesNextToNothingWhereLittleChanges) {
  std::vector<int64_t> steady(60), rare(60, 1 << 30);
  for (size_t i = 0; i < steady.size(); ++i) steady[i] = static_cast<int64_t>(i) * 1000000007;
  rare[40] = 1;
  ByteWriter a, b;
  PutSeries(steady.data(), steady.size(), nullptr, &a);
  PutSeries(rare.data(), rare.size(), nullptr, &b);
  EXPECT_LT(a.size(), 70u);
  EXPECT_LT(b.size(), 20u);
}

TEST(Series, ACursorStopsAtTheEndOfItsBytes) {
  const std::vector<int64_t> values = {1, 300, 2, 70000};
  ByteWriter out;
  PutSeries(values.data(), values.size(), nullptr, &out);
  std::vector<int64_t> got;
  EXPECT_FALSE(ReadSeries(out.data(), 1, 100, &got));
}

TEST(Frame, SurvivesWhetherItCompressesOrNot) {
  std::mt19937_64 random(3);
  for (size_t size : {0u, 1u, 47u, 48u, 1000u, 100000u}) {
    std::string same(size, 'x'), noise(size, ' ');
    for (char& c : noise) c = static_cast<char>(random());
    for (const std::string& raw : {same, noise}) {
      auto got = DecodeFrame(EncodeFrame(raw, 1));
      ASSERT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(*got, raw);
    }
  }
}

TEST(Frame, SaysThatItIsDamaged) {
  const std::string frame = EncodeFrame(std::string(10000, 'x'), 3);
  for (size_t size = 0; size < frame.size(); ++size)
    EXPECT_TRUE(absl::IsDataLoss(DecodeFrame(frame.substr(0, size)).status()));
  for (size_t at = 1; at < frame.size(); ++at) {
    std::string bad = frame;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    auto got = DecodeFrame(bad);
    if (got.ok()) {
      EXPECT_EQ(*got, std::string(10000, 'x')) << at;
    }
  }
}

TEST(Column, AnyDamageIsAnErrorOrSomeOtherColumnButNeverMore) {
  std::mt19937_64 random(4);
  ColumnBuilder builder;
  const ColumnBuilder::Times times(40, std::vector<int64_t>(20, 1000));
  for (uint32_t row = 0; row < 40; ++row) {
    const std::vector<int64_t> values = RandomNumbers(&random, 20);
    builder.AddRow(row, values[0], row % 3 != 0);
    if (row % 4 == 0) builder.AddException(Exception::Kind::kFix, 3, -17);
    if (row % 5 == 0) builder.AddException(Exception::Kind::kValid, 2, 0);
    if (row % 7 == 0) builder.AddException(Exception::Kind::kTaken, 1, 123456789);
    if (row % 2 == 0) builder.AddSeries(values);
  }
  const std::string bytes = builder.Finish(40, ColumnForm(), times);
  const auto walk = [](const std::string& damaged) {
    ColumnSegment segment;
    if (!segment.Parse(damaged, 40, 2).ok()) return;
    for (ColumnSegment::Series& series : segment.series) {
      for (int i = 0; i < 19 && series.cursor.Next();) ++i;
    }
    EXPECT_LE(segment.exceptions.size(), damaged.size());
  };
  walk(bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ColumnSegment segment;
    EXPECT_FALSE(segment.Parse(std::string_view(bytes).substr(0, size), 40, 2).ok());
  }
  for (int round = 0; round < 20000; ++round) {
    std::string bad = bytes;
    for (int flips = 1 + round % 3; flips > 0; --flips)
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    walk(bad);
  }
}

}  // namespace
}  // namespace taskmon::storage
