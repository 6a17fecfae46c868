// SPDX-License-Identifier: Apache-2.0
//
// The commands. Each asks a Backend, hands rows to a printer and returns its exit code; each has a file of its own.
#pragma once

#include "client/context.h"
#include "client/options.h"

namespace taskmon::client {

int RunCommand(const Options& options, Context* context);

int RunStatus(const Options& options, Context* context);
int RunDoctor(const Options& options, Context* context);
int RunMetrics(const Options& options, Context* context);
int RunVersion(Context* context);
int RunPs(const Options& options, Context* context);
int RunShow(const Options& options, Context* context);
int RunWatch(const Options& options, Context* context);
int RunHistory(const Options& options, Context* context);
int RunCompletion(const Options& options, Context* context);
int RunComplete(const Options& options, Context* context);
int RunExport(const Options& options, Context* context);
int RunEvents(const Options& options, Context* context);
int RunDiff(const Options& options, Context* context);
int RunSnapshot(const Options& options, Context* context);
// `history --plot` and `events --histogram`: the same questions, answered by graphs.
int PlotHistory(const Options& options, const v1::HistoryRequest& request, Backend* backend, Context* context);
int CountEvents(const Options& options, const v1::EventsRequest& request, Backend* backend, Context* context);
int RunTop(const Options& options, Context* context);
int RunRule(const Options& options, Context* context);
// Those of the commands below `rule` that change something.
int RunRuleEdit(const Options& options, Backend* backend, Context* context);

}  // namespace taskmon::client
