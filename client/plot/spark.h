// SPDX-License-Identifier: Apache-2.0
//
// Graphs without axes, for headers and table cells: a filled braille curve, a row of block columns, and meters of one
// or a few cells. NaN is "not known" and leaves its place empty. Pure functions.
#pragma once

#include <string>
#include <vector>

namespace taskmon::client::plot {

// The newest values, two in a cell, newest at the right, as `cells_high` rows of exactly `cells_wide` cells from the
// top. Values fill from below; `top` is the value that fills all (the largest value where it is 0). A value above 0
// shows at least one dot.
std::vector<std::string> Spark(const std::vector<double>& values, int cells_wide, int cells_high, double top);

// One cell that is `share` (0 to 1) full, from below: " ▁▂▃▄▅▆▇█". Above 0 it is never empty.
std::string Block(double share);

// A horizontal meter of `cells` cells.
std::string Bar(double share, int cells);

// The next of 1, 2 and 5 times a power of ten at or above the value; 1 for none.
double NiceTop(double value);
// The same for bytes: 1, 2, 5, 10, … 500 of the unit that is shown, in powers of 1024.
double NiceTopBytes(double bytes);

}  // namespace taskmon::client::plot
