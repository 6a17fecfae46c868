// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk.h"

#include <random>

#include <gtest/gtest.h>

#include "storage/journal_rows.h"
#include "storage/snapshot_assembler.h"
#include "tests/unit/storage/fake_world.h"

namespace taskmon::storage {
namespace {

CounterSet Counters() {
  CounterSet counters;
  for (const ColumnSpec& column : TestColumns()) {
    if (column.kind == ColumnKind::kCounter) counters.set(column.id);
  }
  return counters;
}

// Journals snapshots as the writer does, but by the plainest means: tasks go by their tid, names by their address.
struct Journal {
  std::vector<Snapshot> snapshots;
  std::vector<JournalEntry> entries;
  std::vector<std::shared_ptr<const TaskInfo>> infos;

  int64_t InfoId(const std::shared_ptr<const TaskInfo>& info) {
    for (size_t i = 0; i < infos.size(); ++i) {
      if (infos[i] == info) return static_cast<int64_t>(i + 1);
    }
    infos.push_back(info);
    return static_cast<int64_t>(infos.size());
  }
};

Journal MakeJournal(const WorldOptions& options, int ticks, int complete_every) {
  Journal journal;
  JournalWriter writer;
  FakeWorld world(options);
  std::map<int32_t, std::pair<uint32_t, std::shared_ptr<const TaskSample>>> rows;
  for (int tick = 0; tick < ticks; ++tick) {
    const Snapshot& snapshot = journal.snapshots.emplace_back(world.Next());
    const UpdateContext context{snapshot.tick, Counters(), MetricBits::Of(StoredMetrics())};
    const bool complete = tick % complete_every == 0;
    writer.Begin({snapshot.tick, snapshot.memory_total_bytes}, complete);
    if (complete) rows.clear();
    std::map<int32_t, std::pair<uint32_t, std::shared_ptr<const TaskSample>>> now;
    for (const auto& sample : snapshot.tasks) {
      ByteWriter body;
      const int32_t tid = sample->info->key.tid;
      auto at = rows.find(tid);
      if (at == rows.end()) {
        EncodeUpdate(nullptr, *sample, journal.InfoId(sample->info), context, &body);
        now[tid] = {writer.Appeared(tid, body.data()), sample};
        continue;
      }
      now[tid] = {at->second.first, sample};
      const std::shared_ptr<const TaskSample> before = at->second.second;
      rows.erase(at);
      if (before == sample) continue;
      EncodeUpdate(before.get(), *sample, before->info == sample->info ? 0 : journal.InfoId(sample->info), context,
                   &body);
      writer.Updated(now[tid].first, body.data());
    }
    for (const auto& [tid, row] : rows) writer.Gone(row.first);
    rows = std::move(now);
    journal.entries.push_back({snapshot.tick.seq, snapshot.tick.wall_ns, writer.Finish()});
  }
  return journal;
}

void ExpectGivesBack(const Journal& journal, TickSource* source, const ScanFilter& filter = {}, size_t skipped = 0) {
  SnapshotAssembler assembler(source, filter, "boot-a", [&](int64_t, int64_t id) {
    auto info = std::make_shared<TaskInfo>(*journal.infos.at(static_cast<size_t>(id - 1)));
    info->boot_id = "boot-a";
    return absl::StatusOr<std::shared_ptr<const TaskInfo>>(std::move(info));
  });
  if (skipped > 0) {
    ASSERT_TRUE(assembler.SkipTo(skipped, static_cast<ClosedChunk*>(source)).ok());
  }
  for (const Snapshot& snapshot : journal.snapshots) {
    Snapshot want = snapshot;
    std::erase_if(want.tasks, [&](const auto& s) { return filter.tid != 0 && s->info->key.tid != filter.tid; });
    absl::Status status = assembler.Step();
    ASSERT_TRUE(status.ok()) << status;
    auto got = assembler.Build();
    ASSERT_TRUE(got.ok()) << got.status();
    ExpectSameSnapshot(want, *got, filter.metrics & StoredMetrics());
    if (::testing::Test::HasFailure()) return;
  }
}

absl::StatusOr<EncodedChunk> Encode(const std::vector<JournalEntry>& entries) {
  auto rows = JournalRows::Open(entries, Counters());
  if (!rows.ok()) return rows.status();
  return EncodeChunk(&*rows, Counters(), Precision());
}

absl::StatusOr<ClosedChunk> OpenSome(const EncodedChunk& encoded, const MetricSet& metrics,
                                     const ClosedChunk::Wanted& wanted = nullptr) {
  auto head = DecodeHead(encoded.head);
  if (!head.ok()) return head.status();
  const FetchPiece fetch = [&](const ChunkHead::Piece& piece) -> absl::StatusOr<std::string> {
    if (piece.offset > encoded.body.size()) return Damaged("short body");
    return encoded.body.substr(piece.offset, piece.size);
  };
  auto chunk = ClosedChunk::Open(*head, fetch, Counters(), wanted);
  if (!chunk.ok()) return chunk;
  for (MetricId m = 1; m < kMetricSlots; ++m) {
    if (!metrics[m]) continue;
    absl::Status status = chunk->AddMetric(m, fetch);
    if (!status.ok()) return status;
  }
  return chunk;
}

absl::StatusOr<ClosedChunk> OpenAll(const EncodedChunk& encoded, const ClosedChunk::Wanted& wanted = nullptr) {
  return OpenSome(encoded, MetricSet().set(), wanted);
}

TEST(JournalReplay, GivesBackWhatWasJournalled) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Journal journal = MakeJournal({.seed = seed, .tasks = 30, .oddity = 0.1}, 40, 1000);
    auto replay = JournalReplay::Open(journal.entries, Counters(), nullptr);
    ASSERT_TRUE(replay.ok()) << replay.status();
    ExpectGivesBack(journal, &*replay);
  }
}

TEST(ClosedChunk, GivesBackWhatWasJournalled) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Journal journal = MakeJournal({.seed = seed, .tasks = seed == 1 ? 600u : 30u, .oddity = 0.1}, 40, 1000);
    auto encoded = Encode(journal.entries);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    auto chunk = OpenAll(*encoded);
    ASSERT_TRUE(chunk.ok()) << chunk.status();
    ExpectGivesBack(journal, &*chunk);
  }
}

TEST(ClosedChunk, GoesOnThroughCompleteTicksInTheMiddle) {
  const Journal journal = MakeJournal({.seed = 5, .tasks = 30}, 40, 7);
  auto encoded = Encode(journal.entries);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  auto chunk = OpenAll(*encoded);
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  // Deltas of a complete tick's rows come from the samples themselves, so nothing differs.
  ExpectGivesBack(journal, &*chunk);
}

TEST(ClosedChunk, OpensOneTaskAlone) {
  const Journal journal = MakeJournal({.seed = 6, .tasks = 700, .churn = 0.01}, 20, 1000);
  auto encoded = Encode(journal.entries);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  ScanFilter filter;
  filter.tid = journal.snapshots[3].tasks[300]->info->key.tid;
  auto chunk = OpenAll(*encoded, [&](int64_t task) { return task == filter.tid; });
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  EXPECT_EQ(chunk->row_count(), 1u);
  ExpectGivesBack(journal, &*chunk, filter);
}

TEST(ClosedChunk, LeavesOutMetricsThatWereNotAdded) {
  const Journal journal = MakeJournal({.seed = 7, .tasks = 20}, 20, 1000);
  auto encoded = Encode(journal.entries);
  ASSERT_TRUE(encoded.ok());
  ScanFilter filter;
  filter.metrics.reset().set(3).set(4);
  auto chunk = OpenSome(*encoded, filter.metrics);
  ASSERT_TRUE(chunk.ok()) << chunk.status();
  ExpectGivesBack(journal, &*chunk, filter);
}

// Walks whatever a damaged chunk still gives.
void Walk(const EncodedChunk& encoded) {
  auto chunk = OpenAll(encoded);
  if (!chunk.ok()) return;
  StepChanges changes;
  for (size_t i = 0; i < chunk->ticks().size(); ++i) {
    if (!chunk->Step(&changes).ok()) return;
    ASSERT_LE(changes.updated.size(), chunk->row_count());
  }
}

TEST(ClosedChunk, AnyDamageIsAnErrorOrSomeOtherChunkButNeverMore) {
  const Journal journal = MakeJournal({.seed = 8, .tasks = 12}, 12, 1000);
  auto encoded = Encode(journal.entries);
  ASSERT_TRUE(encoded.ok());
  for (auto part : {&EncodedChunk::head, &EncodedChunk::body}) {
    for (size_t size = 0; size < ((*encoded).*part).size(); ++size) {
      EncodedChunk bad = *encoded;
      (bad.*part).resize(size);
      EXPECT_FALSE(OpenAll(bad).ok()) << size;
    }
  }
  std::mt19937_64 random(9);
  for (int round = 0; round < 5000; ++round) {
    EncodedChunk bad = *encoded;
    std::string& victim = round % 3 == 0 ? bad.head : bad.body;
    victim[random() % victim.size()] ^= static_cast<char>(1 << random() % 8);
    Walk(bad);
  }
}

TEST(ClosedChunk, SkipsToAnyTick) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Journal journal = MakeJournal({.seed = seed, .tasks = 100, .oddity = 0.2}, 40, seed == 5 ? 7 : 1000);
    auto encoded = Encode(journal.entries);
    ASSERT_TRUE(encoded.ok());
    for (size_t first = 0; first < journal.snapshots.size(); first += 3) {
      Journal rest = journal;
      rest.snapshots.erase(rest.snapshots.begin(), rest.snapshots.begin() + static_cast<std::ptrdiff_t>(first));
      auto chunk = OpenAll(*encoded);
      ASSERT_TRUE(chunk.ok() && chunk->SkipTo(static_cast<uint32_t>(first)).ok());
      ExpectGivesBack(rest, &*chunk, {}, first);
      if (HasFailure()) return;
    }
  }
}

TEST(JournalReplay, AnyDamageIsAnErrorOrSomeOtherJournalButNeverMore) {
  const Journal journal = MakeJournal({.seed = 10, .tasks = 12}, 6, 1000);
  std::mt19937_64 random(11);
  for (int round = 0; round < 5000; ++round) {
    std::vector<JournalEntry> bad = journal.entries;
    std::string& victim = bad[random() % bad.size()].blob;
    if (round % 2 == 0) {
      victim.resize(random() % victim.size());
    } else {
      victim[random() % victim.size()] ^= static_cast<char>(1 << random() % 8);
    }
    auto replay = JournalReplay::Open(bad, Counters(), nullptr);
    StepChanges changes;
    for (size_t i = 0; replay.ok() && i < bad.size() && replay->Step(&changes).ok();) ++i;
    (void)Encode(bad);  // only must not crash
  }
}

}  // namespace
}  // namespace taskmon::storage
