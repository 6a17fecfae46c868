// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fmt/format.h>

#include "client/commands/answer.h"
#include "client/commands/commands.h"
#include "client/exit_code.h"
#include "client/output/escape.h"
#include "client/output/rule_text.h"
#include "client/output/units.h"

namespace taskmon::client {
namespace {

constexpr size_t kLongExpression = 32 * 1024;
constexpr int kMostShown = 40;                     // changes of one kind
constexpr size_t kMaxFileBytes = (16u << 20) + 1;  // enough for taskmond to see that it is too much

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::unique_ptr<FILE, int (*)(FILE*)> file(is_stdin ? stdin : std::fopen(path.c_str(), "re"),
                                                   [](FILE* f) { return f == stdin ? 0 : std::fclose(f); });
  if (file == nullptr) {
    return absl::InvalidArgumentError(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  std::string text(kMaxFileBytes, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) {
    return absl::InvalidArgumentError(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  return text;
}

void SetNames(const Options& options, v1::RuleNames* names) {
  names->mutable_names()->Assign(options.rule.names.begin(), options.rule.names.end());
}

void SetFields(const Options& options, v1::NamedFields* named) {
  named->set_name(options.rule.names[0]);
  *named->mutable_fields() = options.rule.fields;
}

v1::EditRulesRequest RequestFor(const Options& options) {
  v1::EditRulesRequest request;
  request.set_dry_run(options.rule.dry_run);
  request.set_expected_version(options.rule.expected_version);
  switch (options.command) {
    case Command::kRuleAdd: SetFields(options, request.mutable_add()); break;
    case Command::kRuleSet: SetFields(options, request.mutable_set()); break;
    case Command::kRuleRm: SetNames(options, request.mutable_remove()); break;
    case Command::kRuleEnable: SetNames(options, request.mutable_enable()); break;
    case Command::kRuleDisable: SetNames(options, request.mutable_disable()); break;
    case Command::kRuleRollback: request.set_roll_back(options.rule.version); break;
    default: request.set_apply(options.rule.path == "-" ? "(stdin)" : options.rule.path); break;
  }
  return request;
}

// A message of taskmond's has a limit that lists of thousands of names exceed; texts beside it are sent in pieces.
std::string TakeLongExpression(v1::EditRulesRequest* request) {
  v1::NamedFields* named = request->has_add() ? request->mutable_add() : nullptr;
  if (request->has_set()) named = request->mutable_set();
  if (named == nullptr || named->fields().expr().size() <= kLongExpression) return "";
  std::string expression = named->fields().expr();
  named->mutable_fields()->clear_expr();
  return expression;
}

void PrintChanges(const v1::RuleEdit& edit, const Options& options, Context* context) {
  if (options.format != Format::kTable) return;
  context->out->Write(RuleChangesText(edit, kMostShown));
  context->out->Flush();
}

void PrintResult(const v1::RuleEdit& edit, const Options& options, Context* context) {
  if (options.format != Format::kTable) return context->out->Write(RuleEditJson(edit) + "\n");
  const std::string rules = fmt::format("{} rule{}", Thousands(edit.rules()), edit.rules() == 1 ? "" : "s");
  if (edit.changes().empty()) {
    context->out->Write(fmt::format("nothing to change: version {}, {}\n", edit.version(), rules));
  } else if (edit.dry_run()) {
    context->out->Write(fmt::format("dry run: version {} stays; it would be {}\n", edit.version(), rules));
  } else {
    context->out->Write(fmt::format("version {}, {}\n", edit.version(), rules));
  }
}

void PrintWarnings(const v1::RuleEdit& edit, Context* context) {
  for (const std::string& warning : edit.warnings()) Note("warning: " + warning, context);
  for (const v1::RuleChange& change : edit.changes()) {
    if (!change.has_matching_now() || change.matching_now() > 0) continue;
    Note(fmt::format("warning: rule '{}': matches no process now", change.name()), context);
  }
}

int Finish(const v1::RuleEdit& edit, const Options& options, Context* context) {
  PrintResult(edit, options, context);
  PrintWarnings(edit, context);
  return kMatched;
}

// Shows what changes before it happens. The rules must then be those that were looked at.
int Apply(const Options& options, Backend* backend, Context* context) {
  const absl::StatusOr<std::string> text = ReadFile(options.rule.path);
  if (!text.ok()) return Fail(text.status(), context);
  v1::EditRulesRequest request = RequestFor(options);
  request.set_dry_run(true);
  absl::StatusOr<v1::RuleEdit> edit = backend->EditRules(request, *text);
  if (!edit.ok()) return Fail(edit.status(), context);
  PrintChanges(*edit, options, context);
  if (options.rule.dry_run) return Finish(*edit, options, context);
  request.set_dry_run(false);
  request.set_expected_version(edit->version());
  edit = backend->EditRules(request, *text);
  if (!edit.ok()) return Fail(edit.status(), context);
  return Finish(*edit, options, context);
}

}  // namespace

int RunRuleEdit(const Options& options, Backend* backend, Context* context) {
  if (options.command == Command::kRuleApply) return Apply(options, backend, context);
  v1::EditRulesRequest request = RequestFor(options);
  const std::string long_expression = TakeLongExpression(&request);
  const absl::StatusOr<v1::RuleEdit> edit = backend->EditRules(request, long_expression);
  if (!edit.ok()) return Fail(edit.status(), context);
  PrintChanges(*edit, options, context);
  return Finish(*edit, options, context);
}

}  // namespace taskmon::client
