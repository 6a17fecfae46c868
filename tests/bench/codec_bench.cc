// SPDX-License-Identifier: Apache-2.0
//
// What the encodings of the history file cost; `items_per_second` are numbers, `bytes_per_second` those of the frame's
// contents. The series are of the three shapes that most columns have.
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "storage/codec.h"

namespace taskmon::storage {
namespace {

constexpr size_t kCount = 4096;
constexpr int kLevel = 3;  // as chunks that may be joined soon

enum Shape : int64_t { kNoise, kSteps, kSparse };

std::vector<int64_t> Values(int64_t shape) {
  std::mt19937_64 random(1);
  std::vector<int64_t> values(kCount);
  for (size_t i = 1; i < kCount; ++i) {
    const auto any = static_cast<int64_t>(random() % 1'000'000);
    if (shape == kNoise) values[i] = any;
    if (shape == kSteps) values[i] = values[i - 1] + 20'000 + any % 64;
    if (shape == kSparse) values[i] = i % 50 == 0 ? any : values[i - 1];
  }
  return values;
}

std::string Series(const std::vector<int64_t>& values) {
  ByteWriter out;
  PutSeries(values.data(), values.size(), nullptr, &out);
  return out.Take();
}

void EncodeSeries(benchmark::State& state) {
  const std::vector<int64_t> values = Values(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Series(values));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}
BENCHMARK(EncodeSeries)->Arg(kNoise)->Arg(kSteps)->Arg(kSparse);

void DecodeSeries(benchmark::State& state) {
  const std::vector<int64_t> values = Values(state.range(0));
  const std::string bytes = Series(values);
  for (auto _ : state) {
    ByteReader in(bytes);
    SeriesCursor cursor(values[0], &in);
    int64_t sum = cursor.value();
    for (size_t i = 1; i < kCount && cursor.Next(); ++i) sum += cursor.value();
    benchmark::DoNotOptimize(sum);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}
BENCHMARK(DecodeSeries)->Arg(kNoise)->Arg(kSteps)->Arg(kSparse);

void WriteVarints(benchmark::State& state) {
  const std::vector<int64_t> values = Values(kNoise);
  for (auto _ : state) {
    ByteWriter out;
    for (const int64_t value : values) out.Signed(value);
    benchmark::DoNotOptimize(out.size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}
BENCHMARK(WriteVarints);

void Compress(benchmark::State& state) {
  const std::string raw = Series(Values(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(EncodeFrame(raw, kLevel));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(raw.size()));
}
BENCHMARK(Compress)->Arg(kNoise)->Arg(kSteps);

void Uncompress(benchmark::State& state) {
  const std::string raw = Series(Values(state.range(0)));
  const std::string frame = EncodeFrame(raw, kLevel);
  for (auto _ : state) benchmark::DoNotOptimize(DecodeFrame(frame));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(raw.size()));
}
BENCHMARK(Uncompress)->Arg(kNoise)->Arg(kSteps);

}  // namespace
}  // namespace taskmon::storage
