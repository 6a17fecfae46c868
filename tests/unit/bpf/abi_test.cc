// SPDX-License-Identifier: Apache-2.0
//
// taskmon_abi.h means the same in C, C++ and BPF. The BPF side is read from the BTF of an object compiled for it.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <map>
#include <string>

#include "bpf/abi_names.h"
#include "bpf/rules_abi.h"
#include "bpf/taskmon_abi.h"
#include "tests/unit/bpf/abi_layout.h"

extern "C" const unsigned long tm_c_sizes[];
extern "C" const unsigned long tm_c_offsets[];

namespace taskmon::bpf {
namespace {

struct StructLayout {
  unsigned long size = 0;
  std::map<std::string, unsigned long> offsets;
};

std::map<std::string, StructLayout> ReadBpfLayout() {
  std::map<std::string, StructLayout> layouts;
  btf* types = btf__parse(TASKMON_ABI_OBJECT, nullptr);
  if (types == nullptr) return layouts;
  for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    if (!btf_is_struct(type)) continue;
    StructLayout& layout = layouts[btf__name_by_offset(types, type->name_off)];
    layout.size = type->size;
    for (__u16 i = 0; i < btf_vlen(type); ++i) {
      const btf_member& member = btf_members(type)[i];
      layout.offsets[btf__name_by_offset(types, member.name_off)] = btf_member_bit_offset(type, i) / 8;
    }
  }
  btf__free(types);
  return layouts;
}

TEST(AbiTest, SizesAgreeInAllLanguages) {
  auto bpf = ReadBpfLayout();
  size_t i = 0;
#define TM_CHECK(type)                               \
  EXPECT_EQ(tm_c_sizes[i], sizeof(type)) << #type;   \
  EXPECT_EQ(bpf[#type].size, sizeof(type)) << #type; \
  ++i;
  TM_ABI_STRUCTS(TM_CHECK)
#undef TM_CHECK
}

TEST(AbiTest, OffsetsAgreeInAllLanguages) {
  auto bpf = ReadBpfLayout();
  size_t i = 0;
#define TM_CHECK(type, member)                                                            \
  EXPECT_EQ(tm_c_offsets[i], offsetof(type, member)) << #type "." #member;                \
  ASSERT_EQ(bpf[#type].offsets.count(#member), 1u) << #type "." #member;                  \
  EXPECT_EQ(bpf[#type].offsets.at(#member), offsetof(type, member)) << #type "." #member; \
  ++i;
  TM_ABI_MEMBERS(TM_CHECK)
#undef TM_CHECK
}

TEST(AbiTest, TheTableOfMembersIsComplete) {
  std::map<std::string, size_t> listed;
#define TM_COUNT(type, member) ++listed[#type];
  TM_ABI_MEMBERS(TM_COUNT)
#undef TM_COUNT
  auto bpf = ReadBpfLayout();
  for (const auto& [name, members] : listed) {
    EXPECT_EQ(members, bpf[name].offsets.size() - bpf[name].offsets.count("pad")) << name;
  }
}

TEST(AbiTest, EveryGroupAndDropHasItsOwnName) {
  std::map<std::string, int> names;
  for (int i = 0; i < TM_HOOK_GROUP_MAX; ++i) ++names[HookGroupName(static_cast<tm_hook_group>(i))];
  for (int i = 0; i < TM_DROP_MAX; ++i) ++names[DropName(static_cast<tm_drop>(i))];
  EXPECT_EQ(names.size(), static_cast<size_t>(TM_HOOK_GROUP_MAX) + TM_DROP_MAX);
  EXPECT_EQ(names.count("unknown"), 0u);
}

}  // namespace
}  // namespace taskmon::bpf
