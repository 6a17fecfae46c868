// SPDX-License-Identifier: Apache-2.0
#include "daemon/query/sort.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "daemon/query/expression_lexer.h"
#include "daemon/query/nearest.h"

namespace taskmon::query {
namespace {

// Read once per row: comparing would resolve the same value again and again.
struct Keyed {
  bool known = false;
  double number = 0;
  std::string text;
  Row row;
};

std::string Joined(const std::vector<std::string>& texts) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : " ") + text;
  return joined;
}

Keyed KeyOf(const Row& row, const Field& field) {
  Keyed keyed{.row = row};
  if (field.type == FieldType::kTextList) {
    keyed.known = true;
    keyed.text = Joined(row.info().rules);
  } else if (field.type == FieldType::kText) {
    const std::optional<std::string_view> text = ReadText(row, field);
    keyed.known = text.has_value();
    keyed.text = text.value_or("");
  } else {
    const std::optional<double> number = ReadNumber(row, field, CounterAs::kTotal);
    keyed.known = number.has_value();
    keyed.number = number.value_or(0);
  }
  return keyed;
}

bool Before(const Keyed& a, const Keyed& b, const SortOrder& order) {
  if (!a.known || !b.known) return a.known && !b.known;
  if (order.field->is_text()) return order.flipped ? b.text < a.text : a.text < b.text;
  return order.flipped ? a.number < b.number : b.number < a.number;
}

}  // namespace

absl::StatusOr<SortOrder> ParseSort(std::string_view text_untrusted) {
  SortOrder order;
  if (text_untrusted.empty()) return order;
  std::string_view name = text_untrusted;
  order.flipped = name.front() == '-';
  if (order.flipped) name.remove_prefix(1);
  order.field = FindField(name);
  if (order.field == nullptr) {
    return absl::InvalidArgumentError(
        fmt::format("cannot sort by unknown field {}{}", Quote(name), DidYouMean(name, FieldNames())));
  }
  return order;
}

void SortRows(const SortOrder& order, size_t top, std::vector<Row>* rows) {
  if (order.field != nullptr) {
    std::vector<Keyed> keyed;
    keyed.reserve(rows->size());
    for (const Row& row : *rows) keyed.push_back(KeyOf(row, *order.field));
    std::stable_sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) { return Before(a, b, order); });
    std::transform(keyed.begin(), keyed.end(), rows->begin(), [](const Keyed& key) { return key.row; });
  }
  if (top != 0 && rows->size() > top) rows->resize(top);
}

}  // namespace taskmon::query
