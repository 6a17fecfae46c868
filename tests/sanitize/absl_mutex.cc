// SPDX-License-Identifier: Apache-2.0
//
// Makes absl::Mutex and absl::CondVar known to ThreadSanitizer. Debian's Abseil is built without it and sleeps in
// futex(2), so that the sanitizer would see no order between two critical sections. This library is searched before
// Abseil's, tells the sanitizer of each locking and unlocking, in gRPC too, and leaves the work to the real functions.
// Waits for a condition are polled: Abseil would have it evaluated by whoever unlocks, or before it tells that it has
// locked.
#include <dlfcn.h>

#include <cstdlib>
#include <ctime>

#include <absl/synchronization/mutex.h>
#include <sanitizer/tsan_interface.h>

namespace {

// The function of that mangled name in the library after this one.
template <typename Function>
Function* Real(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) std::abort();
  return reinterpret_cast<Function*>(found);
}

}  // namespace

// Abseil's inline namespace is part of the mangled names.
#define TASKMON_ABSL "_ZN4absl7debian3"

namespace absl {
inline namespace debian3 {

void Mutex::Lock() {
  static auto* const real = Real<void(Mutex*)>(TASKMON_ABSL "5Mutex4LockEv");
  __tsan_mutex_pre_lock(this, 0);
  real(this);
  __tsan_mutex_post_lock(this, 0, 0);
}

void Mutex::Unlock() {
  static auto* const real = Real<void(Mutex*)>(TASKMON_ABSL "5Mutex6UnlockEv");
  __tsan_mutex_pre_unlock(this, 0);
  real(this);
  __tsan_mutex_post_unlock(this, 0);
}

bool Mutex::TryLock() {
  static auto* const real = Real<bool(Mutex*)>(TASKMON_ABSL "5Mutex7TryLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
  const bool locked = real(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_try_lock | (locked ? 0 : __tsan_mutex_try_lock_failed), 0);
  return locked;
}

void Mutex::ReaderLock() {
  static auto* const real = Real<void(Mutex*)>(TASKMON_ABSL "5Mutex10ReaderLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_read_lock, 0);
}

void Mutex::ReaderUnlock() {
  static auto* const real = Real<void(Mutex*)>(TASKMON_ABSL "5Mutex12ReaderUnlockEv");
  __tsan_mutex_pre_unlock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_unlock(this, __tsan_mutex_read_lock);
}

bool Mutex::AwaitWithDeadline(const Condition& condition, Time deadline) {
  constexpr timespec kPause = {.tv_nsec = 1'000'000};
  while (!condition.Eval()) {
    if (Now() >= deadline) return false;
    Unlock();
    nanosleep(&kPause, nullptr);
    Lock();
  }
  return true;
}

bool Mutex::AwaitWithTimeout(const Condition& condition, Duration timeout) {
  return AwaitWithDeadline(condition, Now() + timeout);
}

void Mutex::Await(const Condition& condition) { AwaitWithDeadline(condition, InfiniteFuture()); }

void Mutex::LockWhen(const Condition& condition) {
  Lock();
  Await(condition);
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static auto* const real =
      Real<bool(CondVar*, Mutex*, Time)>(TASKMON_ABSL "7CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  const bool timed_out = real(this, mutex, deadline);
  __tsan_mutex_pre_lock(mutex, 0);
  __tsan_mutex_post_lock(mutex, 0, 0);
  return timed_out;
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) { return WaitWithDeadline(mutex, Now() + timeout); }

void CondVar::Wait(Mutex* mutex) { WaitWithDeadline(mutex, InfiniteFuture()); }

}  // namespace debian3
}  // namespace absl
