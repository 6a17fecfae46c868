// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/test_memory.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "daemon/query/baseline.h"
#include "daemon/query/expression_node.h"

namespace taskmon::query {
namespace {

using Kind = Expression::Node::Kind;
using Node = Expression::Node;

constexpr uint64_t kTicksBetweenSweeps = 16;
constexpr size_t kMaxThresholds = 64;  // bits of Task::crossed; further ones yield no crossings

// Since when a test has been true.
struct Run {
  uint64_t since_boot_ns = 0;  // 0: it was not at the last tick
  bool maybe_longer = false;   // perhaps before the memory looked
};

// The first test of a metric in the node; of those that make it `wanted` if there is one.
const Node* MetricTest(const Node& node, const Row& row, const Verdicts& verdicts, Truth wanted) {
  if (node.kind == Kind::kAnomaly) return &node;
  if (node.kind == Kind::kTest) return node.test.field->metric != nullptr ? &node : nullptr;
  const Node* any = nullptr;
  for (const auto& child : node.children) {
    const Truth part = node.kind == Kind::kNot ? Negate(wanted) : wanted;
    const Node* found = MetricTest(*child, row, verdicts, part);
    if (found != nullptr && EvaluateNode(*child, row, verdicts) == part) return found;
    if (any == nullptr) any = found;
  }
  return any;
}

}  // namespace

// What is remembered of one task. The arrays have an element for each test with memory, and are absent until needed.
struct TestMemory::Task {
  TaskKey key;
  uint64_t number = 0;  // of the tick when it was last asked about; 0: a free place
  // Set while the same sample, idle again, can only get the same answer. That it is the same one is sure because two
  // ticks in a row hold theirs at the same time.
  const TaskSample* settled = nullptr;
  Truth truth = Truth::kUnknown;
  Verdicts verdicts;
  Verdicts known;        // the last ones that were
  uint64_t crossed = 0;  // bit: index in Expression::thresholds()
  std::unique_ptr<Run[]> runs;
  std::unique_ptr<Baseline[]> baselines;

  bool HasRuns(int count) const {
    return runs != nullptr &&
           std::any_of(&runs[0], &runs[count], [](const Run& run) { return run.since_boot_ns != 0; });
  }
};

// One row asked about for the first time in its tick.
class TestMemory::Question {
 public:
  Question(TestMemory* memory, const Row& row, Task* task)
      : memory_(*memory), row_(row), task_(task), count_(RootOf(*memory).memory_tests) {
    continues_ = task != nullptr && task->number + 1 == memory->number_;
    const bool has_rates = row.snapshot->tick.elapsed_ns >= kShortestForRateNs;  // or it is asked anew when there are
    settled_ = row.idle() && has_rates && !MovesOn(RootOf(*memory), row);
    if (task != nullptr) verdicts_ = task->verdicts;
  }

  Truth Answer() {
    const Truth truth = Of(RootOf(memory_));
    if (memory_.options_.crossings) Cross(truth);
    if (memory_.options_.remember_all) Remember();
    memory_.stays_unremembered_ = task_ == nullptr && settled_;
    if (task_ == nullptr) return truth;
    task_->number = memory_.number_;
    task_->truth = truth;
    task_->verdicts = verdicts_;
    task_->known = verdicts_.Or(task_->known);
    task_->settled = settled_ ? row_.sample : nullptr;
    const bool worth = memory_.options_.remember_all || task_->baselines != nullptr || task_->crossed != 0;
    if (worth || task_->HasRuns(count_)) return truth;
    memory_.Forget(*task_);
    memory_.stays_unremembered_ = settled_;
    return truth;
  }

 private:
  static const Node& RootOf(const TestMemory& memory) { return *memory.expression_.root(); }

  Truth Of(const Node& node) {
    if (node.memory_tests == 0) return EvaluateNode(node, row_, verdicts_);
    switch (node.kind) {
      case Kind::kAnd: return All(node);
      case Kind::kOr: {
        Truth truth = Truth::kFalse;
        for (const auto& child : node.children) truth = std::max(truth, Of(*child));
        return truth;
      }
      case Kind::kNot: return Negate(Of(*node.children[0]));
      case Kind::kHeld: return Say(node, Held(node, Of(*node.children[0])));
      default: return Say(node, Judge(node));
    }
  }

  Truth All(const Node& node) {
    const bool other_task = std::any_of(node.children.begin(), node.children.end(), [this](const auto& child) {
      return child->identity && EvaluateNode(*child, row_, verdicts_) == Truth::kFalse;
    });
    if (other_task) {
      Skip(node);
      return Truth::kFalse;
    }
    Truth truth = Truth::kTrue;
    for (const auto& child : node.children) truth = std::min(truth, Of(*child));
    return truth;
  }

  // The tests in the node are not asked.
  void Skip(const Node& node) {
    if (node.memory >= 0) {
      Say(node, Truth::kUnknown);
      if (task_ != nullptr && task_->runs != nullptr) task_->runs[node.memory] = Run();
    }
    for (const auto& child : node.children) Skip(*child);
  }

  Truth Say(const Node& node, Truth truth) {
    verdicts_.Set(node.memory, truth);
    return truth;
  }

  // False: no room.
  bool Remember() {
    if (task_ == nullptr) task_ = memory_.FindOrAdd(row_.info().key);
    return task_ != nullptr;
  }

  Truth Held(const Node& node, Truth truth) {
    if (truth != Truth::kTrue) {
      if (task_ != nullptr && task_->runs != nullptr) task_->runs[node.memory] = Run();
      return truth;
    }
    if (!Remember()) return Truth::kUnknown;
    if (task_->runs == nullptr) task_->runs = std::make_unique<Run[]>(count_);
    Run& run = task_->runs[node.memory];
    if (!continues_ || run.since_boot_ns == 0) run = BeginRun(node);
    const uint64_t now = memory_.tick_.boot_ns;
    if (now - run.since_boot_ns >= node.held_ns) return Truth::kTrue;
    settled_ = false;
    const bool old_enough = now - std::min(now, row_.info().key.start_ns) >= node.held_ns;
    return run.maybe_longer && old_enough ? Truth::kUnknown : Truth::kFalse;
  }

  Run BeginRun(const Node& node) const {
    const Tick& tick = memory_.tick_;
    Run run{.since_boot_ns = tick.boot_ns};
    if (node.whole_tick) run.since_boot_ns -= std::min(tick.boot_ns - 1, tick.elapsed_ns);
    run.maybe_longer = memory_.number_ <= memory_.told_number_ && row_.info().key.start_ns < memory_.began_boot_ns_;
    return run;
  }

  Truth Judge(const Node& node) {
    const std::optional<double> value = ReadNumber(row_, *node.test.field, CounterAs::kRate);
    if (!value || !Remember()) return Truth::kUnknown;
    if (task_->baselines == nullptr) task_->baselines = std::make_unique<Baseline[]>(count_);
    Baseline& baseline = task_->baselines[node.memory];
    const Truth truth = baseline.Judge(*value, memory_.tick_, {node.distance, AnomalyFloor(*node.test.field->metric)});
    settled_ = settled_ && baseline.settled();
    return truth;
  }

  void Cross(Truth truth) {
    const uint64_t before = task_ == nullptr ? 0 : task_->crossed;
    uint64_t now = 0;
    if (truth == Truth::kTrue) FindReasons(RootOf(memory_), Truth::kTrue, &now);
    if (now == before || !Remember()) return;
    task_->crossed = now;
    const auto& thresholds = memory_.expression_.thresholds();
    for (size_t i = 0; i < std::min(thresholds.size(), kMaxThresholds); ++i) {
      if ((now ^ before) >> i & 1) Report(*thresholds[i], now >> i & 1);
    }
  }

  // Thresholds that make the node's truth the wanted one.
  void FindReasons(const Node& node, Truth wanted, uint64_t* reasons) const {
    if (EvaluateNode(node, row_, verdicts_) != wanted) return;
    const auto& thresholds = memory_.expression_.thresholds();
    const auto it = std::find(thresholds.begin(), thresholds.end(), &node);
    if (it != thresholds.end()) {
      const auto index = static_cast<size_t>(it - thresholds.begin());
      if (index < kMaxThresholds) *reasons |= uint64_t{1} << index;
      return;
    }
    for (const auto& child : node.children) {
      FindReasons(*child, node.kind == Kind::kNot ? Negate(wanted) : wanted, reasons);
    }
  }

  void Report(const Node& threshold, bool begins) {
    Crossing crossing{.task = row_.info().key, .begins = begins};
    if (const Node* leaf = MetricTest(threshold, row_, verdicts_, Truth::kTrue)) {
      crossing.metric = leaf->test.field->metric->id;
      crossing.value = ReadNumber(row_, *leaf->test.field, leaf->test.counter);
      if (leaf->kind == Kind::kTest && !leaf->test.numbers.empty()) crossing.baseline = leaf->test.numbers[0];
      if (leaf->kind == Kind::kAnomaly && task_->baselines != nullptr) {
        crossing.baseline = task_->baselines[leaf->memory].median();
      }
    }
    memory_.crossings_.push_back(std::move(crossing));
  }

  TestMemory& memory_;
  const Row& row_;
  Task* task_;
  const int count_;
  bool continues_ = false;  // it was asked about at the tick before
  bool settled_ = false;    // the task is idle, and nothing asked so far moves on by itself
  Verdicts verdicts_;
};

TestMemory::TestMemory(Expression expression, Options options)
    : expression_(std::move(expression)), options_(std::move(options)), share_(options_.budget) {}
TestMemory::~TestMemory() = default;
TestMemory::TestMemory(TestMemory&&) noexcept = default;
TestMemory& TestMemory::operator=(TestMemory&&) noexcept = default;

size_t TestMemory::tasks() const { return index_.size(); }

Truth TestMemory::Evaluate(const Row& row) {
  stays_unremembered_ = false;
  if (expression_.root() == nullptr) return Truth::kTrue;
  BeginTick(*row.snapshot);
  Task* task = Find(row.info().key);
  if (task != nullptr && task->number == number_) return task->truth;
  if (task != nullptr && task->settled == row.sample && task->number + 1 == number_ && row.idle()) {
    task->number = number_;
    return task->truth;
  }
  return Question(this, row, task).Answer();
}

Verdicts TestMemory::VerdictsOf(const TaskKey& key) const {
  const auto it = index_.find(key);
  if (it == index_.end() || tasks_[it->second].number + 1 < number_) return {};
  return tasks_[it->second].verdicts;
}

Verdicts TestMemory::LastKnownOf(const TaskKey& key) const {
  const auto it = index_.find(key);
  if (it == index_.end() || tasks_[it->second].number + 1 < number_) return {};
  return tasks_[it->second].known;
}

std::vector<Crossing> TestMemory::TakeCrossings() { return std::exchange(crossings_, {}); }

void TestMemory::BeginTick(const Snapshot& snapshot) {
  const Tick& tick = snapshot.tick;
  if (number_ != 0 && tick.seq == tick_.seq && tick.boot_ns == tick_.boot_ns) return;
  const bool same_boot = number_ != 0 && boot_id_ == snapshot.boot_id && tick.boot_ns > tick_.boot_ns;
  // Elapsed time goes back to the tick before; half of it more is a tick that is missing.
  const bool continues =
      same_boot && tick.elapsed_ns > 0 && tick.boot_ns - tick_.boot_ns <= tick.elapsed_ns + tick.elapsed_ns / 2;
  if (number_ != 0 && !same_boot) ForgetAll();
  number_ += continues ? 1 : 2;
  if (!continues) {
    told_number_ = tick.elapsed_ns > 0 ? number_ : number_ + 1;
    began_boot_ns_ = tick.boot_ns;
  }
  tick_ = tick;
  boot_id_ = snapshot.boot_id;
  if (number_ >= swept_number_ + kTicksBetweenSweeps) ForgetAbsent();
}

void TestMemory::ForgetAbsent() {
  swept_number_ = number_;
  for (const Task& task : tasks_) {
    if (task.number != 0 && task.number + 2 < number_) Forget(task);
  }
}

void TestMemory::ForgetAll() {
  share_.ReturnAll();
  index_.clear();
  free_.clear();
  tasks_.clear();
}

void TestMemory::Forget(const Task& task) {
  const auto place = static_cast<size_t>(&task - tasks_.data());
  share_.Return(RememberedTests());
  index_.erase(task.key);
  free_.push_back(static_cast<uint32_t>(place));
  tasks_[place] = Task();
}

int64_t TestMemory::RememberedTests() const { return std::max(1, expression_.root()->memory_tests); }

TestMemory::Task* TestMemory::Find(const TaskKey& key) {
  if (last_ + 1 < tasks_.size() && tasks_[last_ + 1].number != 0 && tasks_[last_ + 1].key == key) {
    return &tasks_[++last_];
  }
  const auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  last_ = it->second;
  return &tasks_[last_];
}

TestMemory::Task* TestMemory::FindOrAdd(const TaskKey& key) {
  if (index_.size() >= options_.max_tasks && swept_number_ != number_) ForgetAbsent();
  if (index_.size() >= options_.max_tasks || !share_.Take(RememberedTests())) {
    ++turned_away_;
    return nullptr;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<uint32_t>(tasks_.size()));
    tasks_.emplace_back();
  }
  last_ = free_.back();
  free_.pop_back();
  index_.emplace(key, static_cast<uint32_t>(last_));
  Task& task = tasks_[last_];
  task.key = key;
  task.number = number_;
  return &task;
}

}  // namespace taskmon::query
