// SPDX-License-Identifier: Apache-2.0
//
// What the history costs: storage_bench [--json] [HOURS [TASKS]] writes a synthetic day and prints its size, the cost
// of writing and the time of the usual questions, as lines of "name value unit", or of JSON. The file lies in $TMPDIR
// or /tmp and is removed.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "daemon/query/ring_columns.h"
#include "proto/catalogue.h"
#include "storage/chunk_head.h"
#include "storage/ring_reader.h"
#include "storage/ring_writer.h"
#include "storage/sqlite_db.h"
#include "tests/bench/synthetic_day.h"

namespace taskmon::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int64_t kSecond = 1000000000;

double Ms(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

double CpuMs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto ms = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) / 1e3;
  };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

bool g_json = false;

// No name has a character that JSON would escape.
void Print(const std::string& name, double value, const char* unit) {
  std::printf(g_json ? "{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"}\n" : "%-52s %12.3f %s\n", name.c_str(),
              value, unit);
  std::fflush(stdout);
}

// Ends the program: a bench has no way round a failure.
void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "storage_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}

class Directory {
 public:
  Directory() {
    const char* root = std::getenv("TMPDIR");
    path_ = std::string(root != nullptr ? root : "/tmp") + "/taskmon-bench-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) Check(absl::InternalError("no directory for the file"));
  }
  ~Directory() {
    std::error_code ignored;  // a file left behind is no wrong result
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file() const { return path_ + "/history.db"; }

 private:
  std::string path_;
};

storage::RingOptions Options(const std::string& path, bool coarser) {
  storage::RingOptions options;
  options.path = path;
  options.cap_bytes = 16ull << 30;
  options.columns = query::RingColumns();
  options.coarser = coarser;
  return options;
}

struct Written {
  double rows = 0, values = 0, lives = 0;
  int64_t begin_wall_ns = 0, end_wall_ns = 0;
};

// Making the day up is not what is measured.
Written Write(const std::string& path, size_t tasks, int ticks, bool coarser, bool events, const std::string& label) {
  auto writer = storage::RingWriter::Open(Options(path, coarser));
  Check(writer.status());
  SyntheticDay day(tasks, 1);
  Written written;
  double cpu = 0, longest = 0;
  for (int tick = 0; tick < ticks; ++tick) {
    const std::shared_ptr<const Snapshot> snapshot = day.Next();
    std::vector<Event> happened = day.TakeEvents();
    if (!events) happened.clear();
    if (tick == 0) written.begin_wall_ns = snapshot->tick.wall_ns;
    written.end_wall_ns = snapshot->tick.wall_ns;
    written.rows += static_cast<double>(snapshot->tasks.size());
    written.lives += static_cast<double>(happened.size()) / 2;
    for (const auto& row : snapshot->tasks) written.values += static_cast<double>(row->valid.count());
    const double before = CpuMs();
    Check((*writer)->Append(*snapshot, &happened));
    const double spent = CpuMs() - before;
    cpu += spent;
    longest = std::max(longest, spent);
  }
  Check((*writer)->Close());
  if (!label.empty()) {
    Print("write, CPU a tick, " + label, cpu / ticks, "ms");
    Print("write, CPU of the dearest tick, " + label, longest, "ms");
  }
  return written;
}

double FileBytes(const std::string& path) { return static_cast<double>(std::filesystem::file_size(path)); }

// What each column takes of the chunks as sampled; those of at least a hundredth.
void Columns(const std::string& path, double rows) {
  auto db = storage::Database::Open(path, storage::Database::Mode::kReadOnly);
  Check(db.status());
  auto heads = db->Prepare("SELECT ticks FROM chunk WHERE tier = 0");
  Check(heads.status());
  std::map<uint16_t, double> bytes;
  double all = 0;
  for (auto row = heads->Step(); row.ok() && *row; row = heads->Step()) {
    const auto head = storage::DecodeHead(heads->Blob(0));
    Check(head.status());
    for (const auto& [key, pieces] : head->columns) {
      for (const auto& piece : pieces)
        bytes[key] += static_cast<double>(piece.size), all += static_cast<double>(piece.size);
    }
  }
  std::vector<std::pair<double, uint16_t>> order;
  for (const auto& [key, size] : bytes) order.emplace_back(size, key);
  std::sort(order.rbegin(), order.rend());
  for (const auto& [size, key] : order) {
    if (size < all / 100) continue;
    const auto metric = static_cast<v1::Metric>(key);
    Print("  of these " + (key == storage::kRowsKey ? "rows" : Describe(metric).name), size / rows, "B");
  }
}

void Size(size_t tasks, int ticks) {
  Directory plain, tiers, lives;
  const Written written = Write(plain.file(), tasks, ticks, false, false, "");
  Print("bytes a task and tick, as sampled", FileBytes(plain.file()) / written.rows, "B");
  Columns(plain.file(), written.rows);
  Print("bytes a value, as sampled", FileBytes(plain.file()) / written.values, "B");
  Write(tiers.file(), tasks, ticks, true, false, "");
  Print("bytes a task and tick, with 10 s and 1 min", FileBytes(tiers.file()) / written.rows, "B");
  const Written with_lives = Write(lives.file(), tasks, ticks, true, true, "");
  Print("bytes a short life (birth, end, totals, names)",
        (FileBytes(lives.file()) - FileBytes(tiers.file())) / with_lives.lives, "B");
}

// The median of several runs; each begins with a reader of its own, as a command does.
template <typename F>
void Time(const std::string& name, int runs, const F& question) {
  std::vector<double> times;
  for (int run = 0; run < runs; ++run) {
    const auto begin = Clock::now();
    question(run);
    times.push_back(Ms(Clock::now() - begin));
  }
  std::sort(times.begin(), times.end());
  Print(name + ", median", times[times.size() / 2], "ms");
  Print(name + ", longest", times.back(), "ms");
}

std::unique_ptr<storage::RingReader> Reader(const std::string& path) {
  auto reader = storage::RingReader::Open(path, query::RingColumns());
  Check(reader.status());
  return *std::move(reader);
}

int64_t OneMetric(const std::string& path, int32_t tid, v1::Metric metric, int64_t step_ns) {
  storage::ScanFilter filter;
  filter.tid = tid;
  filter.step_ns = step_ns;
  filter.metrics.reset().set(metric);
  int64_t sum = 0;
  Check(Reader(path)->Scan(INT64_MIN, INT64_MAX, filter, [&](const Snapshot& snapshot) {
    for (const auto& row : snapshot.tasks) sum += row->deltas[metric] + row->values[metric];
    return true;
  }));
  return sum;
}

void Questions(const std::string& path, size_t tasks, const Written& written) {
  const auto any_tid = [&](int run) {
    return 1000 + static_cast<int32_t>((static_cast<size_t>(run) * 617 + 55) % tasks);
  };
  Time("rss of one task over all of it", 9, [&](int run) { OneMetric(path, any_tid(run), v1::TASK_PM_SIZE, 0); });
  Time("run time of one task over all of it", 9,
       [&](int run) { OneMetric(path, any_tid(run), v1::TASK_RUNTIME_NS, 0); });
  Time("off-CPU time of one task over all of it", 9,
       [&](int run) { OneMetric(path, any_tid(run), v1::TASK_OFFCPU_TIME, 0); });
  Time("run time of one task over all of it, by 1 min", 9,
       [&](int run) { OneMetric(path, any_tid(run), v1::TASK_RUNTIME_NS, 60 * kSecond); });
  Time("the world at a random moment", 25, [&](int run) {
    const int64_t at = written.begin_wall_ns + (written.end_wall_ns - written.begin_wall_ns) / 997 * (run * 359 % 997);
    Check(Reader(path)->At(at).status());
  });
  Time("run time of all tasks over all of it, by 1 min", 3,
       [&](int) { OneMetric(path, 0, v1::TASK_RUNTIME_NS, 60 * kSecond); });
}

int Main(int hours, size_t tasks) {
  Size(tasks, 3600);
  {
    Directory directory;
    Write(directory.file(), tasks, 600, true, true, std::to_string(tasks) + " tasks");
  }
  {
    Directory directory;
    Write(directory.file(), 10 * tasks, 320, true, true, std::to_string(10 * tasks) + " tasks");
  }
  Directory directory;
  const Written written = Write(directory.file(), tasks, hours * 3600, true, false, "");
  Print("hours recorded", hours, "h");
  Print("size of the file", FileBytes(directory.file()) / 1e6, "MB");
  Questions(directory.file(), tasks, written);
  return 0;
}

}  // namespace
}  // namespace taskmon::bench

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "--json") {
    taskmon::bench::g_json = true;
    --argc, ++argv;
  }
  const int hours = argc > 1 ? std::atoi(argv[1]) : 24;
  const int tasks = argc > 2 ? std::atoi(argv[2]) : 1000;
  if (hours < 1 || tasks < 100) {
    std::fprintf(stderr, "usage: storage_bench [--json] [HOURS [TASKS]], at least 1 hour and 100 tasks\n");
    return 2;
  }
  return taskmon::bench::Main(hours, static_cast<size_t>(tasks));
}
