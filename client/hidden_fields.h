// SPDX-License-Identifier: Apache-2.0
//
// Which fields of an expression this user may not see of every task. A comparison of such a field is unknown, and a
// task that only it would have chosen is missing without a trace: whoever shows the answer should say so.
#pragma once

#include <string>
#include <vector>

#include "client/backend.h"

namespace taskmon::client {

// Their names, as the expression has them. Asks for a task of root's, or, where there is none, for all, and only if the
// expression reads anything guarded. Empty also when nobody can tell: the question itself will say why.
std::vector<std::string> HiddenFields(const std::string& expression, Backend* backend);

}  // namespace taskmon::client
