// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <set>

#include "client/cli.h"
#include "client/commands/commands.h"
#include "client/completion/complete.h"
#include "client/exit_code.h"
#include "client/group_name.h"
#include "client/output/escape.h"
#include "client/suggest.h"

namespace taskmon::client {
namespace {

constexpr uint32_t kMostTasks = 2000;

// Help is one line, whatever tasks are called.
std::string OneLine(const std::string& text) { return TerminalSafe(text); }

void AddRules(const std::string& current, Backend* backend, Completion* completion) {
  const absl::StatusOr<v1::RuleList> rules = backend->ListRules(v1::ListRulesRequest());
  if (!rules.ok()) return;
  for (const v1::Rule& rule : rules->rules())
    AddLive(current, {rule.name(), OneLine(rule.fields().expr())}, completion);
}

std::optional<Attribute> AttributeOf(Live live) {
  switch (live) {
    case Live::kComms: return Attribute::kComm;
    case Live::kApps: return Attribute::kApp;
    case Live::kUnits: return Attribute::kUnit;
    case Live::kUsers: return Attribute::kUser;
    default: return std::nullopt;
  }
}

void AddTasks(const std::string& current, Backend* backend, Completion* completion) {
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_CPU_PERCENT);
  request.set_sort("task_cpu_percent");
  request.set_top(kMostTasks);
  const std::optional<Attribute> attribute = AttributeOf(completion->live);
  std::set<std::string> names;
  // Without an answer there is nothing to offer, and nobody to tell.
  (void)backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    for (const v1::TaskInfo& task : batch.tasks()) {
      if (attribute) {
        names.insert(GroupNameOf(task, *attribute));
      } else {
        AddLive(current, {std::to_string(task.tid()), OneLine(task.comm())}, completion);
      }
    }
    return true;
  });
  for (const std::string& name : names) {
    if (!name.empty() && TerminalSafe(name) == name) AddLive(current, {name, ""}, completion);
  }
}

}  // namespace

int RunCompletion(const Options& options, Context* context) {
  const std::string_view script = CompletionScript(options.names.front());
  if (script.empty()) {
    context->err->Write(ErrorLine("no completion for '" + options.names.front() + "'" +
                                  SuggestOr(options.names.front(), CompletionShells(), "there is bash, zsh and fish")));
    return kUsage;
  }
  context->out->Write(script);
  return kMatched;
}

int RunComplete(const Options& options, Context* context) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // it would write among what is being typed
  Completion completion = Complete(DescribeCommandLine(), options.names);
  const std::string current = options.names.empty() ? "" : options.names.back();
  if (completion.live != Live::kNone) {
    const absl::StatusOr<std::unique_ptr<Backend>> backend = context->open_backend(options);
    if (backend.ok() && completion.live == Live::kRules) AddRules(current, backend->get(), &completion);
    if (backend.ok() && completion.live != Live::kRules) AddTasks(current, backend->get(), &completion);
  }
  context->out->Write(completion.files ? "files\n" : completion.unended ? "unended\n" : "words\n");
  for (const Candidate& each : completion.words) context->out->Write(each.word + "\t" + each.help + "\n");
  return kMatched;
}

}  // namespace taskmon::client
