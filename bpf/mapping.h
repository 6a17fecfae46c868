// SPDX-License-Identifier: Apache-2.0
//
// A map of the kernel's, or a part of it, in our memory.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <absl/status/status.h>
#include <fmt/format.h>

namespace taskmon::bpf {

class Mapping {
 public:
  Mapping() = default;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
  }

  // `what` is for the error's text. Once.
  absl::Status Open(const char* what, int fd, size_t offset, size_t bytes, int protection) {
    void* memory = mmap(nullptr, bytes, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (memory == MAP_FAILED) return absl::InternalError(fmt::format("cannot map {}: {}", what, std::strerror(errno)));
    memory_ = memory;
    bytes_ = bytes;
    return absl::OkStatus();
  }
  bool is_open() const { return memory_ != nullptr; }
  template <typename T>
  T* As() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace taskmon::bpf
