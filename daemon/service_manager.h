// SPDX-License-Identifier: Apache-2.0
//
// What systemd, or whoever starts services in its way, hands to taskmond and is told by it: sd_listen_fds(3),
// sd_notify(3), sd_watchdog_enabled(3). The only file with libsystemd. Without a manager nothing happens.
#pragma once

#include <cstdint>
#include <optional>

#include <absl/status/statusor.h>

namespace taskmon::daemon {

// The listening socket that was passed (LISTEN_FDS); nullopt: none. InvalidArgument: several, or something else than a
// listening Unix stream socket.
absl::StatusOr<std::optional<int>> TakePassedSocket();

// How often a sign of life is expected at least; 0: never.
uint64_t WatchdogPeriodNs();

void TellReady();  // waits until it can be said: without it the service counts as failed
// Do not wait for the manager.
void TellAlive();  // from any thread
void TellStopping();

}  // namespace taskmon::daemon
