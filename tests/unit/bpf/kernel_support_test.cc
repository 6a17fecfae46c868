// SPDX-License-Identifier: Apache-2.0
//
// Facts from BTF that is built here, and which programs follow from them.
#include "bpf/kernel_support.h"

#include <bpf/btf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <utility>

#include "bpf/programs.h"

namespace taskmon::bpf {
namespace {

// A kernel's BTF with just the tracepoints that a test wants, written to a file.
class FakeKernel {
 public:
  FakeKernel() : types_(btf__new_empty()) {
    int_ = btf__add_int(types_, "int", 4, BTF_INT_SIGNED);
    long_ = btf__add_int(types_, "long unsigned int", 8, 0);
    bool_ = btf__add_int(types_, "bool", 1, BTF_INT_BOOL);
  }
  ~FakeKernel() {
    btf__free(types_);
    unlink(path_.c_str());
  }
  FakeKernel(const FakeKernel&) = delete;
  FakeKernel& operator=(const FakeKernel&) = delete;

  int Int() const { return int_; }
  int UnsignedLong() const { return long_; }
  int Bool() const { return bool_; }
  int PointerTo(const std::string& name) {
    auto [known, first] = structs_.try_emplace(name, 0);
    if (first) known->second = btf__add_struct(types_, name.c_str(), 8);
    return btf__add_ptr(types_, btf__add_const(types_, known->second));
  }
  FakeKernel& With(const std::string& tracepoint, const std::vector<int>& arguments) {
    const int context = btf__add_ptr(types_, 0);
    const int prototype = btf__add_func_proto(types_, 0);
    btf__add_func_param(types_, "", context);
    for (int argument : arguments) btf__add_func_param(types_, "", argument);
    btf__add_typedef(types_, ("btf_trace_" + tracepoint).c_str(), btf__add_ptr(types_, prototype));
    return *this;
  }
  FakeKernel& WithFunction(const std::string& name) {
    btf__add_func(types_, name.c_str(), BTF_FUNC_STATIC, btf__add_func_proto(types_, 0));
    return *this;
  }
  FakeKernel& WithMember(const std::string& name, const std::string& member) {
    btf__add_struct(types_, name.c_str(), 8);
    btf__add_field(types_, member.c_str(), long_, 0, 0);
    return *this;
  }
  KernelSupport Read() {
    __u32 size = 0;
    const void* data = btf__raw_data(types_, &size);
    std::ofstream(path_, std::ios::binary).write(static_cast<const char*>(data), size);
    auto support = KernelSupport::Read(path_);
    EXPECT_TRUE(support.ok()) << support.status();
    return *std::move(support);
  }

 private:
  btf* types_;
  int int_, long_, bool_;
  std::map<std::string, int> structs_;
  std::string path_ = testing::TempDir() + "/taskmon-kernel-" + std::to_string(getpid()) + ".btf";
};

std::map<std::string, ProgramChoice> Choose(FakeKernel& kernel) {
  std::map<std::string, ProgramChoice> choices;
  const KernelSupport support = kernel.Read();
  for (ProgramChoice& choice : ChoosePrograms(support)) choices.emplace(choice.spec->name, choice);
  return choices;
}

TEST(KernelSupportTest, TaskStorageIsThereWhenTasksHaveAPlaceForIt) {
  EXPECT_FALSE(FakeKernel().WithMember("task_struct", "pid").Read().has_task_storage());
  EXPECT_FALSE(FakeKernel().WithMember("sock", "bpf_storage").Read().has_task_storage());
  EXPECT_TRUE(FakeKernel().WithMember("task_struct", "bpf_storage").Read().has_task_storage());
}

TEST(KernelSupportTest, TellsArgumentsInCWithoutQualifiers) {
  FakeKernel kernel;
  kernel.With("sched_switch", {kernel.Bool(), kernel.PointerTo("task_struct"), kernel.UnsignedLong()});
  const KernelSupport support = kernel.Read();
  EXPECT_EQ(support.Tracepoint("sched_switch"),
            (KernelSupport::Arguments{"bool", "struct task_struct *", "long unsigned int"}));
  EXPECT_EQ(support.Tracepoint("sched_process_fork"), std::nullopt);
  EXPECT_EQ(support.tracepoint_count(), 1u);
}

TEST(KernelSupportTest, AMissingFileSaysWhatTheKernelNeeds) {
  const auto support = KernelSupport::Read("/nonexistent/btf");
  EXPECT_TRUE(absl::IsFailedPrecondition(support.status()));
  EXPECT_NE(support.status().message().find("CONFIG_DEBUG_INFO_BTF"), std::string::npos);
}

TEST(KernelSupportTest, AFileThatIsNotBtfIsRefused) {
  EXPECT_TRUE(absl::IsFailedPrecondition(KernelSupport::Read("/proc/self/status").status()));
}

TEST(ProgramsTest, TheOomProgramIsChosenByItsArgument) {
  FakeKernel older, newer;
  older.With("mark_victim", {older.Int()});
  newer.With("mark_victim", {newer.PointerTo("task_struct"), newer.Int()});
  auto old_choice = Choose(older), new_choice = Choose(newer);
  EXPECT_TRUE(old_choice.at("tm_mark_victim_tid").load);
  EXPECT_FALSE(old_choice.at("tm_mark_victim_task").load);
  EXPECT_TRUE(new_choice.at("tm_mark_victim_task").load);
  EXPECT_FALSE(new_choice.at("tm_mark_victim_tid").load);
}

TEST(ProgramsTest, RequestsAreFollowedByTheOlderTracepointsWhereOneOfThePairIsMissing) {
  FakeKernel kernel;
  const int request = kernel.PointerTo("request");
  kernel.With("block_io_start", {request});
  kernel.With("block_rq_insert", {request}).With("block_rq_issue", {request});
  kernel.With("block_rq_complete", {request, kernel.Int(), kernel.Int()});
  auto choices = Choose(kernel);
  EXPECT_FALSE(choices.at("tm_block_io_start").load);
  EXPECT_FALSE(choices.at("tm_block_io_start").listed);
  EXPECT_TRUE(choices.at("tm_block_rq_issue").load);
  EXPECT_TRUE(choices.at("tm_block_rq_complete").load);
}

TEST(ProgramsTest, WhatIsMissingIsListedOnceWithTheReason) {
  FakeKernel kernel;
  auto choices = Choose(kernel);
  EXPECT_TRUE(choices.at("tm_page_cache_dirty_folio").listed);
  EXPECT_EQ(choices.at("tm_page_cache_dirty_folio").reason, "this kernel has no tracepoint writeback_dirty_folio");
  EXPECT_FALSE(choices.at("tm_page_cache_dirty_page").listed);
  EXPECT_TRUE(choices.at("tm_iterate").load) << "needs no tracepoint";
}

TEST(ProgramsTest, TheWalkIsTakenWhereTheKernelHasItsFunctions) {
  FakeKernel older, newer;
  newer.WithFunction("bpf_iter_task_new");
  EXPECT_TRUE(Choose(newer).at("tm_walk_stretch").load);
  auto choices = Choose(older);
  EXPECT_FALSE(choices.at("tm_walk_stretch").load);
  EXPECT_TRUE(choices.at("tm_walk_stretch").listed);
  EXPECT_EQ(choices.at("tm_walk_stretch").reason, "this kernel lets no program walk its list of tasks");
}

TEST(ProgramsTest, LimitsHoldWhereTheKernelLacksWhatWouldLiftThem) {
  FakeKernel older, newer;
  for (FakeKernel* kernel : {&older, &newer}) {
    const int sock = kernel->PointerTo("sock");
    kernel->With("inet_sock_set_state", {sock, kernel->Int(), kernel->Int()});
    if (kernel == &newer) kernel->With("sock_send_length", {sock, kernel->Int()});
  }
  older.With("sched_process_exit", {older.PointerTo("task_struct")});
  newer.With("sched_process_exit", {newer.PointerTo("task_struct"), newer.Bool()});
  auto old_choice = Choose(older), new_choice = Choose(newer);
  for (const char* program : {"tm_exit", "tm_set_state"}) {
    EXPECT_TRUE(new_choice.at(program).limits.empty()) << program;
    ASSERT_EQ(old_choice.at(program).limits.size(), 1u) << program;
  }
  EXPECT_STREQ(old_choice.at("tm_set_state").limits[0]->metrics.at(0), "task_tcp_used");
}

TEST(ProgramsTest, AnUnknownSignatureIsToldInWords) {
  FakeKernel kernel;
  kernel.With("sched_switch", {kernel.Bool(), kernel.Int(), kernel.PointerTo("task_struct")});
  EXPECT_EQ(Choose(kernel).at("tm_sched_switch").reason, "sched_switch: argument 2 is int, not struct task_struct *");
}

}  // namespace
}  // namespace taskmon::bpf
