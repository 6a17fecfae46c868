// SPDX-License-Identifier: Apache-2.0
//
// A text that never changes, and whose copies are one: what thousands of tasks have in common (command lines, control
// groups, users) is in memory once, as long as it is copied from one to the other. Safe to copy and read from every
// thread.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace taskmon {

class SharedText {
 public:
  SharedText() = default;
  SharedText(std::string text)  // NOLINT(google-explicit-constructor): it is one
      : text_(text.empty() ? nullptr : std::make_shared<const std::string>(std::move(text))) {}
  SharedText(std::string_view text) : SharedText(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  SharedText(const char* text) : SharedText(std::string(text)) {}       // NOLINT(google-explicit-constructor)

  const std::string& str() const {
    static const std::string empty;
    return text_ == nullptr ? empty : *text_;
  }
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor)
  operator std::string_view() const { return str(); }    // NOLINT(google-explicit-constructor)
  bool empty() const { return text_ == nullptr; }
  size_t size() const { return str().size(); }

  friend bool operator==(const SharedText& a, const SharedText& b) { return a.text_ == b.text_ || a.str() == b.str(); }
  template <std::convertible_to<std::string_view> Other>
  friend bool operator==(const SharedText& a, const Other& b) {
    return a.str() == std::string_view(b);
  }

 private:
  std::shared_ptr<const std::string> text_;  // null: empty
};

}  // namespace taskmon
