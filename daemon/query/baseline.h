// SPDX-License-Identifier: Apache-2.0
//
// What is normal for one metric of one task, and whether a value is not: the robust baseline behind anomaly(). A value;
// owned by a TestMemory. 24 bytes for a series that never changes, about 220 more otherwise.
//
//   distance(x) = |x - median| / max(1.4826 * MAD, floor)         anomalous when larger than the test's distance
//
// Median and MAD are of a window of 32 past values, on a square-root scale (sign kept): there the noise of counts and
// of load is about as wide at a high level as at a low one, so one distance fits both. 1.4826 * MAD is the standard
// deviation of normal noise. The floor, 2 % of the median or the metric's own absolute one if that is larger (in the
// metric's unit), keeps a series that hardly moves from alarming on steps that nobody would look at.
//
// The window holds one value of each slot, chosen at random in it so that no period of the load hides from it: slots of
// 2 s until the window is full (warm-up: at least 32 ticks and about a minute, in which nothing is known), then of 8 s,
// which makes it look back over four minutes. While a value is anomalous slots are twice as long: a step is an anomaly
// for about four minutes and then the new normal, and a short one leaves hardly a trace.
//
// What has happened three times in the last 20 minutes, and gone back to normal in between, is a habit: a further such
// departure, to the same side and no more than a quarter larger, is none.
#pragma once

#include <cstdint>
#include <memory>

#include "daemon/query/truth.h"
#include "proto/catalogue.h"
#include "storage/sample.h"

namespace taskmon::query {

class Baseline {
 public:
  struct Rule {
    double distance = 0;
    double floor = 0;  // the metric's absolute one
  };

  static constexpr double kDefaultDistance = 8;
  // How long a stream must be, and of how many ticks, for what was before it to matter no more.
  static constexpr uint64_t kLookBackNs = 600'000'000'000;
  static constexpr uint64_t kLookBackTicks = 64;

  Baseline();
  ~Baseline();
  Baseline(Baseline&&) noexcept;
  Baseline& operator=(Baseline&&) noexcept;

  // Judges the value of a tick by those before it, then takes it in: kTrue when anomalous, kUnknown in the warm-up.
  // Once a tick, in ascending time, always with the same rule.
  Truth Judge(double value, const Tick& tick, const Rule& rule);

  double median() const;

  // Whether one more value like those before would change nothing.
  bool settled() const;

 private:
  struct Window;  // of a series that changes

  bool CloseSlot(const Tick& tick, bool outside);

  float constant_ = 0;  // the value of every slot, while there is no window
  uint16_t filled_ = 0;
  uint64_t slot_began_boot_ns_ = 0;
  std::unique_ptr<Window> window_;
};

// The absolute floor of a metric as comparisons read it (counters as rates), in its unit.
double AnomalyFloor(const MetricDesc& metric);

}  // namespace taskmon::query
