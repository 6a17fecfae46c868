// SPDX-License-Identifier: Apache-2.0
#include "storage/name_table.h"

#include <algorithm>
#include <utility>

#include "storage/codec.h"

namespace taskmon::storage {
namespace {

// More than so many sets of names are not kept in mind, used or not.
constexpr size_t kMaxNames = 100000;

// What a row has of a task's facts: a byte 0 where it is as the task's row says.
void PutFact(bool differs, int64_t value, ByteWriter* key) {
  key->Byte(differs);
  if (differs) key->Signed(value);
}

struct Overrides {
  Overrides(const TaskInfo& info, const TaskFacts& facts)
      : ppid(info.ppid != facts.ppid),
        tgid(info.tgid != facts.tgid),
        process_start(info.process_start_ns != facts.process_start_ns),
        start_wall(info.start_wall_ns != facts.start_wall_ns) {}
  bool ppid, tgid, process_start, start_wall;
};

std::string JoinKey(const std::array<std::pair<bool, int64_t>, 4>& facts, uint32_t uid, uint32_t gid, bool kthread,
                    bool tracked, const std::array<int64_t, 9>& texts) {
  ByteWriter key;
  for (const auto& [differs, value] : facts) PutFact(differs, value, &key);
  key.Varint(uid);
  key.Varint(gid);
  key.Byte(static_cast<uint8_t>(kthread << 1 | tracked));
  for (int64_t text : texts) key.Signed(text);
  return key.Take();
}

}  // namespace

std::string JoinRules(const std::vector<std::string>& rules) {
  std::string out;
  for (const std::string& rule : rules) {
    if (!out.empty()) out += '\n';
    out += rule;
  }
  return out;
}

std::vector<std::string> SplitRules(std::string_view text) {
  std::vector<std::string> rules;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    rules.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return rules;
}

absl::StatusOr<std::unique_ptr<NameTable>> NameTable::Open(Database* db) {
  std::unique_ptr<NameTable> table(new NameTable(db));
  absl::Status status = table->Prepare();
  if (!status.ok()) return status;
  return table;
}

absl::Status NameTable::Prepare() {
  const std::pair<Statement*, const char*> all[] = {
      {&insert_names_,
       "INSERT INTO names(seen, ppid, tgid, process_start_ns, start_wall_ns, uid, gid, kthread, tracked, comm, cmdline,"
       " exe, user, cgroup, unit, container, app, rules) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING id"},
      {&insert_text_, "INSERT INTO text(value, seen) VALUES(?, ?) RETURNING id"},
      {&see_names_, "UPDATE names SET seen = 1 WHERE id = ?"},
      {&see_text_, "UPDATE text SET seen = 1 WHERE id = ?"},
      {&retire_names_, "UPDATE names SET last_seq = ? WHERE id = ?"},
      {&retire_text_, "UPDATE text SET last_seq = ? WHERE id = ?"},
  };
  return db_->PrepareAll(all);
}

absl::Status NameTable::Load() {
  names_.clear();
  texts_.clear();
  absl::StatusOr<Statement> texts = db_->Prepare("SELECT id, value, seen FROM text WHERE last_seq IS NULL");
  if (!texts.ok()) return texts.status();
  absl::StatusOr<bool> row;
  while ((row = texts->Step()).ok() && *row) texts_[texts->Text(1)] = {texts->Int(0), texts->Int(2) != 0};
  if (!row.ok()) return row.status();
  absl::StatusOr<Statement> all = db_->Prepare(
      "SELECT id, seen, ppid, tgid, process_start_ns, start_wall_ns, uid, gid, kthread, tracked, comm, cmdline, exe,"
      " user, cgroup, unit, container, app, rules FROM names WHERE last_seq IS NULL");
  if (!all.ok()) return all.status();
  while ((row = all->Step()).ok() && *row) {
    Names names{.id = all->Int(0), .seen = all->Int(1) != 0};
    std::array<std::pair<bool, int64_t>, 4> facts;
    for (int i = 0; i < 4; ++i) facts[static_cast<size_t>(i)] = {!all->IsNull(2 + i), all->Int(2 + i)};
    for (size_t i = 0; i < kTexts; ++i) names.texts[i] = all->Int(10 + static_cast<int>(i));
    const std::string key = JoinKey(facts, static_cast<uint32_t>(all->Int(6)), static_cast<uint32_t>(all->Int(7)),
                                    all->Int(8) != 0, all->Int(9) != 0, names.texts);
    names_[key] = names;
  }
  loaded_ = row.ok();
  return row.status();
}

absl::StatusOr<int64_t> NameTable::FindText(const std::string& text, bool seen) {
  if (text.empty()) return 0;
  auto [at, is_new] = texts_.try_emplace(text);
  if (!is_new) {
    if (at->second.seen || !seen) return at->second.id;
    at->second.seen = true;
    absl::Status status = see_text_.Bind(at->second.id).Run();
    if (!status.ok()) return status;
    return at->second.id;
  }
  absl::StatusOr<bool> row = insert_text_.BindText(text).Bind(seen).Step();
  at->second = {row.ok() ? insert_text_.Int(0) : 0, seen};
  insert_text_.Reset();
  if (!row.ok()) return row.status();
  return at->second.id;
}

absl::StatusOr<NameTable::TextIds> NameTable::FindTexts(const TaskInfo& info, bool seen) {
  const std::string rules = JoinRules(info.rules);
  const std::string* const texts[kTexts] = {&info.comm,
                                            &info.cmdline.str(),
                                            &info.exe.str(),
                                            &info.user.str(),
                                            &info.cgroup.str(),
                                            &info.unit.str(),
                                            &info.container.str(),
                                            &info.app.str(),
                                            &rules};
  TextIds ids{};
  for (size_t i = 0; i < kTexts; ++i) {
    absl::StatusOr<int64_t> id = FindText(*texts[i], seen);
    if (!id.ok()) return id.status();
    ids[i] = *id;
  }
  return ids;
}

absl::Status NameTable::Insert(const TaskInfo& info, const TaskFacts& facts, bool seen, Names* names) {
  const Overrides differs(info, facts);
  Statement& insert = insert_names_.Bind(seen);
  const auto bind = [&](bool is_there, int64_t value) { is_there ? insert.Bind(value) : insert.BindNull(); };
  bind(differs.ppid, info.ppid);
  bind(differs.tgid, info.tgid);
  bind(differs.process_start, static_cast<int64_t>(info.process_start_ns));
  bind(differs.start_wall, info.start_wall_ns);
  insert.Bind(info.uid).Bind(info.gid).Bind(info.kthread).Bind(info.tracked);
  for (int64_t id : names->texts) bind(id != 0, id);
  absl::StatusOr<bool> row = insert.Step();
  names->id = row.ok() ? insert.Int(0) : 0;
  names->seen = seen;
  insert.Reset();
  return row.status();
}

absl::StatusOr<int64_t> NameTable::Find(const TaskInfo& info, const TaskFacts& facts, uint64_t seq, bool seen) {
  absl::Status status = loaded_ ? absl::OkStatus() : Load();
  if (!status.ok()) return status;
  const Overrides differs(info, facts);
  absl::StatusOr<TextIds> texts = FindTexts(info, seen);
  if (!texts.ok()) return texts.status();
  auto [at, is_new] = names_.try_emplace(JoinKey({{{differs.ppid, info.ppid},
                                                   {differs.tgid, info.tgid},
                                                   {differs.process_start, static_cast<int64_t>(info.process_start_ns)},
                                                   {differs.start_wall, info.start_wall_ns}}},
                                                 info.uid, info.gid, info.kthread, info.tracked, *texts));
  Names& names = at->second;
  names.used_seq = seq;
  if (is_new) {
    names.texts = *texts;
    status = Insert(info, facts, seen, &names);
  } else if (seen && !names.seen) {
    names.seen = true;
    status = see_names_.Bind(names.id).Run();
  }
  if (!status.ok()) return status;
  return names.id;
}

absl::Status NameTable::Retire(const std::unordered_set<int64_t>& in_use, uint64_t unused_since, uint64_t seq) {
  absl::Status status = loaded_ ? absl::OkStatus() : Load();
  const bool too_many = names_.size() > kMaxNames;
  for (auto at = names_.begin(); at != names_.end() && status.ok();) {
    const Names& names = at->second;
    if (in_use.contains(names.id) || (names.used_seq >= unused_since && !too_many)) {
      ++at;
      continue;
    }
    status = retire_names_.Bind(seq).Bind(names.id).Run();
    at = names_.erase(at);
  }
  return status.ok() ? RetireTexts(seq) : status;
}

// Those that no names have any more.
absl::Status NameTable::RetireTexts(uint64_t seq) {
  std::unordered_set<int64_t> in_use;
  for (const auto& [key, names] : names_) in_use.insert(names.texts.begin(), names.texts.end());
  absl::Status status;
  for (auto at = texts_.begin(); at != texts_.end() && status.ok();) {
    if (in_use.contains(at->second.id)) {
      ++at;
      continue;
    }
    status = retire_text_.Bind(seq).Bind(at->second.id).Run();
    at = texts_.erase(at);
  }
  return status;
}

}  // namespace taskmon::storage
