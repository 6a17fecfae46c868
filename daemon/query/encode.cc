// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/encode.h"

#include <algorithm>

namespace taskmon::query {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr int64_t kNsPerMs = 1'000'000;

// The length of the well-formed character in front (Unicode 15, table 3-7); 0: there is none.
size_t CharacterLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

size_t TextBytes(const TaskInfo& info) {
  return info.comm.size() + info.cmdline.size() + info.exe.size() + info.cgroup.size() + info.unit.size() +
         info.container.size() + 64 * info.rules.size() + 128;
}

void EncodeAges(const Row& row, const std::vector<v1::Metric>& metrics, v1::Sample* out) {
  if (row.sample->taken_boot_ns.empty()) return;
  for (v1::Metric metric : metrics) {
    const int64_t taken_ns = row.sample->taken_boot_ns[metric];
    if (taken_ns == 0 || IsRedacted(row, metric) || !ResolveValue(row, metric)) continue;
    v1::Age* age = out->add_ages();
    age->set_metric(metric);
    const int64_t age_ns = static_cast<int64_t>(row.snapshot->tick.boot_ns) - taken_ns;
    age->set_age_ms(static_cast<uint64_t>(std::max<int64_t>(0, age_ns) / kNsPerMs));
  }
}

}  // namespace

std::string MendUtf8(std::string_view text) {
  if (IsAscii(text)) return std::string(text);
  std::string mended;
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    mended += length == 0 ? kReplacement : text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return mended;
}

void EncodeTaskInfo(const TaskInfo& info, const std::string& boot_id, NamesVisible visible, v1::TaskInfo* out) {
  out->set_tid(info.key.tid);
  out->set_tgid(info.tgid);
  out->set_ppid(info.ppid);
  out->set_start_ns(info.key.start_ns);
  out->set_start_time_ns(info.start_wall_ns);
  out->set_comm(MendUtf8(info.comm));
  if (visible.cmdline) out->set_cmdline(MendUtf8(info.cmdline));
  out->set_cmdline_redacted(!visible.cmdline);
  if (visible.exe) out->set_exe(MendUtf8(info.exe));
  out->set_exe_redacted(!visible.exe);
  out->set_uid(info.uid);
  out->set_gid(info.gid);
  out->set_user(MendUtf8(info.user));
  out->set_app(MendUtf8(info.app));
  out->set_cgroup(MendUtf8(info.cgroup));
  out->set_unit(MendUtf8(info.unit));
  out->set_container(MendUtf8(info.container));
  out->set_kthread(info.kthread);
  out->set_tracked(info.tracked);
  for (const std::string& rule : info.rules) out->add_rules(MendUtf8(rule));
  out->set_thread(info.key.thread);
  out->set_boot_id(info.boot_id.empty() ? boot_id : info.boot_id.str());
}

void BatchBuilder::Reset() {
  batch_.Clear();
  for (v1::Metric metric : metrics_) batch_.add_metrics(metric);
  tasks_.clear();
  rows_ = bytes_ = 0;
}

void EncodeTick(const Tick& tick, v1::Tick* out) {
  out->set_seq(tick.seq);
  out->set_time_ns(tick.wall_ns);
  out->set_boot_ns(tick.boot_ns);
  out->set_elapsed_ns(tick.elapsed_ns);
}

uint32_t BatchBuilder::TickIndex(const Tick& tick) {
  const int count = batch_.ticks_size();
  if (count > 0) {
    const v1::Tick& last = batch_.ticks(count - 1);
    if (last.seq() == tick.seq && last.time_ns() == tick.wall_ns) return static_cast<uint32_t>(count - 1);
  }
  EncodeTick(tick, batch_.add_ticks());
  return static_cast<uint32_t>(count);
}

uint32_t BatchBuilder::TaskIndex(const Row& row) {
  const auto [entry, added] = tasks_.try_emplace(row.sample->info, static_cast<uint32_t>(batch_.tasks_size()));
  if (added) {
    EncodeTaskInfo(row.info(), row.snapshot->boot_id, row.names_visible(), batch_.add_tasks());
    bytes_ += TextBytes(row.info());
  }
  return entry->second;
}

void BatchBuilder::AddTick(const Tick& tick) { TickIndex(tick); }

void BatchBuilder::AddGap(const v1::Gap& gap) {
  v1::Gap* added = batch_.add_gaps();
  *added = gap;
  added->set_before_sample(static_cast<uint32_t>(batch_.samples_size()));
  ++rows_;
}

void BatchBuilder::Add(const Row& row, int64_t ended_wall_ns, uint32_t group_tasks) {
  const uint32_t tick = TickIndex(row.snapshot->tick);
  const uint32_t task = TaskIndex(row);
  v1::Sample* sample = batch_.add_samples();
  sample->set_tick(tick);
  sample->set_task(task);
  sample->set_ended_time_ns(ended_wall_ns);
  sample->set_group_tasks(group_tasks);
  EncodeValues(row, metrics_, sample);
  EncodeAges(row, metrics_, sample);
  ++rows_;
  bytes_ += 16 + 6 * metrics_.size();
}

v1::TaskBatch BatchBuilder::Take(bool last) {
  v1::TaskBatch taken;
  taken.Swap(&batch_);
  taken.set_last(last);
  Reset();
  return taken;
}

}  // namespace taskmon::query
