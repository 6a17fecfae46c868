// SPDX-License-Identifier: Apache-2.0
#include "storage/recode.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "storage/gap_watch.h"

namespace taskmon::storage {
namespace {

// The ticks of all chunks one behind the other, and the new tick that each falls into.
struct Timeline {
  std::vector<TickHeader> headers;        // new ones
  std::vector<uint32_t> folded;           // by old tick
  std::vector<uint32_t> first_of_folded;  // by new tick: its first old one
  std::vector<uint32_t> offsets;          // by chunk: its first old tick
};

struct RowRef {
  uint32_t chunk;
  uint32_t row;
};

int64_t BucketOf(int64_t wall_ns, int64_t resolution_ns) {
  return wall_ns / resolution_ns - (wall_ns % resolution_ns < 0 ? 1 : 0);
}

// The first tick of a run of the daemon stays alone, and a gap parts ticks: so both are seen in every resolution.
bool FoldsInto(const Tick& tick, const Tick& before, int64_t resolution_ns) {
  return resolution_ns > 0 && BucketOf(before.wall_ns, resolution_ns) == BucketOf(tick.wall_ns, resolution_ns) &&
         before.elapsed_ns != 0 && tick.elapsed_ns != 0 && MissingBefore(tick, before) == 0;
}

void AddTick(const TickHeader& header, int64_t resolution_ns, Timeline* line) {
  if (line->headers.empty() || !FoldsInto(header.tick, line->headers.back().tick, resolution_ns)) {
    line->first_of_folded.push_back(static_cast<uint32_t>(line->folded.size()));
    line->headers.push_back(header);
  } else {
    const Tick before = line->headers.back().tick;
    line->headers.back() = header;
    line->headers.back().tick.elapsed_ns += before.elapsed_ns;
    line->headers.back().tick.lost_records += before.lost_records;
  }
  line->folded.push_back(static_cast<uint32_t>(line->headers.size() - 1));
}

Timeline MakeTimeline(const std::vector<RowSource*>& chunks, int64_t resolution_ns) {
  Timeline line;
  for (const RowSource* chunk : chunks) {
    line.offsets.push_back(static_cast<uint32_t>(line.folded.size()));
    for (const TickHeader& header : chunk->ticks()) AddTick(header, resolution_ns, &line);
  }
  return line;
}

class Recoder {
 public:
  Recoder(const std::vector<RowSource*>& chunks, Timeline line, const FoldRules& rules, const CounterSet& counters,
          const Precision& precision, int level)
      : chunks_(chunks), line_(std::move(line)), rules_(rules), builder_(line_.headers, counters, precision, level) {}

  absl::StatusOr<EncodedChunk> Run();

 private:
  uint32_t FirstTick(RowRef ref) const {
    return line_.folded[line_.offsets[ref.chunk] + Chunk(ref).first_tick(ref.row)];
  }
  uint32_t LastTick(RowRef ref) const { return line_.folded[line_.offsets[ref.chunk] + Chunk(ref).last_tick(ref.row)]; }
  const RowSource& Chunk(RowRef ref) const { return *chunks_[ref.chunk]; }
  std::vector<std::vector<RowRef>> Chains() const;
  absl::Status AddChain(const std::vector<RowRef>& chain);
  void Take(uint32_t old_tick, const RowState& state);
  void Flush();

  const std::vector<RowSource*>& chunks_;
  const Timeline line_;
  const FoldRules& rules_;
  ChunkBuilder builder_;

  // The chain at work.
  FoldRules::Sum sum_;
  std::optional<uint32_t> at_;  // the new tick that sum_ is for
  RowState last_;               // as of the update taken last
  bool has_last_ = false;
};

// Rows of one task that follow each other without a tick between them.
std::vector<std::vector<RowRef>> Recoder::Chains() const {
  std::vector<std::vector<RowRef>> chains;
  std::unordered_map<int64_t, size_t> chain_of;
  for (uint32_t c = 0; c < chunks_.size(); ++c) {
    for (uint32_t r = 0; r < chunks_[c]->row_count(); ++r) {
      const RowRef ref{c, r};
      auto [at, is_new] = chain_of.try_emplace(chunks_[c]->task_id(r), chains.size());
      if (is_new || FirstTick(ref) > LastTick(chains[at->second].back()) + 1) {
        at->second = chains.size();
        chains.emplace_back();
      }
      chains[at->second].push_back(ref);
    }
  }
  return chains;
}

void Recoder::Flush() {
  if (!at_.has_value() || !sum_.any) return;
  rules_.Finish(&sum_);
  RowState& state = sum_.state;
  const uint64_t seq = line_.headers[*at_].tick.seq;
  if (sum_.active) {
    state.age_ticks = 0;
    state.sample.tick_seq = seq;
  } else {
    state.age_ticks = seq - state.sample.tick_seq;
  }
  builder_.AddUpdate(*at_, state);
}

void Recoder::Take(uint32_t old_tick, const RowState& state) {
  const uint32_t tick = line_.folded[old_tick];
  // A chunk begins with a word on every row, also on those that have nothing to tell.
  const bool news = !has_last_ || state.age_ticks == 0 || state.info_id != last_.info_id ||
                    state.sample.tick_seq != last_.sample.tick_seq || state.sample.valid != last_.sample.valid ||
                    state.sample.values != last_.sample.values ||
                    state.sample.taken_boot_ns != last_.sample.taken_boot_ns;
  if (!news) return;
  if (at_ != tick) {
    Flush();
    const bool held_until_now = has_last_ && old_tick > line_.first_of_folded[tick];
    rules_.Begin(held_until_now ? &last_ : nullptr, &sum_);
    at_ = tick;
  }
  rules_.Add(state, &sum_);
  last_ = state;
  has_last_ = true;
}

absl::Status Recoder::AddChain(const std::vector<RowRef>& chain) {
  uint32_t last_tick = 0;
  for (RowRef ref : chain) last_tick = std::max(last_tick, LastTick(ref));
  builder_.BeginRow(Chunk(chain.front()).task_id(chain.front().row), FirstTick(chain.front()), last_tick);
  at_.reset();
  has_last_ = false;
  for (RowRef ref : chain) {
    absl::Status status = chunks_[ref.chunk]->WalkRow(
        ref.row, [&](uint32_t tick, const RowState& state) { Take(line_.offsets[ref.chunk] + tick, state); });
    if (!status.ok()) return status;
  }
  Flush();
  builder_.EndRow();
  return absl::OkStatus();
}

absl::StatusOr<EncodedChunk> Recoder::Run() {
  for (const std::vector<RowRef>& chain : Chains()) {
    absl::Status status = AddChain(chain);
    if (!status.ok()) return status;
  }
  return builder_.Finish();
}

}  // namespace

absl::StatusOr<EncodedChunk> Recode(const std::vector<RowSource*>& chunks, int64_t resolution_ns,
                                    const FoldRules& rules, const CounterSet& counters, const Precision& precision,
                                    int level) {
  Timeline line = MakeTimeline(chunks, resolution_ns);
  if (line.headers.empty()) return absl::InvalidArgumentError("no ticks make no chunk");
  return Recoder(chunks, std::move(line), rules, counters, precision, level).Run();
}

}  // namespace taskmon::storage
