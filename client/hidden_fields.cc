// SPDX-License-Identifier: Apache-2.0
#include "client/hidden_fields.h"

#include <algorithm>

#include "client/task_row.h"
#include "daemon/query/expression.h"
#include "daemon/query/expression_limits.h"
#include "daemon/query/expression_node.h"

namespace taskmon::client {
namespace {

bool CanBeHidden(const query::Field& field) {
  if (field.metric != nullptr) return field.metric->visibility == v1::GUARDED;
  return field.attribute == query::Attribute::kCmdline || field.attribute == query::Attribute::kExe;
}

bool IsHidden(const query::Field& field, const TaskRow& row) {
  if (field.metric != nullptr) return row.Get(field.metric->id).presence == Presence::kRedacted;
  return field.attribute == query::Attribute::kCmdline ? row.info->cmdline_redacted() : row.info->exe_redacted();
}

std::vector<const query::Field*> Guarded(const query::Expression& expression) {
  std::vector<const query::Field*> guarded;
  query::AnyField(*expression.root(), [&](const query::Field& field) {
    const bool known = std::find(guarded.begin(), guarded.end(), &field) != guarded.end();
    if (!known && CanBeHidden(field)) guarded.push_back(&field);
    return false;
  });
  return guarded;
}

// Of the rows that the request chooses, by the first in which any is hidden. Whether there were rows at all.
bool Look(const v1::ListTasksRequest& request, const std::vector<const query::Field*>& fields, Backend* backend,
          std::vector<std::string>* hidden) {
  bool any = false;
  const absl::Status ignored = backend->ListTasks(request, [&](const v1::TaskBatch& batch) {
    return ForEachRow(batch,
                      [&](const TaskRow& row) {
                        any = true;
                        if (!hidden->empty()) return;
                        for (const query::Field* field : fields) {
                          if (IsHidden(*field, row)) hidden->push_back(field->name);
                        }
                      })
               .ok() &&
           hidden->empty();
  });
  return any && ignored.ok();
}

}  // namespace

std::vector<std::string> HiddenFields(const std::string& expression, Backend* backend) {
  const absl::StatusOr<query::Expression> parsed = query::Expression::Parse(expression, query::kRuleLimits);
  if (!parsed.ok() || parsed->matches_everything()) return {};
  const std::vector<const query::Field*> fields = Guarded(*parsed);
  if (fields.empty()) return {};
  v1::ListTasksRequest request;
  request.mutable_selection()->add_metrics(v1::TASK_STATE);
  for (const query::Field* field : fields) {
    if (field->metric != nullptr) request.mutable_selection()->add_metrics(field->metric->id);
  }
  // Who is not root and may see one of root's tasks may see everybody's.
  request.mutable_selection()->set_expression("uid == 0");
  request.set_top(1);
  std::vector<std::string> hidden;
  if (Look(request, fields, backend, &hidden)) return hidden;
  request.mutable_selection()->clear_expression();
  request.clear_top();
  Look(request, fields, backend, &hidden);
  return hidden;
}

}  // namespace taskmon::client
