// SPDX-License-Identifier: Apache-2.0
#include "storage/final_columns.h"

#include <algorithm>
#include <map>
#include <optional>

namespace taskmon::storage {
namespace {

using Numbers = std::vector<int64_t>;

// At most so many columns are added to or taken from one.
constexpr size_t kMaxTerms = 3;
// What is tried is judged by so many samples.
constexpr size_t kJudged = 256;
// A term must save so many bits a sample to be worth the reader's work.
constexpr size_t kWorthBits = 1;

// Another column that is taken off: key << 1, the lowest bit set when it is added instead. Key 0 is the duration.
using Term = uint64_t;

size_t BitsOf(int64_t v) {
  const uint64_t z = ZigZag(v);
  return z == 0 ? 0 : 64 - static_cast<size_t>(__builtin_clzll(z));
}

int64_t Apply(Term term, int64_t value, int64_t other, bool encode) {
  return ((term & 1) == 0) == encode ? WrapSub(value, other) : WrapAdd(value, other);
}

// One number a sample; those of samples that do not have the metric are 0 and not written.
struct Columns {
  std::map<size_t, Numbers> by_key;
  size_t size = 0;

  size_t Cost(const Numbers& numbers) const {
    size_t bits = 0;
    for (size_t i = 0; i < std::min(size, kJudged); ++i) bits += BitsOf(numbers[i]);
    return bits;
  }
  void Take(Term term, bool encode, Numbers* numbers) const {
    const Numbers& other = by_key.at(term >> 1);
    for (size_t i = 0; i < size; ++i) (*numbers)[i] = Apply(term, (*numbers)[i], other[i], encode);
  }
  // The term that leaves least, if it is worth it.
  std::optional<Term> BestTerm(const Numbers& numbers) const {
    const size_t judged = std::min(size, kJudged);
    size_t best = Cost(numbers);
    best -= std::min(best, kWorthBits * judged);
    std::optional<Term> found;
    for (const auto& [key, other] : by_key) {
      for (Term term = key << 1; term <= (key << 1 | 1); ++term) {
        size_t bits = 0;
        for (size_t i = 0; i < judged && bits < best; ++i) bits += BitsOf(Apply(term, numbers[i], other[i], true));
        if (bits < best) best = bits, found = term;
      }
    }
    return found;
  }
};

Numbers Durations(const std::vector<FinalSample>& finals) {
  Numbers durations;
  for (const FinalSample& final : finals) durations.push_back(final.duration_ns);
  return durations;
}

void PutValid(const std::vector<MetricBits>& valid, ByteWriter* out) {
  std::vector<MetricBits> distinct;
  Numbers which;
  for (const MetricBits& bits : valid) {
    auto at = std::find_if(distinct.begin(), distinct.end(), [&](const MetricBits& o) { return !(o ^ bits).any(); });
    which.push_back(at - distinct.begin());
    if (at == distinct.end()) distinct.push_back(bits);
  }
  out->Varint(distinct.size());
  for (const MetricBits& bits : distinct) PutMetricBits(bits, out);
  PutNumbers(which, out);
}

bool GetValid(size_t count, ByteReader* in, std::vector<MetricBits>* valid) {
  std::vector<MetricBits> distinct(in->Count(count));
  for (MetricBits& bits : distinct) {
    bits = GetMetricBits(in);
    if (bits.test(0)) return false;  // no metric has this number: it stands for the duration
  }
  Numbers which;
  if (!GetNumbers(count, in, &which)) return false;
  for (int64_t i : which) {
    if (i < 0 || static_cast<size_t>(i) >= distinct.size()) return false;
    valid->push_back(distinct[static_cast<size_t>(i)]);
  }
  return in->ok();
}

Numbers Chosen(const Numbers& numbers, const std::vector<MetricBits>& valid, size_t metric) {
  Numbers chosen;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (valid[i].test(metric)) chosen.push_back(numbers[i]);
  }
  return chosen;
}

void PutColumn(size_t metric, const std::vector<MetricBits>& valid, Numbers numbers, Columns* columns,
               ByteWriter* out) {
  Numbers left = numbers;
  std::vector<Term> terms;
  while (terms.size() < kMaxTerms) {
    const std::optional<Term> term = columns->BestTerm(left);
    if (!term.has_value()) break;
    columns->Take(*term, true, &left);
    terms.push_back(*term);
  }
  out->Varint(terms.size());
  for (Term term : terms) out->Varint(term);
  PutNumbers(Chosen(left, valid, metric), out);
  columns->by_key[metric] = std::move(numbers);
}

bool GetColumn(size_t metric, const std::vector<MetricBits>& valid, Columns* columns, ByteReader* in) {
  std::vector<Term> terms(in->Count(kMaxTerms));
  for (Term& term : terms) {
    term = in->Varint();
    if (!columns->by_key.contains(term >> 1)) return false;
  }
  size_t count = 0;
  for (const MetricBits& bits : valid) count += bits.test(metric);
  Numbers chosen;
  if (!in->ok() || !GetNumbers(count, in, &chosen)) return false;
  Numbers numbers(columns->size, 0);
  for (size_t i = 0, next = 0; i < valid.size(); ++i) {
    if (valid[i].test(metric)) numbers[i] = chosen[next++];
  }
  for (auto term = terms.rbegin(); term != terms.rend(); ++term) columns->Take(*term, false, &numbers);
  // What others are told from must be what the encoder had.
  for (size_t i = 0; i < valid.size(); ++i) {
    if (!valid[i].test(metric)) numbers[i] = 0;
  }
  columns->by_key[metric] = std::move(numbers);
  return true;
}

// Values older than the sample, as time before `boot_ns`.
void PutTaken(const std::vector<FinalSample>& finals, const std::vector<MetricBits>& valid, ByteWriter* out) {
  ByteWriter list;
  size_t count = 0;
  for (size_t i = 0; i < finals.size(); ++i) {
    finals[i].sample->taken_boot_ns.ForEach([&](size_t metric, int64_t taken) {
      if (!valid[i].test(metric)) return;
      list.Varint(i);
      list.Varint(metric);
      list.Signed(WrapSub(static_cast<int64_t>(finals[i].boot_ns), taken));
      ++count;
    });
  }
  out->Varint(count);
  out->Bytes(list.data());
}

void GetTaken(ByteReader* in, std::vector<FinalSample>* finals) {
  for (size_t n = in->Count(in->left()); n > 0 && in->ok(); --n) {
    const uint64_t i = in->Varint(), metric = in->Varint();
    const int64_t before = in->Signed();
    if (!in->ok() || i >= finals->size()) return in->Fail();
    FinalSample& final = (*finals)[i];
    if (metric >= kMetricSlots) continue;
    final.sample->taken_boot_ns.Set(metric, WrapSub(static_cast<int64_t>(final.boot_ns), before));
  }
}

}  // namespace

void PutFinals(const std::vector<FinalSample>& finals, const MetricBits& stored, ByteWriter* out) {
  std::vector<MetricBits> valid;
  Numbers seqs;
  MetricBits all;
  for (const FinalSample& final : finals) {
    valid.push_back(MetricBits::Of(final.sample->valid) & stored);
    valid.back().clear(0);
    all = all | valid.back();
    seqs.push_back(WrapSub(static_cast<int64_t>(final.seq), static_cast<int64_t>(final.sample->tick_seq)));
  }
  PutNumbers(seqs, out);
  PutValid(valid, out);
  Columns columns;
  columns.size = finals.size();
  columns.by_key[0] = Durations(finals);
  all.ForEach([&](size_t metric) {
    Numbers values(finals.size(), 0);
    for (size_t i = 0; i < finals.size(); ++i) {
      if (valid[i].test(metric)) values[i] = finals[i].sample->values[metric];
    }
    PutColumn(metric, valid, std::move(values), &columns, out);
  });
  PutTaken(finals, valid, out);
}

bool GetFinals(ByteReader* in, std::vector<FinalSample>* finals) {
  Numbers seqs;
  std::vector<MetricBits> valid;
  if (!GetNumbers(finals->size(), in, &seqs) || !GetValid(finals->size(), in, &valid)) return false;
  Columns columns;
  columns.size = finals->size();
  columns.by_key[0] = Durations(*finals);
  MetricBits all;
  for (const MetricBits& bits : valid) all = all | bits;
  bool good = true;
  all.ForEach([&](size_t metric) { good = good && GetColumn(metric, valid, &columns, in); });
  if (!good) return false;
  for (size_t i = 0; i < finals->size(); ++i) {
    auto sample = std::make_shared<TaskSample>();
    sample->tick_seq = static_cast<uint64_t>(WrapSub(static_cast<int64_t>((*finals)[i].seq), seqs[i]));
    sample->valid = valid[i].ToSet();
    for (size_t metric = 1; metric < kMetricSlots; ++metric) {
      if (sample->valid[metric]) sample->values.Set(metric, columns.by_key[metric][i]);
    }
    (*finals)[i].sample = std::move(sample);
  }
  GetTaken(in, finals);
  return in->ok();
}

}  // namespace taskmon::storage
