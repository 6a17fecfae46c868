// SPDX-License-Identifier: Apache-2.0
//
// Each program in turn is refused by the verifier: the others load and work, and what is missing says why.
#include <gmock/gmock.h>

#include <cstdio>

#include "bpf/programs.h"
#include "tests/bpf/probe_fixture.h"

namespace taskmon::bpf {
namespace {

using testing::HasSubstr;

constexpr char kVerdict[] = "R9 !read_ok";

class LoadTest : public ProbeTest {
 protected:
  // Of the programs that this kernel has a use for.
  static std::vector<ProgramChoice> Chosen() {
    const auto kernel = KernelSupport::Read();
    std::vector<ProgramChoice> chosen;
    if (!kernel.ok()) return chosen;
    for (const ProgramChoice& choice : ChoosePrograms(*kernel)) {
      if (choice.load) chosen.push_back(choice);
    }
    return chosen;
  }

  void Open(const std::string& spoilt) {
    auto probe = Probe::Open({.spoil_program = spoilt});
    if (!probe.ok()) GTEST_SKIP() << probe.status();
    probe_ = *std::move(probe);
    loaded_ = probe_->Load();
    if (absl::IsPermissionDenied(loaded_)) GTEST_SKIP() << loaded_;
  }

  // A child is born, seen by a pass, and its end recorded.
  void ExpectLivesAreRecorded() {
    Child child([] { return 3; });
    EXPECT_EQ(PassOf(child.tid()).id.tgid, child.tid());
    child.Go();
    child.Wait();
    EXPECT_EQ(AwaitFinals(child.tid(), 1).size(), 1u);
  }

  absl::Status loaded_;
};

TEST_F(LoadTest, AnOptionalProgramThatIsRefusedTakesNothingElseWithIt) {
  int refused = 0;
  for (const ProgramChoice& choice : Chosen()) {
    const ProgramSpec& spec = *choice.spec;
    if (spec.required) continue;
    SCOPED_TRACE(spec.name);
    Open(spec.name);
    if (IsSkipped()) return;
    ASSERT_TRUE(loaded_.ok()) << loaded_;
    ASSERT_TRUE(probe_->Attach(TM_HOOKS_LIFECYCLE).ok());
    for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) probe_->Attach(static_cast<tm_hook_group>(i)).IgnoreError();
    int attached = 0;
    const std::string name = spec.shown_name();
    for (const Hook& hook : probe_->Hooks()) {
      const bool it = hook.name == name && hook.group == spec.group;
      // Half of a group would count too little.
      const bool with_it = !it && hook.group == spec.group && hook.group != TM_HOOKS_LIFECYCLE;
      EXPECT_EQ(hook.reason.find(kVerdict) != std::string::npos, it) << hook.name << ": " << hook.reason;
      EXPECT_EQ(hook.reason.find(name) != std::string::npos, with_it) << hook.name << ": " << hook.reason;
      EXPECT_EQ(hook.available, !it && !with_it) << hook.name << ": " << hook.reason;
      attached += hook.attached ? 1 : 0;
    }
    ExpectLivesAreRecorded();
    std::printf("%-28s refused; %d hooks attached, lives recorded\n", spec.name, attached);
    ++refused;
    ring_.clear();
    probe_.reset();
  }
  EXPECT_GT(refused, 5);
}

// Without any one of these nothing of what taskmon promises would be true: it says so and does not start.
TEST_F(LoadTest, ARequiredProgramThatIsRefusedIsNamedWithTheVerifiersReason) {
  for (const ProgramChoice& choice : Chosen()) {
    if (!choice.spec->required) continue;
    SCOPED_TRACE(choice.spec->name);
    Open(choice.spec->name);
    if (IsSkipped()) return;
    EXPECT_TRUE(absl::IsFailedPrecondition(loaded_)) << loaded_;
    EXPECT_THAT(std::string(loaded_.message()), HasSubstr(std::string(choice.spec->name) + " does not load"));
    EXPECT_THAT(std::string(loaded_.message()), HasSubstr(kVerdict));
    std::printf("%-28s required: %s\n", choice.spec->name, std::string(loaded_.message()).c_str());
    probe_.reset();
  }
}

}  // namespace
}  // namespace taskmon::bpf
