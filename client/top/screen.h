// SPDX-License-Identifier: Apache-2.0
//
// Draws a State into cells. Pure: the same state at the same time is the same screen.
#pragma once

#include <cstdint>
#include <string>

#include "client/top/cell_buffer.h"
#include "client/top/model.h"

namespace taskmon::client::top {

CellBuffer Draw(const State& state, int64_t now_ns);

// Its parts.
void DrawTitle(const State& state, int64_t now_ns, CellBuffer* cells);
void DrawGraphs(const State& state, CellBuffer* cells);
void DrawTimeBar(const State& state, int64_t now_ns, int y, CellBuffer* cells);
void DrawList(const State& state, CellBuffer* cells);
void DrawDetails(const State& state, int64_t now_ns, CellBuffer* cells);
void DrawHelp(const State& state, CellBuffer* cells);
void DrawFoot(const State& state, CellBuffer* cells);

// The style of a meter that is so full.
Style LevelStyle(double share);
// "14:31", or "14:31:05"; with the day where it is not that of `near_ns`.
std::string ClockText(int64_t wall_ns, int64_t near_ns, bool seconds);

}  // namespace taskmon::client::top
