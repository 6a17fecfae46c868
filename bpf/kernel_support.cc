// SPDX-License-Identifier: Apache-2.0
#include "bpf/kernel_support.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/capability.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

namespace taskmon::bpf {
namespace {

constexpr std::string_view kPrefix = "btf_trace_";

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

const btf_type* SkipQualifiers(const btf* types, __u32 id) {
  const btf_type* type = btf__type_by_id(types, id);
  while (type != nullptr && btf_is_mod(type)) type = btf__type_by_id(types, type->type);
  return type;
}

std::string TypeName(const btf* types, __u32 id) {
  const btf_type* type = SkipQualifiers(types, id);
  if (type == nullptr || id == 0) return "void";
  if (btf_is_ptr(type)) return TypeName(types, type->type) + " *";
  const std::string name = btf__name_by_offset(types, type->name_off);
  if (btf_is_struct(type) || (btf_is_fwd(type) && !btf_kflag(type))) return "struct " + name;
  if (btf_is_union(type) || btf_is_fwd(type)) return "union " + name;
  if (btf_is_any_enum(type)) return "enum " + name;
  if (btf_is_func_proto(type)) return "function";
  return name;
}

// typedef void (*btf_trace_X)(void *__data, arguments of X): null for anything else.
const btf_type* TracepointPrototype(const btf* types, const btf_type* type) {
  if (!btf_is_typedef(type)) return nullptr;
  const char* name = btf__name_by_offset(types, type->name_off);
  if (name == nullptr || !std::string_view(name).starts_with(kPrefix)) return nullptr;
  const btf_type* pointer = btf__type_by_id(types, type->type);
  if (pointer == nullptr || !btf_is_ptr(pointer)) return nullptr;
  const btf_type* prototype = btf__type_by_id(types, pointer->type);
  return prototype != nullptr && btf_is_func_proto(prototype) ? prototype : nullptr;
}

bool IsStructWithMember(const btf* types, const btf_type* type, std::string_view name, std::string_view member) {
  if (!btf_is_struct(type) || name != btf__name_by_offset(types, type->name_off)) return false;
  for (__u16 i = 0; i < btf_vlen(type); ++i) {
    if (member == btf__name_by_offset(types, btf_members(type)[i].name_off)) return true;
  }
  return false;
}

bool IsFunction(const btf* types, const btf_type* type, std::string_view name) {
  return btf_is_func(type) && name == btf__name_by_offset(types, type->name_off);
}

}  // namespace

absl::StatusOr<KernelSupport> KernelSupport::Read(const std::string& path) {
  libbpf_set_print(nullptr);  // what it has to say is in the status
  std::unique_ptr<btf, FreeBtf> types(btf__parse(path.c_str(), nullptr));
  if (types == nullptr) {
    return absl::FailedPreconditionError(
        fmt::format("no kernel type information in {} ({}): the kernel must be built with CONFIG_DEBUG_INFO_BTF", path,
                    std::strerror(errno)));
  }
  KernelSupport support;
  const __u32 count = btf__type_cnt(types.get());
  for (__u32 id = 1; id < count; ++id) {
    const btf_type* type = btf__type_by_id(types.get(), id);
    support.has_task_storage_ |= IsStructWithMember(types.get(), type, "task_struct", "bpf_storage");
    support.has_task_walk_ |= IsFunction(types.get(), type, "bpf_iter_task_new");
    const btf_type* prototype = TracepointPrototype(types.get(), type);
    if (prototype == nullptr) continue;
    Arguments arguments;
    for (__u16 i = 1; i < btf_vlen(prototype); ++i) {
      arguments.push_back(TypeName(types.get(), btf_params(prototype)[i].type));
    }
    support.tracepoints_.emplace(btf__name_by_offset(types.get(), type->name_off) + kPrefix.size(),
                                 std::move(arguments));
  }
  return support;
}

std::optional<KernelSupport::Arguments> KernelSupport::Tracepoint(const std::string& name) const {
  auto found = tracepoints_.find(name);
  if (found == tracepoints_.end()) return std::nullopt;
  return found->second;
}

std::vector<std::string> MissingCapabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("CapEff:")) continue;
    const uint64_t held = std::strtoull(line.c_str() + 7, nullptr, 16);
    auto has = [held](int capability) { return (held >> capability & 1) != 0; };
    std::vector<std::string> missing;
    if (!has(CAP_BPF) && !has(CAP_SYS_ADMIN)) missing.push_back("CAP_BPF");
    if (!has(CAP_PERFMON) && !has(CAP_SYS_ADMIN)) missing.push_back("CAP_PERFMON");
    return missing;
  }
  return {};
}

}  // namespace taskmon::bpf
